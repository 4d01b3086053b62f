//! What a pidfd says of its process.

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// `ioctl(PIDFD_GET_INFO)` with the first 64 bytes of `struct pidfd_info` (`include/uapi/linux/pidfd.h`): every
/// kernel that has it takes that size.
const PIDFD_GET_INFO: libc::Ioctl = 0xc040_ff0b;
const WITH_PID: u64 = 1;
const WITH_CREDENTIALS: u64 = 2;
const WITH_CGROUP: u64 = 4;
/// Who does not ask for this is told nothing of a process that is gone (`pidfd_info`, `fs/pidfs.c`).
const WITH_EXIT: u64 = 8;

/// The kernel's words; the names are the header's.
#[derive(Debug, Default)]
#[repr(C)]
struct Raw {
    mask: u64,
    cgroupid: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ruid: u32,
    rest: [u32; 8],
}

/// What is known; `None` is what the kernel did not say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Parent in our PID namespace.
    pub ppid: Option<u32>,
    /// Real user in our user namespace.
    pub uid: Option<u32>,
    /// Inode of its cgroup's directory.
    pub cgroup_id: Option<u64>,
}

/// Asks the kernel (6.13). `None` where it has no such call, or nothing to say of a process that is gone: until
/// 7.1 it has not.
///
/// While a process is being reaped its ids are gone and its end is not noted yet, and the answer is `ESRCH`; so it is
/// asked twice.
pub fn info(pidfd: BorrowedFd<'_>) -> Option<Info> {
    ask(pidfd).or_else(|| ask(pidfd))
}

fn ask(pidfd: BorrowedFd<'_>) -> Option<Info> {
    let mut raw = Raw {
        mask: WITH_PID | WITH_CREDENTIALS | WITH_CGROUP | WITH_EXIT,
        ..Raw::default()
    };
    // SAFETY: the number of the request says 64 bytes, which is what `raw` has.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut raw) };
    let has = |bit: u64| result == 0 && raw.mask & bit != 0;
    (result == 0).then(|| Info {
        ppid: (has(WITH_PID) && raw.ppid != 0).then_some(raw.ppid),
        uid: has(WITH_CREDENTIALS).then_some(raw.ruid),
        cgroup_id: (has(WITH_CGROUP) && raw.cgroupid != 0).then_some(raw.cgroupid),
    })
}

/// Whether its number is still its own: it runs or is a zombie.
pub fn not_reaped(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: signal 0 is sent to nobody and only checked; there is no information to point to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            0,
            ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    result == 0
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};

    use super::*;

    fn open(pid: u32) -> OwnedFd {
        // SAFETY: a call without pointers; the descriptor is ours.
        unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(i32::try_from(fd).unwrap())
        }
    }

    #[test]
    fn the_structure_has_the_size_that_the_request_says() {
        assert_eq!(size_of::<Raw>(), 64);
    }

    #[test]
    fn a_zombie_has_its_number_and_a_reaped_process_has_not() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pidfd = open(child.id());
        assert!(not_reaped(pidfd.as_fd()));
        child.wait().unwrap();
        assert!(!not_reaped(pidfd.as_fd()));
    }

    /// Older kernels say nothing.
    #[test]
    fn what_is_said_of_this_process_is_right() {
        let me = open(std::process::id());
        if let Some(info) = info(me.as_fd()) {
            assert_eq!(info.ppid, Some(std::os::unix::process::parent_id()));
            assert_eq!(info.uid, Some(nix::unistd::getuid().as_raw()));
        }
    }
}
