//! Who answers when the monitor no longer can.
//!
//! A filter cannot be taken off, and where nobody holds its listener any more each call that it singles out fails with
//! ENOSYS (`seccomp_do_user_notification`, kernel/seccomp.c): the watched processes could never execute anything again. So
//! each listener is shared with a process that sleeps until the monitor has ended, for whatever reason, and then lets
//! every call pass until the last process under the filter is gone.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{ForkResult, fork, pipe2},
};

use super::listener::Listener;

/// The monitor's end of the pipe: its closing wakes the guardian.
#[derive(Debug)]
pub struct Guardian(#[expect(dead_code, reason = "held to be closed")] OwnedFd);

impl Guardian {
    /// Starts one for a listener. This process must have one thread only.
    pub fn start(listener: &Listener) -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        // SAFETY: there is one thread, so the child may run any code.
        match unsafe { fork() }? {
            ForkResult::Parent { .. } => Ok(Self(writer)),
            ForkResult::Child => {
                drop(writer);
                guard(&reader, listener)
            }
        }
    }
}

/// Never returns: it is another process by now.
fn guard(monitor: &OwnedFd, listener: &Listener) -> ! {
    keep_only(&mut [monitor.as_raw_fd(), listener.as_fd().as_raw_fd()]);
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_name(c"execlab-guard");
    let mut end = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    while poll(&mut end, PollTimeout::NONE).is_err() {}
    // Until the last process under the filter is gone, or the kernel answers no more.
    while let Ok(true) = listener.pass_next() {}
    // SAFETY: ends this process at once; what the monitor would do at its end is not for its copy.
    unsafe { libc::_exit(0) }
}

/// Closes everything else: whoever reads what the monitor prints waits for the last copy to close.
pub fn keep_only(kept: &mut [i32]) {
    kept.sort_unstable();
    let mut from = 0;
    for fd in kept.iter().map(|fd| fd.cast_unsigned()) {
        if from < fd {
            close(from, fd - 1);
        }
        from = fd + 1;
    }
    close(from, u32::MAX);
}

fn close(first: u32, last: u32) {
    // SAFETY: whoever owns these descriptors never runs in this process, which only waits and ends.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}
