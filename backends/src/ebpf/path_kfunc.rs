//! `ebpf-path-kfunc`: a program on the security hook `bprm_committed_creds`, with the kernel's own path by the
//! newer kernel function `bpf_path_d_path`.
//!
//! The place is that of `ebpf-lsm`, the path that of `ebpf-lsm-sleepable`. `bpf_path_d_path` (6.12) is what
//! `bpf_d_path` was replaced by: a function of the kernel that a program calls as such (kfunc), which takes
//! only pointers that are known to be held, so that it cannot meet a file that is being freed. It may be called
//! on security hooks alone.
//!
//! # Needs
//!
//! Besides what `ebpf-lsm` needs: Linux 6.12. Kernel functions have no stable numbers; the running kernel's
//! type information has them.
//!
//! # What it cannot see
//!
//! As `ebpf-lsm-sleepable`, and arguments that are not in memory.
//!
//! # Cost
//!
//! About as much as `ebpf-lsm`, with the environment in its records as there, so more than `ebpf`. What is bought
//! against `ebpf-lsm`: the kernel's own path without sleeping; against `ebpf-lsm-sleepable`: a way to it that the
//! verifier proves safe, and that the kernel still adds to. Tuned costs less: records gather (`linger-ms`), and one
//! wake-up takes many; sightings come later for it. The larger buffer costs memory.
//!
//! Sources: `fs/bpf_fs_kfuncs.c`; Documentation/bpf/kfuncs.rst.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, LSM_BPF, ROOT, WHOLE,
    hook::{At, Hook},
    kfunc, load,
    plan::{LSM, Plan, RING, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct PathKfunc;

const TECHNIQUE: Technique = Technique {
    object: LSM,
    hooks: &[Hook {
        program: "committed_kfunc",
        at: At::Lsm("bprm_committed_creds"),
        loses: Some(LossUnit::Exec),
    }],
    function: Some(kfunc::FUNCTION),
};

impl Backend for PathKfunc {
    fn name(&self) -> &'static str {
        "ebpf-path-kfunc"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the security hook bprm_committed_creds, paths by the kfunc bpf_path_d_path"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a security hook at the point of no return, bpf_path_d_path",
            needs: &[BTF, LSM_BPF, ROOT],
            since: Since {
                release: "6.12 (bpf_path_d_path)",
                series: Some("6.12"),
            },
            loss_signals: &[LOST_COUNT],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        RING
    }

    fn offers(&self) -> Offers {
        WHOLE
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?.with_argv(settings);
        Ok(Box::new(load::attach(&plan)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
