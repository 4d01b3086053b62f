//! `ebpf-fentry`: a program that `proc_exec_connector` itself calls at its entry (fentry).
//!
//! The place is that of `ebpf-kprobe`: once for each exec that succeeded, with the task as argument. The way
//! there is another: the kernel puts a call of a trampoline where the function has room for ftrace (5.5), so
//! there is no breakpoint and no table to search, the verifier knows the argument's type, and members are read
//! by plain loads.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`, no lockdown, and the function in the
//! kernel's type information: a kernel may inline or rename it.
//!
//! # What it cannot see
//!
//! As `ebpf-kprobe`: not the string that was passed to the call, nor the interpreter behind `binfmt_misc` with
//! its flag `T`. Unlike a kprobe it loses nothing to others; that it already runs on the CPU is counted
//! (`recursion_misses`, 5.12).
//!
//! # Cost
//!
//! About as much as `ebpf`, and less than `ebpf-kprobe` at the same place, as nothing traps and members are read by
//! plain loads. It buys a place at a function where there is no tracepoint, and is paid with the string that was passed
//! to the call. Tuned costs less: records gather (`linger-ms`), and one wake-up takes many; sightings come later for
//! it. The larger buffer costs memory.
//!
//! Sources: `kernel/bpf/trampoline.c`, `drivers/connector/cn_proc.c`, `fs/exec.c`.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{Plan, RING, TRAMPOLINE, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Fentry;

const TECHNIQUE: Technique = Technique::one(
    TRAMPOLINE,
    &Hook {
        program: "entered",
        at: At::Fentry("proc_exec_connector"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for Fentry {
    fn name(&self) -> &'static str {
        "ebpf-fentry"
    }

    fn about(&self) -> &'static str {
        "eBPF program at the entry of proc_exec_connector (fentry), paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a trampoline program walks the path of the file that the process has",
            needs: &[
                BTF,
                "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, no lockdown",
                ROOT,
            ],
            since: Since {
                release: "5.8 (ring buffer; fentry: 5.5)",
                series: None,
            },
            loss_signals: &[LOST_COUNT, MISSES],
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
