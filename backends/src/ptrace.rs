//! `ptrace`: every process is traced, and each exec stops until it is written down.
//!
//! Every thread of every process is seized (`PTRACE_SEIZE`, Linux 3.4) with `PTRACE_O_TRACEEXEC` and the options that
//! make children tracees from their birth. After an exec the kernel stops the process before the new program runs its
//! first instruction (`ptrace_event` in `exec_binprm`, fs/exec.c): whatever `/proc/PID` says then is of that image and
//! no other. There is no queue, so nothing can be lost; the storm waits instead.
//!
//! The loop is one blocking `waitpid`. With `SA_NOCLDSTOP` a stop raises no signal here, it just
//! wakes the waiter, so a stop costs a wait, the lookup and a `PTRACE_CONT`, with no `poll` and
//! no signal descriptor in between; a second thread, which sleeps all the time, watches for the
//! monitor's stop and ends the wait by a signal. The loop keeps no list of tracees.
//!
//! Signals on their way to a tracee are passed on as the numbers that they are, real-time ones
//! included; a tracee stopped by job control is left so (`PTRACE_LISTEN`). A tracee that is killed
//! while it is stopped answers ESRCH to everything, which is no error. A parent in `vfork` is stopped
//! before it begins to wait for its child, so it never holds up the child. `PTRACE_O_EXITKILL` is
//! not set: when the monitor is killed the kernel lets all tracees go on.
//!
//! Detaching: every tracee is interrupted and let go at its next stop; what cannot stop (a parent in
//! `vfork`, a thread deep in the kernel) is let go by the kernel when the monitor ends, a quarter of
//! a second later at most.
//!
//! A machine that has other things to do than a trial names a cgroup in `EXECLAB_SCOPE`: only what is in
//! it and below is seized then (the lab `host` does so).
//!
//! Needs: root (`CAP_SYS_PTRACE`), Yama's `ptrace_scope` below 3; no other tracer on the same process.
//!
//! What it cannot see: programs that the kernel starts itself (helpers: their parent is a kernel
//! thread); processes traced by others, and their children; failed execs; what the monitor's own
//! ancestors fork after it attached (`ancestors=leave`, because the runner of a trial waits for the
//! monitor and must not wait for itself). The time of the exec: there is no kernel time in a stop.
//! What could not be seized is told as a loss of unknown size.
//!
//! # Cost
//!
//! For each child that is forked and calls exec there are three stops (the parent at its fork, the child at its birth
//! and at its exec), one wait for its end, one more stop of a parent that does not block SIGCHLD, and a lookup in
//! `/proc`, which always comes in time. Against `seccomp-notify`, the cheapest of the family, the stops at forks and
//! births are paid for. They buy the whole system in the place of what was launched, and that only execs that succeeded
//! are told. Default and tuned are the same settings, and cost the same.

use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
};
use execlab_model::{
    seam::SCOPE,
    sighting::{LossReport, LossUnit, Sighting},
};

mod apart;
mod attach;
mod call;
mod follow;
mod guardian;
mod launched;
mod listener;
#[cfg(feature = "look")]
mod look;
pub mod notify;
mod reader;
mod rendezvous;
mod resolve;
pub mod seccomp_trace;
mod sys;
pub mod traceme;
mod walker;

use attach::Attached;
use follow::Tracing;
use sys::Event;

/// See the module.
#[derive(Debug)]
pub struct Ptrace;

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
        name: "ancestors",
        help: "leave: do not trace the processes that the monitor descends from; seize: trace them",
        kind: Kind::Word(&["leave", "seize"]),
        default: "leave",
        tuned: "leave",
    },
];

impl Backend for Ptrace {
    fn name(&self) -> &'static str {
        "ptrace"
    }

    fn about(&self) -> &'static str {
        "traces every process and stops it at each exec"
    }

    fn program(&self) -> &'static str {
        "ptrace"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ptrace,
            mechanism: "PTRACE_SEIZE on every process; each stops at PTRACE_EVENT_EXEC",
            needs: &[
                "CAP_SYS_PTRACE",
                "Yama scope below 3",
                "processes that nobody traces yet",
            ],
            since: Since {
                release: "3.4 (PTRACE_SEIZE)",
                series: None,
            },
            loss_signals: &["processes that could not be seized"],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
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

    fn changes(&self) -> &'static [&'static str] {
        &["the storm's processes are traced, and no others"]
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let proc = Procfs::open().map_err(AttachError::call("open /proc"))?;
        sys::prepare_signals().map_err(AttachError::call("sigaction SIGCHLD, SIGUSR1"))?;
        let attached_ns = monotonic_ns();
        let scope = std::env::var_os(SCOPE);
        let leave = settings.word("ancestors") == "leave";
        let attached = attach::seize_everything(leave, scope.as_deref())
            .map_err(|error| AttachError::call("listing /proc")(std::io::Error::other(error)))?;
        if attached.seized.is_empty() && !attached.refused.is_empty() {
            return Err(AttachError::Unsupported(format!(
                "nothing could be seized: {}",
                attached.evidence().join("; ")
            )));
        }
        Ok(Box::new(Tracer {
            proc,
            depth: Depth::from_word(settings.word("lookup")),
            attached,
            attached_ns,
            stops: 0,
            execs: 0,
            unread: 0,
            left: false,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        look::look(roots)
    }
}

#[derive(Debug)]
struct Tracer {
    proc: Procfs,
    depth: Depth,
    attached: Attached,
    attached_ns: u64,
    stops: u64,
    execs: u64,
    /// Killed while they were stopped at their exec.
    unread: u64,
    /// Whether tracees were left to the kernel at the end.
    left: bool,
}

impl Tracing for Tracer {
    fn interpret(&mut self, _: i32, status: i32) -> Event {
        self.stops += 1;
        sys::classify(status)
    }

    fn sight(&mut self, tid: i32, seam: &mut Seam) -> Result<(), MonitorError> {
        self.execs += 1;
        let pid = tid.cast_unsigned();
        let mut sighting = Sighting {
            pid: Some(pid),
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        if self.depth != Depth::Nothing {
            let process = self.proc.process(pid);
            if let Some(process) = &process {
                process.perishable(&mut self.proc, self.depth, &mut sighting);
                process.lasting(&mut self.proc, self.depth, &mut sighting);
            }
            self.unread += u64::from(sighting.path.is_none());
        }
        Ok(seam.sighting(sighting)?)
    }

    fn stop_all(&mut self) {
        // What could not be listed is let go by the kernel.
        let _ = attach::interrupt_everything();
    }
}

impl Monitor for Tracer {
    fn evidence(&self) -> Vec<String> {
        self.attached.evidence()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        if !self.attached.refused.is_empty() {
            seam.loss(LossReport {
                source: format!(
                    "PTRACE_SEIZE refused by {} threads",
                    self.attached.refused.len()
                ),
                unit: LossUnit::Unknown,
                count: None,
                window_ns: (self.attached_ns, monotonic_ns()),
            })?;
            seam.flush()?;
        }
        self.left = follow::run(self, seam, stop, None)?;
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{} execs in {} reports of tracees",
            self.execs, self.stops
        )];
        if self.unread > 0 {
            notes.push(format!(
                "{} executed files could not be read: the process was killed at its exec, or the \
                 path is longer than 4095 bytes",
                self.unread
            ));
        }
        if self.left {
            notes.push("some tracees could not be stopped to be let go; the kernel does it".into());
        }
        notes
    }
}
