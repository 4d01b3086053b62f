//! `ebpf-fexit`: a program that runs when `bprm_execve` returns, with its arguments and its result (fexit).
//!
//! What a pair of kprobe and kretprobe has to join, a trampoline around the function has in one place: at the
//! return the arguments are still there. So nothing is kept for each call, and nothing runs out: the trampoline
//! keeps the return address on the stack. A result of 0 with the new address space handed over is an exec that
//! succeeded. The string that was passed to the call and the file come from `struct linux_binprm`, the rest as
//! `ebpf` does it.
//!
//! `bprm_execve` lost three of its four arguments between 6.1 and 6.12, and with them the place of the result
//! moved. From 5.17 on a helper knows it (`bpf_get_func_ret`); which of both ways is taken is decided when the
//! program is loaded, by whether the kernel has that helper.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`, no lockdown, Linux 5.9, and the
//! function in the kernel's type information: a kernel may inline or rename it.
//!
//! # What it cannot see
//!
//! As `ebpf`. The program is called for every attempt that got so far (up to 6.1 those too whose file does not
//! exist), and puts the failed ones aside.
//!
//! # Cost
//!
//! A little more than `ebpf`: the program is called for attempts that fail too, and reads the process's members through
//! helpers. Against `ebpf-kretprobe`, which it costs less than, it buys that there is nothing that can run out. Tuned
//! costs less: records gather (`linger-ms`), and one wake-up takes many; sightings come later for it. With either,
//! single execs of a burst may be missed where the program can be preempted, as it is not started on a CPU on which it
//! already runs; that is counted (`recursion_misses`), in attempts.
//!
//! Sources: `kernel/bpf/trampoline.c` (`__bpf_tramp_exit`), `kernel/bpf/verifier.c`, `fs/exec.c`.

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
pub struct Fexit;

const TECHNIQUE: Technique = Technique::one(
    TRAMPOLINE,
    &Hook {
        program: "left",
        at: At::Fexit("bprm_execve"),
        loses: Some(LossUnit::Event),
    },
);

impl Backend for Fexit {
    fn name(&self) -> &'static str {
        "ebpf-fexit"
    }

    fn about(&self) -> &'static str {
        "eBPF program at the return of bprm_execve (fexit), paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a trampoline program tells of the call if it succeeded",
            needs: &[
                BTF,
                "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, no lockdown",
                ROOT,
            ],
            since: Since {
                release: "5.9 (bprm_execve; fexit: 5.5)",
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
