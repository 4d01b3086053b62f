//! A tracer as a process of its own, which can stay when the monitor ends.
//!
//! Only the process that traces can let a tracee go, and only while that is stopped; nobody else can take it over. What becomes
//! of tracees when their tracer ends is not always good: with `PTRACE_O_EXITKILL` they are killed, and under a filter that
//! answers `SECCOMP_RET_TRACE` each call fails that nobody traces. So the monitor forks: the child traces, and is told to stop when
//! the monitor is told, or has ended for whatever reason (`PR_SET_PDEATHSIG`). When all is reported the
//! monitor ends, and the child stays for as long as somebody needs it, holds open nothing that it was not made for, and reports nothing more.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::{set_name, set_pdeathsig},
        signal::{Signal, kill, raise},
        wait::waitpid,
    },
    unistd::{ForkResult, fork, getpid, getppid, pipe2, setsid},
};

use super::guardian::keep_only;
use crate::{MonitorError, Seam, Stop};

/// What the tracer found, and whether it has to stay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended before it was told to.
    pub failed: Option<String>,
    /// For people.
    pub notes: Vec<String>,
    /// Whether tracees are left that it still has to answer.
    pub stays: bool,
}

/// What the process does that traces.
pub trait Tracer {
    /// Traces until `stop`, and reports.
    fn trace(&mut self, seam: &mut Seam, stop: &Stop) -> Outcome;

    /// What it has to hold open for [`Self::guard`].
    fn needs(&self) -> BorrowedFd<'_>;

    /// Answers the tracees that are left, until there are none.
    fn guard(&mut self);
}

/// Runs a tracer in a process of its own until `stop`; its notes. This process must have one thread only.
pub fn run<T: Tracer>(
    tracer: &mut T,
    seam: &mut Seam,
    stop: &Stop,
) -> Result<Vec<String>, MonitorError> {
    // Or the child would write it too.
    seam.flush()?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(MonitorError::call("pipe2"))?;
    let monitor = getpid();
    // SAFETY: there is one thread, so the child may run any code.
    let forked = unsafe { fork() }.map_err(MonitorError::call("fork"))?;
    let ForkResult::Parent { child } = forked else {
        drop(reader);
        let _ = setsid();
        // The signal is one of those that `stop` waits for.
        let told = set_pdeathsig(Signal::SIGTERM);
        if told.is_err() || getppid() != monitor {
            let _ = raise(Signal::SIGTERM);
        }
        let outcome = tracer.trace(seam, stop);
        let _ = File::from(writer).write_all(&outcome.encode());
        if outcome.stays {
            // Whoever reads what the monitor prints waits for the last copy to close.
            keep_only(&mut [tracer.needs().as_raw_fd()]);
            let _ = set_name(c"execlab-guard");
            tracer.guard();
        }
        // SAFETY: ends this process at once; what the monitor does at its end is not for its copy.
        unsafe { libc::_exit(0) }
    };
    drop(writer);
    let mut fds = [
        PollFd::new(stop.fd(), PollFlags::POLLIN),
        PollFd::new(reader.as_fd(), PollFlags::POLLIN),
    ];
    while matches!(poll(&mut fds, PollTimeout::NONE), Err(Errno::EINTR)) {}
    // It is not reaped yet, so the number is its own.
    let _ = kill(child, Signal::SIGTERM);
    let mut said = Vec::new();
    File::from(reader)
        .read_to_end(&mut said)
        .map_err(MonitorError::call("read of what the tracer says"))?;
    let outcome = Outcome::decode(&said);
    if !outcome.stays {
        while matches!(waitpid(child, None), Err(Errno::EINTR)) {}
    }
    match outcome.failed {
        None => Ok(outcome.notes),
        Some(why) => Err(MonitorError::call("tracing")(io::Error::other(why))),
    }
}

impl Outcome {
    const STAYS: u8 = b's';
    const ENDS: u8 = b'e';
    const FAILED: &str = "failed: ";

    /// A byte for what it does next, then a line for each fact.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![if self.stays { Self::STAYS } else { Self::ENDS }];
        let failed = self.failed.iter();
        let failed = failed.map(|why| format!("{}{why}", Self::FAILED));
        for line in failed.chain(self.notes.iter().cloned()) {
            out.extend_from_slice(line.replace('\n', " ").as_bytes());
            out.push(b'\n');
        }
        out
    }

    fn decode(said: &[u8]) -> Self {
        let Some((first, lines)) = said.split_first() else {
            return Self {
                failed: Some("the tracer ended without a word".into()),
                ..Self::default()
            };
        };
        let mut out = Self {
            stays: *first == Self::STAYS,
            ..Self::default()
        };
        for line in String::from_utf8_lossy(lines).lines() {
            match line.strip_prefix(Self::FAILED) {
                Some(why) => out.failed = Some(why.to_owned()),
                None => out.notes.push(line.to_owned()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_arrives_as_it_was_and_none_is_a_failure() {
        for (failed, stays) in [(None, true), (Some("waitpid failed: EIO".into()), false)] {
            let outcome = Outcome {
                failed,
                notes: vec!["3 execs".into(), "1 call".into()],
                stays,
            };
            assert_eq!(Outcome::decode(&outcome.encode()), outcome);
        }
        assert!(Outcome::decode(b"").failed.is_some());
    }
}
