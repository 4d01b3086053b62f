//! `ebpf-lsm-sleepable`: a sleepable program on the security hook `bprm_committed_creds`, with the kernel's own
//! path (`bpf_d_path`).
//!
//! The place is that of `ebpf-lsm`. A program that may sleep may fetch what is not in memory, so no argument is
//! out of its reach (`bpf_copy_from_user`). The path is the one that the kernel writes in `/proc/PID/exe`, by
//! its own function under its own locks: no mixture of old and new names, ` (deleted)` where it belongs.
//!
//! # Needs
//!
//! Besides what `ebpf-lsm` needs: `bpf_d_path` on this hook, which 5.10 refuses.
//!
//! # What it cannot see
//!
//! - The path outside of a `chroot`: `bpf_d_path` begins at the root of the process. In a container it is the
//!   container's.
//! - A path of more than 8,192 bytes: it comes without one.
//! - Otherwise as `ebpf-lsm`.
//!
//! # Cost
//!
//! About as much as `ebpf-lsm`, with the environment in its records as there, so more than `ebpf`. What is bought:
//! arguments and a path that are never missing because of memory or a rename. Tuned costs less: records gather
//! (`linger-ms`), and one wake-up takes many; sightings come later for it. The larger buffer costs memory.
//!
//! Sources: `kernel/trace/bpf_trace.c` (`bpf_d_path_allowed`), `kernel/bpf/bpf_lsm.c` (`sleepable_lsm_hooks`),
//! `fs/d_path.c`.

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
pub struct LsmSleepable;

const TECHNIQUE: Technique = Technique::one(
    LSM,
    &Hook {
        program: "committed_sleepable",
        at: At::SleepableLsm("bprm_committed_creds"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for LsmSleepable {
    fn name(&self) -> &'static str {
        "ebpf-lsm-sleepable"
    }

    fn about(&self) -> &'static str {
        "sleepable eBPF program on the security hook bprm_committed_creds, paths by bpf_d_path"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a sleepable security hook at the point of no return, bpf_d_path",
            needs: &[BTF, LSM_BPF, ROOT],
            since: Since {
                release: "5.12 (atomic operations; sleepable programs, bpf_d_path on LSM hooks: 5.11)",
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
