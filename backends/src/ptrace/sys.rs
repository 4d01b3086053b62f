//! The calls. `nix` has most of them, but its `waitpid` answers EINVAL for a stop by a real-time
//! signal and has consumed the stop by then, which would leave that process stopped for good; and
//! it has no `PTRACE_LISTEN`. So signals stay plain numbers here.

use std::{io, ptr};

use nix::errno::Errno;

use super::call::Request;

/// So that the children of tracees are tracees.
const CHILDREN: libc::c_int =
    libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_TRACECLONE;

/// What a tracee reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It exited or was killed, and is no tracee any more.
    Ended,
    /// It called exec: its id is the process's by now, whichever thread called.
    Exec,
    /// It is at a call that a filter singled out.
    Call,
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
        libc::PTRACE_EVENT_SECCOMP => Event::Call,
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
    ptrace(
        libc::PTRACE_SEIZE,
        tid,
        (CHILDREN | libc::PTRACE_O_TRACEEXEC).into(),
    )
}

/// The same, and it stops at calls that a filter answers with `SECCOMP_RET_TRACE` (Linux 3.5).
pub fn seize_with_calls(tid: i32) -> nix::Result<()> {
    let options = CHILDREN | libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_TRACESECCOMP;
    ptrace(libc::PTRACE_SEIZE, tid, options.into())
}

/// Makes a thread a tracee as tracers did before `PTRACE_SEIZE`: it is sent a SIGSTOP, and waited for here.
/// Its children begin with one. `options` beside those for children. When the tracer ends, so do its tracees.
pub fn attach(tid: i32, options: libc::c_int) -> nix::Result<()> {
    ptrace(libc::PTRACE_ATTACH, tid, 0)?;
    let mut status = 0;
    // SAFETY: the status lives through the call.
    while unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) } < 0 {
        if Errno::last() != Errno::EINTR {
            return Err(Errno::last());
        }
    }
    if !libc::WIFSTOPPED(status) {
        return Err(Errno::ESRCH);
    }
    let options = CHILDREN | libc::PTRACE_O_EXITKILL | options;
    ptrace(libc::PTRACE_SETOPTIONS, tid, options.into())?;
    // Any other signal came first; ours is still to come, and looks like that of a new child.
    let signal = libc::WSTOPSIG(status);
    go_on(tid, if signal == libc::SIGSTOP { 0 } else { signal })
}

/// What an event has to say: of an exec, the id that the thread had before it.
pub fn message(tid: i32) -> nix::Result<i32> {
    let mut message: libc::c_ulong = 0;
    let into = &raw mut message;
    // SAFETY: the kernel writes one word, which outlives the call.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            tid,
            ptr::null_mut::<libc::c_void>(),
            into,
        )
    };
    Errno::result(result)?;
    i32::try_from(message).map_err(|_| Errno::ERANGE)
}

/// The call that a filter stopped a tracee at (Linux 5.3).
pub fn call(tid: i32) -> nix::Result<Request> {
    // SAFETY: numbers and unions of them, for which zero is a value.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let into = &raw mut info;
    // SAFETY: the kernel fills the structure, of which it is told the length, and which outlives the call.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            tid,
            size_of::<libc::ptrace_syscall_info>(),
            into,
        )
    };
    Errno::result(result)?;
    if info.op != libc::PTRACE_SYSCALL_INFO_SECCOMP {
        return Err(Errno::EINVAL);
    }
    // SAFETY: `op` says that this is the part that was filled.
    let seccomp = unsafe { info.u.seccomp };
    Ok(Request {
        arch: info.arch,
        number: u32::try_from(seccomp.nr).map_err(|_| Errno::ERANGE)?,
        arguments: seccomp.args,
    })
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// `si_code`: `SI_USER` where it was `kill`, or one of the kernel's that pretends to be.
    pub code: i32,
    /// In the receiver's PID namespace; 0 for the kernel, and for who has no number there.
    pub pid: i32,
}

/// Who sent the signal that is about to be delivered; EINVAL for a tracee stopped by job control.
pub fn sender(tid: i32) -> nix::Result<Sender> {
    // SAFETY: numbers and unions of them, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let into = &raw mut info;
    // SAFETY: the kernel fills the structure, which outlives the call.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETSIGINFO,
            tid,
            ptr::null_mut::<libc::c_void>(),
            into,
        )
    };
    Errno::result(result)?;
    Ok(Sender {
        code: info.si_code,
        // SAFETY: the kernel filled the whole union; for a code that has no sender this is another number.
        pid: unsafe { info.si_pid() },
    })
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
                stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP),
                Event::Call,
            ),
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
