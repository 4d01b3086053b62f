//! `ebpf-lsm`: a program on the security hook `bprm_committed_creds`, which is called when an exec can no
//! longer go back.
//!
//! By then the process has its final pid, its new address space and its new credentials; what is left is to load the
//! image. The path is walked as `ebpf` does it. The arguments are read from the new stack, onto which the kernel has
//! copied all strings; the image has not said yet where they end, so their number tells. The environment stands behind
//! them and is copied with them, up to `argv-bytes`; the reader drops it.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_BPF_LSM` and `bpf` among the active security modules (Debian: from 6.1
//! on; before, only with `lsm=...,bpf` on the command line: the hook is attached, and never called), no
//! lockdown, and atomic operations (5.12).
//!
//! # What it cannot see
//!
//! - An exec that fails after this point, which kills the process: it is reported, and ran nothing.
//! - The script behind `#!`: the file is the interpreter's by then; `given` and the arguments name the script.
//! - Places to write: four for each CPU, as nothing keeps such a program from being interrupted. A fifth at
//!   once is counted as lost.
//! - Otherwise as `ebpf`.
//!
//! # Cost
//!
//! More than `ebpf`, as its records are larger by the environment. What is bought: nothing of the exec itself. It is
//! the place where a monitor stands that may also refuse, or use what security hooks alone may call
//! (`ebpf-lsm-sleepable`, `ebpf-path-kfunc`), and no tracepoint is needed. Tuned costs less: records gather
//! (`linger-ms`), and one wake-up takes many; sightings come later for it. The larger buffer costs memory.
//!
//! Sources: `security/bpf/hooks.c`, `kernel/bpf/bpf_lsm.c`, `fs/exec.c` (`begin_new_exec`).

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, LSM_BPF, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{LSM, Plan, RING, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Lsm;

const TECHNIQUE: Technique = Technique::one(
    LSM,
    &Hook {
        program: "committed",
        at: At::Lsm("bprm_committed_creds"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for Lsm {
    fn name(&self) -> &'static str {
        "ebpf-lsm"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the security hook bprm_committed_creds, paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a security hook at the point of no return, the path walked",
            needs: &[BTF, LSM_BPF, ROOT],
            since: Since {
                release: "5.12 (atomic operations; BPF LSM: 5.7)",
                series: Some("6.1"),
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
