//! `ptrace-traceme`: tracing as it was before `PTRACE_SEIZE`, of processes that were launched for it.
//!
//! The classic tracer starts the program itself: the child calls `PTRACE_TRACEME` and executes it, and its parent waits. Here the
//! launched process has a parent of its own, with whom it has to stay; so it meets the monitor and is attached there
//! (`PTRACE_ATTACH`), which is the same from then on: neither of the two sets `PT_SEIZED` (kernel/ptrace.c), and that is what
//! makes the old manner. Children become tracees by `PTRACE_O_TRACEFORK`, `VFORK` and `CLONE` (Linux 2.5.46).
//!
//! What differs from the row `ptrace`:
//! * An exec ends in a SIGTRAP that the kernel sends to the process, as if it had sent it itself (`ptrace_event`,
//!   include/linux/ptrace.h), unless `PTRACE_O_TRACEEXEC` is set. With `exec=trap` the monitor lives by that signal: it asks who sent
//!   it and takes a SIGTRAP from oneself for an exec, which `kill(getpid(), SIGTRAP)` is too; a process that blocks SIGTRAP keeps the
//!   signal waiting, and its exec is not seen. With `exec=event` (tuned) the stop is inside of exec and nothing is guessed.
//! * Each new child begins with a SIGSTOP that nobody sent; it is told from a real one by its empty sender, which a SIGSTOP from outside
//!   of the child's PID namespace has too: such a one is swallowed.
//! * A process that job control stopped cannot be left so (there is no `PTRACE_LISTEN`): it goes on.
//! * A child that waits at its SIGSTOP would stop for good if its tracer ended there, and one that waits at its SIGTRAP would die
//!   of it. So the tracer is a process of its own, which goes on when the monitor is killed ([`apart`](super::apart)), and
//!   `PTRACE_O_EXITKILL` (Linux 3.8) is set: when the tracer itself is killed, so is the launched tree, and nothing hangs.
//! * At the end, whether the monitor is told to stop or was killed, all are let go: each is sent a SIGSTOP, which it never
//!   sees, and is detached there. One that cannot be stopped yet (a parent in `vfork`, a thread deep in the kernel) is let go when it
//!   can be: its tracer stays until then.
//!
//! What it cannot see: processes that were not launched under it, those that others trace, programs that the kernel starts itself, failed
//! execs. No kernel time comes with a stop. There is no queue, so nothing can be lost.
//!
//! Needs: `CAP_SYS_PTRACE`, Yama's `ptrace_scope` below 3.
//!
//! # Cost
//!
//! By default the dearest of the family: each exec is a signal that the kernel has to send, of which the monitor asks
//! who sent it, and reads `/proc/PID/status` to learn whether that is the process itself. Tuned (`exec=event`) spares
//! all of that, guesses nothing, and costs little more than `ptrace`: a question for the sender of each signal, as of
//! the SIGSTOP at each birth. Against `seccomp-notify`, the cheapest of the family, it buys to know of success; against
//! `ptrace` nothing. It is here to show the old manner.
//!
//! Sources: ptrace(2) ("execve(2) under ptrace", "Group-stop", "Attaching and detaching"), kernel/ptrace.c.

use super::{
    launched::{Launched, Manner},
    rendezvous::Visit,
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    procfs_lookup::Depth,
};

/// See the module.
#[derive(Debug)]
pub struct PtraceTraceme;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "lookup",
        help: "full: every field; path: executed file and arguments only; nothing: the exec alone",
        kind: Kind::Word(&["full", "path", "nothing"]),
        default: "full",
        tuned: "full",
    },
    Setting {
        name: "exec",
        help: "trap: an exec is a SIGTRAP; event: it is a PTRACE_EVENT_EXEC",
        kind: Kind::Word(&["trap", "event"]),
        default: "trap",
        tuned: "event",
    },
];

impl Backend for PtraceTraceme {
    fn name(&self) -> &'static str {
        "ptrace-traceme"
    }

    fn about(&self) -> &'static str {
        "traces in the old manner: a SIGTRAP after each exec, a SIGSTOP at each birth"
    }

    fn program(&self) -> &'static str {
        "ptrace"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ptrace,
            mechanism: "PTRACE_ATTACH of what is launched; the kernel sends it a SIGTRAP after each exec",
            needs: &[
                "CAP_SYS_PTRACE",
                "Yama scope below 3",
                "processes that nobody traces yet",
            ],
            since: Since {
                release: "3.8 (PTRACE_O_EXITKILL)",
                series: None,
            },
            loss_signals: &["none needed: each exec waits until it is answered"],
            reach: Reach::Descendants,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "launched processes, and what they start, are traced, and cannot be stopped by job control",
            "they are killed if their tracer is, which is a process beside the monitor",
        ]
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: false,
            loss: true,
        }
    }

    fn launch(&self, _: &Settings) -> Result<(), AttachError> {
        Visit::pay()?.wait()
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let (manner, said) = match settings.word("exec") {
            "event" => (
                Manner::Attached,
                "PTRACE_ATTACH with O_TRACEEXEC when somebody is launched",
            ),
            _ => (
                Manner::AttachedTrapped,
                "PTRACE_ATTACH without O_TRACEEXEC when somebody is launched",
            ),
        };
        let depth = Depth::from_word(settings.word("lookup"));
        Ok(Box::new(Launched::open(manner, depth, said.to_owned())?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
