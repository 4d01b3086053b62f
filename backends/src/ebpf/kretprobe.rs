//! `ebpf-kretprobe`: programs at the entry and at the return of `bprm_execve`, the part of the exec call that
//! does it.
//!
//! This is how tools worked before there were typed tracepoints: what the call was given is kept at its entry,
//! and told at its return if the result is 0. All ways into the kernel (both calls, all architectures, helpers
//! of the kernel) lead through `bprm_execve` (5.9). At the return the process has its new image, so file,
//! arguments and ids are read there as `ebpf` does it; the entry adds the string that was passed to the call,
//! and tells calls that only check (6.14) from execs.
//!
//! What a call is kept by has to be the same at its return. The number of the thread is not: a thread that is
//! not the leader comes back with the leader's number (`de_thread`). So calls are kept by the address of their
//! `task_struct`.
//!
//! # Why kretprobes lose
//!
//! The return is caught by a changed return address, and the right one has to be kept somewhere until then: in
//! one of `maxactive` records that are made when the probe is attached. Through perf, as every BPF loader
//! attaches, their number cannot be chosen: it is twice the number of possible CPUs, and 10 at least on a
//! preemptible kernel. An exec that waits for its disk holds one. When all are held, the kernel passes by
//! without the program: nothing is told but `nmissed`, which can be read from 6.7 on (`missed` of the link,
//! which is reported). Before, such a loss is silent.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_KRETPROBES`, no lockdown, Linux 5.9.
//!
//! # What it cannot see
//!
//! - What is lost as above, and what a kprobe loses while another one is served on the same CPU.
//! - The string that was passed to the call, where the call was under way when it was attached, its entry was
//!   missed, or 8,192 others were kept.
//! - Otherwise as `ebpf-kprobe`.
//!
//! # Cost
//!
//! Two probes at each call, failed ones too, and a place in a map. What is bought against `ebpf-kprobe`, which costs
//! one probe less: the string that was passed to the call. It is here because many tools are built so. Tuned costs
//! less: records gather (`linger-ms`), and one wake-up takes many; sightings come later for it. It does not change how
//! many returns are lost, as `maxactive` cannot be chosen.
//!
//! Sources: `kernel/kprobes.c` (`register_kretprobe`, `pre_handler_kretprobe`), `kernel/trace/trace_kprobe.c`
//! (`create_local_trace_kprobe`), `fs/exec.c`; iovisor/bcc issue 2627 (execs that kretprobes lost).

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
pub struct Kretprobe;

const TECHNIQUE: Technique = Technique {
    object: PROBES,
    hooks: &[
        Hook {
            program: "returned",
            at: At::Kretprobe("bprm_execve"),
            loses: Some(LossUnit::Event),
        },
        Hook {
            program: "call",
            at: At::Kprobe("bprm_execve"),
            loses: None,
        },
    ],
    function: None,
};

impl Backend for Kretprobe {
    fn name(&self) -> &'static str {
        "ebpf-kretprobe"
    }

    fn about(&self) -> &'static str {
        "eBPF programs at entry and return of bprm_execve (kretprobe), paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a kprobe keeps the call, a kretprobe tells of it if it succeeded",
            needs: &[BTF, "CONFIG_KRETPROBES, no lockdown", ROOT],
            since: Since {
                release: "5.9 (bprm_execve; programs on kretprobes: 4.1)",
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
