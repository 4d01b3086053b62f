//! Pages of this process that another one brings when they are needed (userfaultfd(2), `ioctl_userfaultfd(2)`;
//! include/uapi/linux/userfaultfd.h).

use std::{
    ffi::c_int,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use nix::errno::Errno;

use crate::scenario::SetupError;

const API: u64 = 0xaa;
const REGISTER_MISSING: u64 = 1;
const EVENT_PAGEFAULT: u8 = 0x12;
/// Bytes of a message; the first tells what it is of.
const MESSAGE: usize = 32;

/// `struct uffdio_api`.
#[repr(C)]
#[derive(Default)]
struct Handshake {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
#[derive(Default)]
struct Register {
    start: u64,
    length: u64,
    mode: u64,
    ioctls: u64,
}

/// `struct uffdio_copy`.
#[repr(C)]
#[derive(Default)]
struct Copy {
    to: u64,
    from: u64,
    length: u64,
    mode: u64,
    copied: i64,
}

nix::ioctl_readwrite!(handshake, 0xaa, 0x3f, Handshake);
nix::ioctl_readwrite!(register, 0xaa, 0x00, Register);
nix::ioctl_readwrite!(copy, 0xaa, 0x03, Copy);

/// Watches memory of this process for pages that are not there.
pub(super) fn watch(start: i64, length: usize) -> Result<OwnedFd, SetupError> {
    let unsupported = |what: &str, errno: Errno| match errno {
        Errno::ENOSYS | Errno::EINVAL | Errno::EPERM => SetupError::Unsupported(format!(
            "{what} answers {errno}; it takes Linux 4.3 and CAP_SYS_PTRACE"
        )),
        errno => SetupError::at(what)(errno),
    };
    // One that blocks cannot be polled (`userfaultfd_poll`, fs/userfaultfd.c).
    // SAFETY: a new descriptor, or an error.
    let result =
        unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) };
    let fd = Errno::result(result).map_err(|errno| unsupported("userfaultfd(2)", errno))?;
    let fd = c_int::try_from(fd).expect("a descriptor");
    // SAFETY: it is new, so nothing else owns it.
    let faults = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut hello = Handshake {
        api: API,
        ..Handshake::default()
    };
    let mut range = Register {
        start: start.cast_unsigned(),
        length: length as u64,
        mode: REGISTER_MISSING,
        ioctls: 0,
    };
    // SAFETY: both structures are of the size that their numbers say, and live through the calls; the range
    // is the caller's own.
    unsafe { handshake(fd, &raw mut hello) }.map_err(|errno| unsupported("UFFDIO_API", errno))?;
    // SAFETY: as above.
    unsafe { register(fd, &raw mut range) }
        .map_err(SetupError::at("watch a page with userfaultfd"))?;
    Ok(faults)
}

/// Takes the message of somebody who waits for a page; whether there was one.
pub(super) fn is_wanted(faults: &OwnedFd) -> io::Result<bool> {
    let mut message = [0; MESSAGE];
    match nix::unistd::read(faults, &mut message) {
        // It waits no longer.
        Err(Errno::EAGAIN) => Ok(false),
        Ok(MESSAGE) if message[0] == EVENT_PAGEFAULT => Ok(true),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Brings a page, and lets go on whoever waits for it.
pub(super) fn bring(faults: &OwnedFd, address: i64, content: &[u8]) -> io::Result<()> {
    let mut page = Copy {
        to: address.cast_unsigned(),
        from: content.as_ptr().addr() as u64,
        length: content.len() as u64,
        ..Copy::default()
    };
    // SAFETY: the content is a whole page, which the kernel only reads.
    match unsafe { copy(faults.as_raw_fd(), &raw mut page) } {
        // Somebody else waited too and has been served.
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
