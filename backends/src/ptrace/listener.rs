//! The listener of a seccomp filter: calls wait there for an answer (`seccomp_unotify(2)`).

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::call::Request;

/// linux/seccomp.h.
const RECEIVE: libc::Ioctl = libc::_IOWR::<libc::seccomp_notif>(b'!' as u32, 0);
const SEND: libc::Ioctl = libc::_IOWR::<libc::seccomp_notif_resp>(b'!' as u32, 1);
const IS_VALID: libc::Ioctl = libc::_IOW::<u64>(b'!' as u32, 2);
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE` (Linux 5.5): let the kernel make the call.
const CONTINUE: u32 = 1;

/// A call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Of the filter's calls.
    pub id: u64,
    /// The thread that called, in the reader's PID namespace; 0 where it has no number there.
    pub tid: u32,
    pub request: Request,
}

/// See the module.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// Whether the structures of this kernel are those of our headers: a larger one would not fit.
pub fn fits(sizes: libc::seccomp_notif_sizes) -> bool {
    usize::from(sizes.seccomp_notif) <= size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) <= size_of::<libc::seccomp_notif_resp>()
        && usize::from(sizes.seccomp_data) <= size_of::<libc::seccomp_data>()
}

/// The sizes of the structures of user notification on this kernel.
pub fn sizes() -> io::Result<libc::seccomp_notif_sizes> {
    // SAFETY: three numbers, for which zero is a value.
    let mut sizes: libc::seccomp_notif_sizes = unsafe { std::mem::zeroed() };
    let into = &raw mut sizes;
    // SAFETY: the kernel fills the structure, which outlives the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, into) };
    Errno::result(answer)?;
    Ok(sizes)
}

impl Listener {
    /// Over a descriptor that `SECCOMP_FILTER_FLAG_NEW_LISTENER` made.
    pub fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Takes the next call; to be called when there is one. `None` where it was gone by then: its thread was killed
    /// or got a signal, and in that case calls again.
    pub fn receive(&self) -> nix::Result<Option<Waiting>> {
        // SAFETY: numbers, for which zero is a value, and the one that the kernel asks for.
        let mut told: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        match self.control(RECEIVE, (&raw mut told).cast()) {
            Ok(()) => Ok(Some(Waiting {
                id: told.id,
                tid: told.pid,
                request: Request {
                    arch: told.data.arch,
                    number: told.data.nr.cast_unsigned(),
                    arguments: told.data.args,
                },
            })),
            Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the call still waits: only then was what was read of its thread that thread's.
    pub fn is_valid(&self, waiting: &Waiting) -> bool {
        let mut id = waiting.id;
        self.control(IS_VALID, (&raw mut id).cast()).is_ok()
    }

    /// Lets the kernel make the call. False where it no longer waited, and so is not made.
    pub fn pass(&self, waiting: &Waiting) -> nix::Result<bool> {
        self.pass_number(waiting.id)
    }

    /// The same by a call's number.
    pub fn pass_number(&self, id: u64) -> nix::Result<bool> {
        let mut answer = libc::seccomp_notif_resp {
            id,
            val: 0,
            error: 0,
            flags: CONTINUE,
        };
        match self.control(SEND, (&raw mut answer).cast()) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits for a call and lets it pass unseen; false when nobody is left to call.
    pub fn pass_next(&self) -> nix::Result<bool> {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(true),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let ready = fds[0].revents().unwrap_or(PollFlags::empty());
        if ready.contains(PollFlags::POLLIN) {
            if let Some(waiting) = self.receive()? {
                self.pass(&waiting)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn control(&self, request: libc::Ioctl, value: *mut libc::c_void) -> nix::Result<()> {
        // SAFETY: each caller passes the structure of its request, which outlives the call; that this kernel's
        // are no larger was tested when the monitor attached.
        let answer = unsafe { libc::ioctl(self.0.as_raw_fd(), request, value) };
        Errno::result(answer).map(drop)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
