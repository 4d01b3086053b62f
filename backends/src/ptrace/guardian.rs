//! Who answers when the monitor no longer can.
//!
//! A filter cannot be taken off, and where nobody holds its listener any more each call that it singles out fails with
//! ENOSYS (`seccomp_do_user_notification`, kernel/seccomp.c): the watched processes could never execute anything again. So
//! each listener is shared with a process that sleeps until the monitor has ended, for whatever reason, and then lets
//! every call pass until the last process under the filter is gone.
//!
//! A call that the monitor had taken and not answered when it was killed is offered to nobody again, and would wait for ever. So the
//! monitor notes the number of each call that it takes where the guardian can read it. Numbers of one filter follow each
//! other (`seccomp_next_notify_id`), so the one that was taken a moment before it could be noted is found behind the last one,
//! where no more than 4,096 calls lie between. Before the first one nothing is known, as numbers begin anywhere: if the monitor is
//! killed between taking it and noting it, that call waits until its thread is killed.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap},
    unistd::{ForkResult, fork, pipe2},
};

use super::listener::Listener;

/// So many numbers behind the last one are tried: calls that a signal interrupted have some of them.
const BEHIND: u64 = 4096;

/// The monitor's side.
#[derive(Debug)]
pub struct Guardian {
    /// Its closing wakes the guardian.
    #[expect(dead_code, reason = "held to be closed")]
    pipe: OwnedFd,
    taken: Shared,
}

/// A number that two processes see; 0 at first.
#[derive(Debug)]
struct Shared(NonNull<AtomicU64>);

impl Shared {
    fn new() -> nix::Result<Self> {
        let size = NonZeroUsize::new(size_of::<AtomicU64>()).expect("it has a size");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses a place where nothing is yet.
        let page = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_SHARED) }?;
        Ok(Self(page.cast()))
    }

    fn number(&self) -> &AtomicU64 {
        // SAFETY: a page that this value alone maps until it is dropped; it is aligned, and zero is a value.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: nobody borrows it any more. That it fails would leave it mapped, which harms nobody.
        let _ = unsafe { munmap(self.0.cast(), size_of::<AtomicU64>()) };
    }
}

impl Guardian {
    /// Starts one for a listener.
    pub fn start(listener: &Listener) -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let taken = Shared::new()?;
        // SAFETY: other threads are not in the child, and may have held locks: it makes system calls, and takes no memory.
        match unsafe { fork() }? {
            ForkResult::Parent { .. } => Ok(Self {
                pipe: writer,
                taken,
            }),
            ForkResult::Child => {
                drop(writer);
                guard(&reader, listener, taken.number())
            }
        }
    }

    /// To be called when the monitor has taken a call.
    pub fn note(&self, call: u64) {
        self.taken.number().store(call, Ordering::SeqCst);
    }
}

/// Never returns: it is another process by now.
fn guard(monitor: &OwnedFd, listener: &Listener, taken: &AtomicU64) -> ! {
    keep_only(&mut [monitor.as_raw_fd(), listener.as_fd().as_raw_fd()]);
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_name(c"execlab-guard");
    let mut end = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    while poll(&mut end, PollTimeout::NONE).is_err() {}
    let last = taken.load(Ordering::SeqCst);
    if last != 0 {
        // What waits no more, or for the first time, is refused.
        for call in last..=last.saturating_add(BEHIND) {
            let _ = listener.pass_number(call);
        }
    }
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
