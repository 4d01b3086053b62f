//! The calls. `nix` has most of them, but its `waitpid` answers EINVAL for a stop by a real-time
//! signal and has consumed the stop by then, which would leave that process stopped for good; and
//! it has no `PTRACE_LISTEN`. So signals stay plain numbers here.

use std::{io, ptr};

use nix::errno::Errno;

/// What a tracee reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It exited or was killed, and is no tracee any more.
    Ended,
    /// It called exec: its id is the process's by now, whichever thread called.
    Exec,
    /// It made a child, or another event that needs no more than going on.
    Passing,
    /// It was stopped by SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU, and has to stay so.
    GroupStop,
    /// This signal is about to be delivered.
    Signal(i32),
}

/// Reads a wait status as that of a process seized with our options.
pub fn classify(status: i32) -> Event {
    if !libc::WIFSTOPPED(status) {
        return Event::Ended;
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        0 => Event::Signal(signal),
        libc::PTRACE_EVENT_EXEC => Event::Exec,
        // Also the first stop of a child, the answer to PTRACE_INTERRUPT and the end of a group
        // stop: those come with SIGTRAP.
        libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Event::GroupStop,
        _ => Event::Passing,
    }
}

/// The next report of any tracee; `None` where there is none now and `block` is not set.
pub fn wait(block: bool) -> nix::Result<Option<(i32, i32)>> {
    let mut status = 0;
    let options = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    // SAFETY: the status lives through the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some((pid, status))),
        _ => Err(Errno::last()),
    }
}

fn ptrace(request: libc::c_uint, tid: i32, data: libc::c_long) -> nix::Result<()> {
    // SAFETY: none of the requests below reads or writes memory of ours: their `data` is a number.
    let result = unsafe { libc::ptrace(request, tid, ptr::null_mut::<libc::c_void>(), data) };
    Errno::result(result).map(drop)
}

/// Makes a thread a tracee without stopping it. Its children become tracees by themselves.
pub fn seize(tid: i32) -> nix::Result<()> {
    let options = libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE;
    ptrace(libc::PTRACE_SEIZE, tid, options.into())
}

/// Lets a stopped tracee go on, with a signal or 0.
pub fn go_on(tid: i32, signal: i32) -> nix::Result<()> {
    ptrace(libc::PTRACE_CONT, tid, signal.into())
}

/// Leaves a tracee in its group stop, and be told when that ends.
pub fn listen(tid: i32) -> nix::Result<()> {
    ptrace(libc::PTRACE_LISTEN, tid, 0)
}

/// Stops a running tracee.
pub fn interrupt(tid: i32) -> nix::Result<()> {
    ptrace(libc::PTRACE_INTERRUPT, tid, 0)
}

/// Lets a stopped tracee go, with a signal or 0.
pub fn detach(tid: i32, signal: i32) -> nix::Result<()> {
    ptrace(libc::PTRACE_DETACH, tid, signal.into())
}

/// No SIGCHLD when a tracee stops (waking the waiter is enough); and a SIGUSR1 that does nothing but
/// end a blocking wait. Both are this process's own and end with it.
pub fn prepare_signals() -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let quiet = SigAction::new(SigHandler::SigDfl, SaFlags::SA_NOCLDSTOP, SigSet::empty());
    // Without SA_RESTART, so that the wait returns.
    let wake = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the default action, and a handler that touches nothing.
    unsafe {
        sigaction(Signal::SIGCHLD, &quiet)?;
        sigaction(Signal::SIGUSR1, &wake)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stopped(signal: i32, event: i32) -> i32 {
        event << 16 | signal << 8 | 0x7f
    }

    #[test]
    fn every_kind_of_stop_is_told_apart() {
        let cases = [
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Event::Exec),
            (
                stopped(libc::SIGTRAP, libc::PTRACE_EVENT_FORK),
                Event::Passing,
            ),
            (
                stopped(libc::SIGTRAP, libc::PTRACE_EVENT_VFORK),
                Event::Passing,
            ),
            (
                stopped(libc::SIGTRAP, libc::PTRACE_EVENT_CLONE),
                Event::Passing,
            ),
            (
                stopped(libc::SIGTRAP, libc::PTRACE_EVENT_STOP),
                Event::Passing,
            ),
            (
                stopped(libc::SIGSTOP, libc::PTRACE_EVENT_STOP),
                Event::GroupStop,
            ),
            (
                stopped(libc::SIGTTOU, libc::PTRACE_EVENT_STOP),
                Event::GroupStop,
            ),
            (stopped(libc::SIGTRAP, 0), Event::Signal(libc::SIGTRAP)),
            (stopped(libc::SIGSTOP, 0), Event::Signal(libc::SIGSTOP)),
            (stopped(64, 0), Event::Signal(64)),
            (0x0900, Event::Ended),
            (libc::SIGKILL, Event::Ended),
        ];
        for (status, event) in cases {
            assert_eq!(classify(status), event, "{status:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_status_is_something(status in any::<i32>()) {
            let _ = classify(status);
        }
    }
}
