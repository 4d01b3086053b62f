//! `ebpf-lsm-check`: a program on the security hook `bprm_check_security`, which is asked before each stage of
//! an exec.
//!
//! The hook is there to refuse (this program never does), so it comes early: the file is open and the
//! credentials are prepared, but nothing is decided. The kernel asks once for each stage: for a script first
//! with the script, then with its interpreter. It is the one hook of an exec that sees both files. The path is
//! walked as `ebpf` does it.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_BPF_LSM` and `bpf` among the active security modules (Debian: from 6.1
//! on; before, only with `lsm=...,bpf` on the command line: the hook is attached, and never called), no
//! lockdown, and atomic operations (5.12).
//!
//! # What it cannot see
//!
//! - Whether the exec succeeds: it reports attempts. A file of no known format is reported and was not
//!   executed. What failed earlier (no such file, no permission) and what only checks (`AT_EXECVE_CHECK`) does
//!   not come by.
//! - How many execs there were: a script makes two reports, a script of a script three.
//! - The arguments: they lie in an address space that no task has yet. Names of the process are those from
//!   before the exec.
//! - Places to write: four for each CPU, as nothing keeps such a program from being interrupted. A fifth at
//!   once is counted as lost.
//!
//! # Cost
//!
//! With `ebpf-d-path` the cheapest of the family, because it tells less: there are no arguments to be copied. It is
//! paid with attempts in the place of execs, and a report for each stage, so a script is paid for twice. Tuned costs
//! less than default: records gather (`linger-ms`), and one wake-up takes many; sightings come later for it. The larger
//! buffer costs memory.
//!
//! Sources: `security/bpf/hooks.c`, `kernel/bpf/bpf_lsm.c`, `fs/exec.c` (`search_binary_handler`).

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, LSM_BPF, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{LSM, Plan, RING_WITHOUT_ARGV, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct LsmCheck;

const TECHNIQUE: Technique = Technique::one(
    LSM,
    &Hook {
        program: "check",
        at: At::Lsm("bprm_check_security"),
        loses: Some(LossUnit::Event),
    },
);

impl Backend for LsmCheck {
    fn name(&self) -> &'static str {
        "ebpf-lsm-check"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the security hook bprm_check_security: each stage of each attempt"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a security hook before each stage, the path walked",
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
        RING_WITHOUT_ARGV
    }

    fn offers(&self) -> Offers {
        Offers {
            argv: false,
            ..WHOLE
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?;
        Ok(Box::new(load::attach(&plan)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
