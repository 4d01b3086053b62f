//! `seccomp-notify`: each call of exec waits at its entry until the monitor has looked at it.
//!
//! [`Backend::launch`] puts a seccomp filter on the process that is to be watched, which singles out the six calls of exec
//! (`execve` and `execveat` of x86-64, i386 and x32) with `SECCOMP_RET_USER_NOTIF` (Linux 5.0), and hands the filter's
//! listener to the monitor over a socket. All that this process starts inherits the filter. A call that is singled out waits
//! (`seccomp_do_user_notification`, kernel/seccomp.c); the monitor is told thread, architecture, number and
//! registers, reads path and arguments from the thread's memory, resolves the path from the thread's directory and root, looks
//! its process up in `/proc`, asks whether the call still waits (`SECCOMP_IOCTL_NOTIF_ID_VALID`: else the thread's number may be
//! another's), and answers `SECCOMP_USER_NOTIF_FLAG_CONTINUE` (Linux 5.5). There is no queue, so nothing can be lost.
//!
//! While the call waits nothing is asked of the executed file, only its name is looked for; a filesystem that is served by a process
//! (FUSE) may make that take long, and wait for us. It gets a second, once (`walker`); then calls go on, and their path
//! is the one that was given. Which file it is, is told after the answer from what the kernel knows by then.
//!
//! What can still wait for ever is a server that runs under the filter itself and executes something before it answers: one thread does
//! all, so it waits for us, and we for it. With `report=feasible` the filesystem is asked whether it is mounted `noexec`
//! (fstatvfs(3), a request to a FUSE server), after the answer and before the next call is taken. And path and arguments may
//! lie in a page that is not in memory, of a file on FUSE or of `userfaultfd(2)`: `process_vm_readv(2)` waits for it.
//!
//! After the stop calls are reported for a quarter of a second at most; then the guardian lets them pass.
//!
//! With `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (Linux 5.19) a signal does not interrupt a call that the monitor has in hands;
//! before, an interrupted call is made again, and only the one that goes on is reported.
//!
//! It sees the call and not what becomes of it: an exec that fails is reported too. Nothing tells the monitor of success. What an
//! expert can do is to look whether there is such a file and whether it may be executed (`report=feasible`), which
//! leaves most failures out, and is a guess: the kernel looks again later. Looking at `/proc/PID/exe` after the answer is a race
//! with the end of the program, and shows nothing for a program that executes itself. What asks only (`AT_EXECVE_CHECK`) is known
//! by its flag and never reported. A script is reported as such: which interpreter runs it is found later.
//!
//! What it cannot see: processes that were not launched under it, programs that the kernel starts itself. What it can be
//! made to believe: another thread of the caller, or its parent in `vfork`, may change path and arguments after
//! they were read (`seccomp_unotify(2)`, "Caveats").
//!
//! The filter outlives the monitor. Where nobody holds the listener any more each exec fails with ENOSYS, so a process is left behind
//! that lets them pass until the last watched process is gone (`guardian`).
//!
//! Needs: `CAP_SYS_ADMIN` in the launched process (`no_new_privs` would do, and would switch set-user-ID programs off for it), and
//! no other listener on it: a second one is refused with EBUSY. `CAP_SYS_PTRACE` in the monitor, to read the memory of others.
//!
//! # Cost
//!
//! The cheapest of the family: the process waits once for each call, and neither at its birth nor at its end; most of
//! it is the reading in `/proc` and in the caller's memory. It is paid with attempts in the place of execs, of its own
//! process tree; and the filter runs at each system call of the watched. Tuned costs about the same: it asks once more
//! for each file, and leaves most calls out that fail.
//!
//! Sources: seccomp(2), `seccomp_unotify(2)`, kernel/seccomp.c.

use std::{
    os::fd::{AsFd, FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    guardian::Guardian,
    listener::{self, Listener},
    reader::Reader,
    rendezvous::{Meeting, Visit},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop,
    procfs_lookup::{Depth, Procfs},
    seccomp_filter,
};

/// See the module.
#[derive(Debug)]
pub struct SeccompNotify;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "lookup",
        help: "full: every field; path: resolved path and arguments only; nothing: the call alone",
        kind: Kind::Word(&["full", "path", "nothing"]),
        default: "full",
        tuned: "full",
    },
    Setting {
        name: "report",
        help: "attempts: every call; feasible: leave out those whose file is not there or may not be executed",
        kind: Kind::Word(&["attempts", "feasible"]),
        default: "attempts",
        tuned: "feasible",
    },
];

/// So long calls are reported after the stop: a storm makes new ones all the time.
const FAREWELL: Duration = Duration::from_millis(250);

/// What the launched process says of its filter beside the listener.
const KILLABLE: u8 = b'k';
const INTERRUPTIBLE: u8 = b'i';

impl Backend for SeccompNotify {
    fn name(&self) -> &'static str {
        "seccomp-notify"
    }

    fn about(&self) -> &'static str {
        "makes each call of exec wait until the monitor has looked at it"
    }

    fn program(&self) -> &'static str {
        "ptrace"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ptrace,
            mechanism: "a seccomp filter makes each exec wait at its entry for an answer from user space",
            needs: &[
                "CAP_SYS_ADMIN in the launched process",
                "CAP_SYS_PTRACE",
                "no other seccomp listener",
            ],
            since: Since {
                release: "5.5 (SECCOMP_USER_NOTIF_FLAG_CONTINUE)",
                series: None,
            },
            loss_signals: &["none needed: each call waits until it is answered"],
            reach: Reach::Descendants,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "launched processes, and what they start, keep a seccomp filter for good",
            "a small process answers it when the monitor has ended, until the last of them is gone",
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
        let visit = Visit::pay()?;
        let listen = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let killable = listen | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        let install = |flags| seccomp_filter::install(libc::SECCOMP_RET_USER_NOTIF, flags);
        let (fd, word) = match install(killable) {
            // Kernels before 5.19 do not know the flag.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                (install(listen), INTERRUPTIBLE)
            }
            answer => (answer, KILLABLE),
        };
        let fd = fd.map_err(AttachError::call("seccomp(SET_MODE_FILTER, NEW_LISTENER)"))?;
        // SAFETY: the kernel opened it for us right now. It closes itself at the exec.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        visit.hand(fd.as_fd(), word)?;
        visit.wait()
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        seccomp_filter::available(libc::SECCOMP_RET_USER_NOTIF)
            .map_err(unsupported("SECCOMP_GET_ACTION_AVAIL of USER_NOTIF"))?;
        let sizes = listener::sizes().map_err(unsupported("SECCOMP_GET_NOTIF_SIZES"))?;
        let said = format!(
            "the kernel has SECCOMP_RET_USER_NOTIF, with structures of {} and {} bytes",
            sizes.seccomp_notif, sizes.seccomp_notif_resp
        );
        if !listener::fits(sizes) {
            return Err(AttachError::Unsupported(format!("{said}: too large")));
        }
        let meeting = Meeting::open()?;
        let proc = Procfs::open().map_err(AttachError::call("open /proc"))?;
        let depth = Depth::from_word(settings.word("lookup"));
        let feasible_only = settings.word("report") == "feasible";
        Ok(Box::new(Supervisor {
            evidence: vec![said, meeting.evidence()],
            meeting,
            watched: Vec::new(),
            reader: Reader::new(proc, depth, feasible_only),
            interruptible: false,
            gone: 0,
            unended: false,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::seccomp(roots, "user_notif")
    }
}

/// For `map_err`: what this kernel refuses.
fn unsupported(call: &'static str) -> impl FnOnce(std::io::Error) -> AttachError {
    move |error| AttachError::Unsupported(format!("{call}: {error}"))
}

#[derive(Debug)]
struct Supervisor {
    evidence: Vec<String>,
    meeting: Meeting,
    watched: Vec<Watched>,
    reader: Reader,
    /// Whether a signal can make a call come twice.
    interruptible: bool,
    /// Calls that waited no more when they were to be answered.
    gone: u64,
    /// Calls still came when the time after the stop was over.
    unended: bool,
}

/// A launched process and its children.
#[derive(Debug)]
struct Watched {
    listener: Listener,
    /// Woken when this monitor ends.
    guardian: Guardian,
}

impl Supervisor {
    /// Takes over who waits to be let go on. That one could not be is its own trouble: its launch fails.
    fn welcome(&mut self) -> Result<(), MonitorError> {
        let next = self.meeting.next();
        let Some(guest) = next.map_err(MonitorError::call("accept"))? else {
            return Ok(());
        };
        let Ok((fd, word)) = guest.take() else {
            return Ok(());
        };
        self.interruptible |= word == INTERRUPTIBLE;
        let listener = Listener::new(fd);
        let guardian = Guardian::start(&listener).map_err(MonitorError::call("fork"))?;
        self.watched.push(Watched { listener, guardian });
        let _ = guest.go_on();
        Ok(())
    }

    /// Looks at one call, lets it pass, and reports it.
    fn serve(&mut self, which: usize, seam: &mut Seam) -> Result<(), MonitorError> {
        let listener = &self.watched[which].listener;
        let failed = |what: &'static str| MonitorError::call::<Errno>(what);
        let waiting = match listener.receive() {
            Ok(Some(waiting)) => waiting,
            Ok(None) => return Ok(()),
            Err(error) => return Err(failed("ioctl(SECCOMP_IOCTL_NOTIF_RECV)")(error)),
        };
        self.watched[which].guardian.note(waiting.id);
        let read = self.reader.read(waiting.tid, &waiting.request);
        let valid = listener.is_valid(&waiting);
        let passed = listener.pass(&waiting);
        if !passed.map_err(failed("ioctl(SECCOMP_IOCTL_NOTIF_SEND)"))? || !valid {
            self.gone += 1;
            return Ok(());
        }
        if let Some(sighting) = read.and_then(|read| self.reader.finish(read)) {
            seam.sighting(sighting)?;
        }
        Ok(())
    }
}

impl Monitor for Supervisor {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let mut deadline = None;
        loop {
            let mut fds = vec![
                PollFd::new(stop.fd(), PollFlags::POLLIN),
                PollFd::new(self.meeting.as_fd(), PollFlags::POLLIN),
            ];
            let listeners = self.watched.iter();
            fds.extend(listeners.map(|w| PollFd::new(w.listener.as_fd(), PollFlags::POLLIN)));
            let time = if deadline.is_some() {
                PollTimeout::ZERO
            } else {
                seam.flush()?;
                PollTimeout::NONE
            };
            match poll(&mut fds, time) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            let events: Vec<_> = fds
                .iter()
                .map(|fd| fd.revents().unwrap_or(PollFlags::empty()))
                .collect();
            let waits = |events: &PollFlags| events.contains(PollFlags::POLLIN);
            let calls: Vec<_> = (0..self.watched.len())
                .filter(|at| waits(&events[at + 2]))
                .collect();
            // One may wait a second, so the time is looked at in between. The guardian lets the rest pass.
            let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            for at in &calls {
                if is_over() {
                    break;
                }
                self.serve(*at, seam)?;
            }
            if waits(&events[1]) {
                self.welcome()?;
            }
            // The last process under the filter is gone.
            let mut ended = events[2..]
                .iter()
                .map(|events| events.contains(PollFlags::POLLHUP) && !waits(events))
                .chain(std::iter::repeat(false));
            self.watched.retain(|_| !ended.next().unwrap_or(false));
            if deadline.is_some() && (calls.is_empty() || is_over()) {
                self.unended = !calls.is_empty();
                return Ok(seam.flush()?);
            }
            if deadline.is_none() && waits(&events[0]) {
                deadline = Some(Instant::now() + FAREWELL);
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.reader.notes();
        if self.interruptible {
            notes.push(
                "this kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: a signal interrupts a call that waits"
                    .into(),
            );
        }
        if self.unended {
            notes.push(
                "calls still came when the time after the stop was over, and passed unseen".into(),
            );
        }
        if self.gone > 0 {
            notes.push(format!(
                "{} calls waited no more when they were to go on, and were not made",
                self.gone
            ));
        }
        notes
    }
}
