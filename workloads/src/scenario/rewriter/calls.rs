//! Calls of exec, held before anything of them is done (`SECCOMP_RET_USER_NOTIF`, `seccomp_unotify(2)`).

use std::{
    ffi::c_int,
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF, SECCOMP_USER_NOTIF_FLAG_CONTINUE, seccomp_notif, seccomp_notif_resp,
    sock_filter, sock_fprog,
};
use nix::errno::Errno;

use crate::scenario::SetupError;

nix::ioctl_readwrite!(receive, b'!', 0, seccomp_notif);
nix::ioctl_readwrite!(answer, b'!', 1, seccomp_notif_resp);

/// All calls of `execve` that this process and those that it starts make from now on.
#[derive(Debug)]
pub(crate) struct Calls(OwnedFd);

impl Calls {
    /// Has them held until they are [served](Self::serve). This cannot be taken back.
    pub fn hold() -> Result<Self, SetupError> {
        let execve = u32::try_from(libc::SYS_execve).expect("a small number");
        let mut filter = [
            // The number is the first word of `struct seccomp_data`. Nothing here is for safety, so calls of
            // other architectures may have it as well.
            statement(BPF_LD | BPF_W | BPF_ABS, 0),
            sock_filter {
                jf: 1,
                ..statement(BPF_JMP | BPF_JEQ | BPF_K, execve)
            },
            statement(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
            statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        ];
        let program = sock_fprog {
            len: 4,
            filter: filter.as_mut_ptr(),
        };
        // Without mitigations that the filter would switch on for the storm alone.
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // SAFETY: the program lives through the call, which copies it.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        let fd = Errno::result(result).map_err(|errno| match errno {
            Errno::ENOSYS | Errno::EINVAL | Errno::EPERM => SetupError::Unsupported(format!(
                "seccomp(2) with SECCOMP_FILTER_FLAG_NEW_LISTENER answers {errno}; it takes Linux 5.0"
            )),
            errno => SetupError::at("hold calls by seccomp(2)")(errno),
        })?;
        // SAFETY: a new descriptor, which nothing else owns.
        Ok(Self(unsafe {
            OwnedFd::from_raw_fd(c_int::try_from(fd).expect("a descriptor"))
        }))
    }

    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Takes one, has `before` do what there is to do for its path's address, and lets it go on as if nothing
    /// had been.
    pub(super) fn serve(&self, before: impl FnOnce(i64) -> io::Result<()>) -> io::Result<()> {
        // SAFETY: plain numbers, for which zero is a value; the kernel wants it.
        let mut call: seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the structure lives through the call and is of the size that its number says.
        match unsafe { receive(self.0.as_raw_fd(), &raw mut call) } {
            // Killed while it was held.
            Err(Errno::ENOENT) => return Ok(()),
            result => result?,
        };
        before(call.data.args[0].cast_signed())?;
        let mut goes_on = seccomp_notif_resp {
            id: call.id,
            val: 0,
            error: 0,
            flags: u32::try_from(SECCOMP_USER_NOTIF_FLAG_CONTINUE).expect("one bit"),
        };
        // SAFETY: as above.
        match unsafe { answer(self.0.as_raw_fd(), &raw mut goes_on) } {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).expect("codes have 16 bits"),
        jt: 0,
        jf: 0,
        k,
    }
}
