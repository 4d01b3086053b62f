//! `ptrace`: every process is traced, and each exec stops until it is written down.
//!
//! Every thread of every process is seized (`PTRACE_SEIZE`, Linux 3.4) with `PTRACE_O_TRACEEXEC` and
//! the options that make children tracees from their birth. After an exec the kernel stops the process
//! before the new program runs its first instruction (`ptrace_event` in `exec_binprm`, fs/exec.c):
//! whatever `/proc/PID` says then is of that image and no other. There is no queue, so nothing
//! can be lost; the storm waits instead. That is the price: for each child that is forked and calls
//! exec there are three stops (the parent at its fork, the child at its birth and at its exec), one
//! wait for its end, and one more stop of a parent that does not block SIGCHLD.
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

use std::{
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use execlab_model::{
    seam::SCOPE,
    sighting::{LossReport, LossUnit, Sighting},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::EventFd,
};

use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
};

mod attach;
#[cfg(feature = "look")]
mod look;
mod sys;

use attach::Attached;
use sys::Event;

/// How long detaching may take before the rest is left to the kernel.
const FAREWELL: Duration = Duration::from_millis(250);

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
            left: None,
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
    left: Option<bool>,
}

impl Tracer {
    /// Waits for reports and answers them until `done`.
    fn follow(&mut self, seam: &mut Seam, done: &AtomicBool) -> Result<(), MonitorError> {
        let mut unflushed = false;
        while !done.load(Ordering::SeqCst) {
            // Where something is to be flushed, first look whether there is more.
            match sys::wait(!unflushed) {
                Ok(Some((tid, status))) => {
                    let event = sys::classify(status);
                    if event == Event::Exec {
                        self.sight(tid, seam)?;
                        unflushed = true;
                    }
                    self.answer(tid, event);
                }
                Ok(None) => {
                    seam.flush()?;
                    unflushed = false;
                }
                Err(Errno::EINTR) => {}
                // No tracee is left, and nobody can become one.
                Err(Errno::ECHILD) => break,
                Err(error) => return Err(MonitorError::call("waitpid(-1, __WALL)")(error)),
            }
        }
        Ok(seam.flush()?)
    }

    fn answer(&mut self, tid: i32, event: Event) {
        self.stops += 1;
        // ESRCH: it was killed while it was stopped.
        let _ = match event {
            Event::Ended => Ok(()),
            Event::Exec | Event::Passing => sys::go_on(tid, 0),
            Event::GroupStop => sys::listen(tid),
            Event::Signal(signal) => sys::go_on(tid, signal),
        };
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

    /// Lets every tracee go. Execs that happen until then are reported.
    fn detach(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let deadline = Instant::now() + FAREWELL;
        // What could not be listed is let go by the kernel.
        let _ = attach::interrupt_everything();
        self.left = Some(true);
        while Instant::now() < deadline {
            match sys::wait(false) {
                Ok(Some((tid, status))) => {
                    let event = sys::classify(status);
                    let signal = match event {
                        Event::Ended => continue,
                        Event::Exec => {
                            self.sight(tid, seam)?;
                            0
                        }
                        Event::Signal(signal) => signal,
                        Event::Passing | Event::GroupStop => 0,
                    };
                    let _ = sys::detach(tid, signal);
                }
                Ok(None) => std::thread::sleep(Duration::from_micros(200)),
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.left = Some(false);
                    break;
                }
            }
        }
        Ok(seam.flush()?)
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
        let done = AtomicBool::new(false);
        let noticed = EventFd::new().map_err(MonitorError::call("eventfd"))?;
        // SAFETY: a call without arguments.
        let tracer = unsafe { libc::pthread_self() };
        let followed = std::thread::scope(|scope| {
            scope.spawn(|| watch_for_stop(stop, tracer, &done, &noticed));
            let followed = self.follow(seam, &done);
            if followed.is_ok() {
                // Without tracees there is nothing to do but wait for the stop.
                while !done.load(Ordering::SeqCst) {
                    stop.wait(Duration::from_mins(1));
                }
            }
            noticed
                .write(1)
                .expect("the counter of an eventfd is far from full");
            followed
        });
        // Tracees that are never answered would stay stopped until this process ends.
        let detached = self.detach(seam);
        followed.and(detached)
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
        if self.left == Some(true) {
            notes.push("some tracees could not be stopped to be let go; the kernel does it".into());
        }
        notes
    }
}

/// Sleeps until the stop is raised, then ends the tracer's wait, again and again until it noticed:
/// a signal that comes just before the wait begins would not end it.
fn watch_for_stop(stop: &Stop, tracer: libc::pthread_t, done: &AtomicBool, noticed: &EventFd) {
    let mut fds = [
        PollFd::new(noticed.as_fd(), PollFlags::POLLIN),
        PollFd::new(stop.fd(), PollFlags::POLLIN),
    ];
    while matches!(poll(&mut fds, PollTimeout::NONE), Err(Errno::EINTR)) {}
    done.store(true, Ordering::SeqCst);
    while matches!(poll(&mut fds[..1], 2u8), Ok(0) | Err(Errno::EINTR)) {
        // SAFETY: the tracer's thread waits for this one to end before it ends itself.
        unsafe { libc::pthread_kill(tracer, libc::SIGUSR1) };
    }
}
