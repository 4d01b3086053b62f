//! `ebpf-tracepoint`: a program on the classic tracepoint `sched:sched_process_exec`, with the path as it was given.
//!
//! A classic tracepoint (4.7) hands over the record that ftrace and perf print: the string that was passed to
//! the call, the pid, and the thread's number before. The kernel makes that record for the program in a per-CPU
//! buffer of perf. The rest, which any program may ask for (parent, user, cgroup, namespaces, arguments from
//! the new stack), is added as `ebpf` does it; the file is in no argument of this attach point, so the path is
//! what the caller wrote.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: a mounted tracefs, where the tracepoint has its number.
//!
//! # What it cannot see
//!
//! - What a relative path was relative to, where a link or a mount led: `./x` stays `./x`. Of a file that was
//!   executed by descriptor it has `/dev/fd/N`, of a script the script and never the interpreter.
//! - Otherwise as `ebpf`: one event for each exec that succeeded, none for others. That the string is the
//!   kernel's copy makes it safe from being rewritten.
//!
//! # Cost
//!
//! About as much as `ebpf`, and on some kernels more: no path is walked, but the kernel makes a record of its own
//! first. It is paid with the path, which is the string as given, and buys programs at tracepoints before there were
//! raw ones (4.7; 5.8 here, for the ring). Tuned costs less: records gather (`linger-ms`), and one wake-up takes many;
//! sightings come later for it. The larger buffer costs memory.
//!
//! Sources: `include/trace/events/sched.h` (`sched_process_exec`), `kernel/trace/bpf_trace.c` (`tp_prog_func_proto`).

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{PROBES, Plan, RING, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Tracepoint;

const TECHNIQUE: Technique = Technique::one(
    PROBES,
    &Hook {
        program: "classic",
        at: At::Tracepoint("sched", "sched_process_exec"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for Tracepoint {
    fn name(&self) -> &'static str {
        "ebpf-tracepoint"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the tracepoint sched:sched_process_exec: the path as it was given"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a program on the event of ftrace takes the string from its record",
            needs: &[BTF, "tracefs", ROOT],
            since: Since {
                release: "5.8 (ring buffer; programs on tracepoints: 4.7)",
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
