//! The ends of processes as events: a pidfd of each in one epoll set.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{ForkResult, fork, pause},
};

use crate::AttachError;

/// So many ends are taken with one call.
const BATCH: usize = 64;

/// The set. A process leaves it when its pidfd is closed.
#[derive(Debug)]
pub struct Ends {
    epoll: Epoll,
}

impl Ends {
    /// Opens it and proves on a child that this kernel tells of an end; what was proved, for people.
    pub fn open() -> Result<(Self, String), AttachError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(AttachError::call("epoll_create1"))?;
        let mut ends = Self { epoll };
        // SAFETY: the child calls nothing but pause, which is async-signal-safe.
        let child = match unsafe { fork() }.map_err(AttachError::call("fork"))? {
            ForkResult::Child => loop {
                pause();
            },
            ForkResult::Parent { child } => child,
        };
        let pid = child.as_raw().cast_unsigned();
        let watched = pidfd_open(pid).and_then(|fd| ends.add(pid, fd));
        kill(child, Signal::SIGKILL).map_err(AttachError::call("kill of own child"))?;
        let told = watched.and_then(|fd| ends.wait(EpollTimeout::from(2000u16)).map(|t| (fd, t)));
        waitpid(child, None).map_err(AttachError::call("waitpid of own child"))?;
        match told {
            Ok((fd, told)) if told == [pid] && reaped(&fd) => {
                Ok((ends, format!("the pidfd of child {pid} told of its end")))
            }
            Ok((_, told)) => Err(AttachError::Unsupported(format!(
                "the pidfd of child {pid} did not tell of its end (told: {told:?})"
            ))),
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Err(
                AttachError::Unsupported(format!("pidfd_open of a child: {error}")),
            ),
            Err(source) => Err(AttachError::call("pidfd_open of a child")(source)),
        }
    }

    /// Readable when somebody ended.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Watches a process for as long as the result is open; `None` where there is none, or descriptors
    /// ran out.
    pub fn watch(&self, pid: u32) -> Option<OwnedFd> {
        pidfd_open(pid).and_then(|fd| self.add(pid, fd)).ok()
    }

    fn add(&self, pid: u32, fd: OwnedFd) -> io::Result<OwnedFd> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, pid.into());
        self.epoll.add(&fd, event)?;
        Ok(fd)
    }

    /// Who ended, without waiting.
    pub fn take(&mut self) -> Vec<u32> {
        // An error would mean that the set itself is none; then nobody ended.
        self.wait(EpollTimeout::ZERO).unwrap_or_default()
    }

    fn wait(&mut self, patience: EpollTimeout) -> io::Result<Vec<u32>> {
        let mut events = [EpollEvent::empty(); BATCH];
        loop {
            match self.epoll.wait(&mut events, patience) {
                Ok(n) => {
                    let pid = |event: &EpollEvent| u32::try_from(event.data()).expect("a pid");
                    return Ok(events[..n].iter().map(pid).collect());
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Linux 5.3.
fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: a call without pointers. `O_CLOEXEC` is set by the kernel.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the process of a pidfd has been waited for, and its number may be another's.
pub fn reaped(pidfd: &OwnedFd) -> bool {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: signal 0 is not sent; no information is passed with it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            0,
            no_info,
            0,
        )
    };
    answer < 0 && Errno::last() == Errno::ESRCH
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn an_end_is_told_once_its_process_has_ended_and_as_long_as_its_descriptor_is_open() {
        let (mut ends, _) = Ends::open().unwrap();
        let mut child = std::process::Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let fd = ends.watch(child.id()).unwrap();
        assert_eq!(ends.take(), [0; 0]);
        drop(child.stdin.take());
        assert_eq!(ends.wait(EpollTimeout::NONE).unwrap(), [child.id()]);
        assert!(!reaped(&fd));
        child.wait().unwrap();
        assert!(reaped(&fd));
        drop(fd);
        // A child that another test is just starting has a copy of the descriptor until it executes.
        let patience = Instant::now() + Duration::from_mins(1);
        while !ends.take().is_empty() {
            assert!(Instant::now() < patience, "told of after its descriptor");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
