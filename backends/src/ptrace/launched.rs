//! The tracer of processes that were launched for it, in either of two manners; the rows
//! [`seccomp_trace`](super::seccomp_trace) and [`traceme`](super::traceme) say what they are.

use std::{
    collections::HashMap,
    os::fd::{AsFd, BorrowedFd},
};

use execlab_model::{Bytes, sighting::Sighting};
use nix::errno::Errno;

use super::{
    apart, attach,
    call::Memory,
    follow::{self, AtEnd, Tracing},
    rendezvous::Meeting,
    sys::{self, Event},
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
};

/// How tracees are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Seized, and stopped at the calls that a filter singles out.
    Filtered,
    /// Attached, and stopped at `PTRACE_EVENT_EXEC`.
    Attached,
    /// Attached, and stopped by the SIGTRAP that the kernel sends after an exec.
    AttachedTrapped,
}

/// See the module.
#[derive(Debug)]
pub struct Launched {
    evidence: Vec<String>,
    /// Until the end.
    meeting: Option<Meeting>,
    proc: Procfs,
    depth: Depth,
    manner: Manner,
    memory: Memory,
    /// What was passed to the call, by the thread that is in it.
    given: HashMap<i32, Bytes>,
    reports: u64,
    calls: u64,
    execs: u64,
    /// Killed while they were stopped at their exec.
    unread: u64,
    /// Who sends the SIGSTOP that is the last: this process, in the end.
    farewell: i32,
    /// What the process that traced had to say.
    notes: Vec<String>,
}

impl Launched {
    /// Waits for processes to trace.
    pub fn open(manner: Manner, depth: Depth, said: String) -> Result<Self, AttachError> {
        sys::prepare_signals().map_err(AttachError::call("sigaction SIGCHLD, SIGUSR1"))?;
        let meeting = Meeting::open()?;
        Ok(Self {
            evidence: vec![said, meeting.evidence()],
            meeting: Some(meeting),
            proc: Procfs::open().map_err(AttachError::call("open /proc"))?,
            depth,
            manner,
            memory: Memory::default(),
            given: HashMap::new(),
            reports: 0,
            calls: 0,
            execs: 0,
            unread: 0,
            farewell: 0,
            notes: Vec::new(),
        })
    }

    /// What a report of a tracee that was attached in the old way means. There, a stop of job control, the first stop of a
    /// child and a signal look alike; who sent the signal tells them apart.
    fn interpret_signal(&mut self, tid: i32, signal: i32) -> Event {
        match (signal, sys::sender(tid)) {
            // A stop of job control, which this kind of tracee cannot be left in (ptrace(2), "Group-stop").
            (_, Err(Errno::EINVAL)) => Event::Passing,
            // Queued without a sender (`ptrace_init_task`, include/linux/ptrace.h), or by ourselves to let it go.
            (libc::SIGSTOP, Ok(sender)) if sender.pid == 0 || sender.pid == self.farewell => {
                Event::Passing
            }
            (libc::SIGTRAP, Ok(sender))
                if self.manner == Manner::AttachedTrapped
                    && sender.code == libc::SI_USER
                    && self.is_self(tid, sender.pid) =>
            {
                Event::Exec
            }
            _ => Event::Signal(signal),
        }
    }

    /// Whether `sender` is what the process calls itself.
    fn is_self(&mut self, tid: i32, sender: i32) -> bool {
        let process = self.proc.process(tid.cast_unsigned());
        let status = process.and_then(|process| process.status(&mut self.proc));
        status.and_then(|status| status.ns_pid) == Some(sender.cast_unsigned())
    }
}

impl Tracing for Launched {
    fn interpret(&mut self, tid: i32, status: i32) -> Event {
        self.reports += 1;
        match sys::classify(status) {
            Event::Signal(signal) if self.manner != Manner::Filtered => {
                self.interpret_signal(tid, signal)
            }
            Event::Ended => {
                self.given.remove(&tid);
                Event::Ended
            }
            event => event,
        }
    }

    fn called(&mut self, tid: i32) {
        self.calls += 1;
        if self.depth == Depth::Nothing {
            return;
        }
        let exec = sys::call(tid).ok().and_then(|request| request.exec());
        let given = exec.and_then(|exec| {
            self.memory.turn_to(tid);
            self.memory.path(&exec)
        });
        match given {
            Some(given) => self.given.insert(tid, given),
            None => self.given.remove(&tid),
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
        if self.manner == Manner::Filtered {
            // The call was another thread's where that was not the first of its process.
            let caller = sys::message(tid).unwrap_or(tid);
            sighting.given = self.given.remove(&caller);
        }
        if self.depth != Depth::Nothing {
            if let Some(process) = self.proc.process(pid) {
                process.perishable(&mut self.proc, self.depth, &mut sighting);
                process.lasting(&mut self.proc, self.depth, &mut sighting);
            }
            self.unread += u64::from(sighting.path.is_none());
        }
        Ok(seam.sighting(sighting)?)
    }

    fn welcome(&mut self) -> Result<(), MonitorError> {
        let Some(meeting) = &self.meeting else {
            return Ok(());
        };
        let next = meeting.next();
        let Some(guest) = next.map_err(MonitorError::call("accept"))? else {
            return Ok(());
        };
        let attached = match self.manner {
            Manner::Filtered => sys::seize_with_calls(guest.pid),
            Manner::Attached => sys::attach(guest.pid, libc::PTRACE_O_TRACEEXEC),
            Manner::AttachedTrapped => sys::attach(guest.pid, 0),
        };
        // Where it cannot be traced its launch fails, because nobody lets it go on.
        if attached.is_ok() {
            let _ = guest.go_on();
        }
        Ok(())
    }

    fn at_end(&self) -> AtEnd {
        match self.manner {
            // Their calls of exec fail where nobody traces them.
            Manner::Filtered => AtEnd::Keep,
            Manner::Attached | Manner::AttachedTrapped => AtEnd::LetGo,
        }
    }

    fn stop_all(&mut self) {
        self.farewell = std::process::id().cast_signed();
        // What could not be listed is let go when it stops.
        let _ = attach::signal_tracees(libc::SIGSTOP);
    }

    /// With our SIGSTOP still to come it would stop for good.
    fn may_go(&mut self, tid: i32) -> bool {
        !attach::awaits(tid, libc::SIGSTOP)
    }
}

impl apart::Tracer for Launched {
    fn trace(&mut self, seam: &mut Seam, stop: &Stop) -> apart::Outcome {
        // The tracer answers the door while the other thread watches it.
        let door = self.meeting.as_ref().map(|meeting| {
            let door = meeting.as_fd().try_clone_to_owned();
            door.map_err(MonitorError::call("fcntl(F_DUPFD_CLOEXEC)"))
        });
        let traced = door.transpose().and_then(|door| {
            let door = door.as_ref().map(AsFd::as_fd);
            follow::run(self, seam, stop, door)
        });
        // Who comes now comes too late, and is to know.
        self.meeting = None;
        let stays = !matches!(traced, Ok(false));
        apart::Outcome {
            failed: traced.err().map(|error| error.to_string()),
            notes: self.tell(stays),
            stays,
        }
    }

    fn needs(&self) -> BorrowedFd<'_> {
        self.proc.fd()
    }

    fn guard(&mut self) {
        follow::guard(self);
    }
}

impl Launched {
    fn tell(&self, stays: bool) -> Vec<String> {
        let mut notes = vec![format!(
            "{} execs in {} reports of tracees",
            self.execs, self.reports
        )];
        if self.manner == Manner::Filtered {
            notes.push(format!("{} calls of exec", self.calls));
        }
        if self.unread > 0 {
            notes.push(format!(
                "{} executed files could not be read: the process was killed at its exec, or the path is longer \
                 than 4095 bytes",
                self.unread
            ));
        }
        if stays && self.manner != Manner::Filtered {
            notes.push(
                "some tracees could not be stopped to be let go; their tracer stays until they can be"
                    .into(),
            );
        }
        notes
    }
}

impl Monitor for Launched {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        self.notes = apart::run(self, seam, stop)?;
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
