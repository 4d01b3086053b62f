//! `ebpf-kprobe`: a program on a kprobe at the kernel's function `proc_exec_connector`.
//!
//! That function is the proc connector's part of an exec. It is called exactly once for each exec that
//! succeeded, whether anybody listens or not, by whatever call and of whatever architecture, after the process
//! got its final pid; it has been there since 2.6.15, and the task is its only argument. The file is the one
//! that the process has (`mm->exe_file`), walked as `ebpf` does it. A kprobe at an entry that ftrace knows is a
//! call from there, and elsewhere a breakpoint; either costs more than a tracepoint, and all members are read
//! through helpers.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_KPROBES`, and no lockdown (integrity forbids kprobes). The function is no
//! promise: a kernel may inline or rename it.
//!
//! # What it cannot see
//!
//! - The string that was passed to the call: it is in `struct linux_binprm`, which this function is not given.
//! - With `binfmt_misc` and its flag `T` (7.3) the interpreter: `exe_file` is the binary then.
//! - An exec while another kprobe is served on the same CPU. Kernels from 6.7 on count these (`missed` of the
//!   link), and it reports them.
//! - Otherwise as `ebpf`.
//!
//! # Cost
//!
//! What is bought against `ebpf`, for a probe that costs more than a tracepoint and members that are read through
//! helpers: it needs no tracepoint at the place, so the same program can stand at any function and at kernels whose
//! tracepoints are not made for an exec (programs on kprobes: 4.1). Of an exec it sees no more. Tuned costs less:
//! records gather (`linger-ms`), and one wake-up takes many; sightings come later for it. The larger buffer costs
//! memory.
//!
//! Sources: `drivers/connector/cn_proc.c`, `kernel/trace/trace_kprobe.c`, `kernel/kprobes.c` (`nmissed`),
//! `fs/exec.c`.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, PROBE_MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{PROBES, Plan, RING, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Kprobe;

const TECHNIQUE: Technique = Technique::one(
    PROBES,
    &Hook {
        program: "connector",
        at: At::Kprobe("proc_exec_connector"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for Kprobe {
    fn name(&self) -> &'static str {
        "ebpf-kprobe"
    }

    fn about(&self) -> &'static str {
        "eBPF program on a kprobe at proc_exec_connector, paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a kprobe program walks the path of the file that the process has",
            needs: &[BTF, "CONFIG_KPROBES, no lockdown", ROOT],
            since: Since {
                release: "5.8 (ring buffer; programs on kprobes: 4.1)",
                series: None,
            },
            loss_signals: &[LOST_COUNT, MISSES, PROBE_MISSES],
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
