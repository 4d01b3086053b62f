//! What a child does between its birth and its exec: system calls, one after the other.
//!
//! A scenario writes [`Step`]s; everything that they need is laid out before the clock runs
//! ([`crate::spawn::Launcher::load`]), so that a child runs nothing but system calls: no allocation, no
//! lock, nothing of a libc that a child that shares its parent's memory must not touch.

use std::{
    ffi::{CString, c_int, c_long},
    os::fd::RawFd,
};

use execlab_model::Bytes;
use nix::errno::Errno;

/// `AT_EXECVE_CHECK`: may this file be executed? Nothing is (Linux 6.14, include/uapi/linux/fcntl.h).
pub const AT_EXECVE_CHECK: c_int = 0x10000;

/// One thing that a child does. What fails against its description ends the child
/// with [`crate::spawn::NOT_AS_MEANT`].
#[derive(Debug, Clone)]
pub enum Step {
    /// A system call that must succeed.
    Do(Syscall),
    /// Opens a file and puts it at a descriptor of the scenario's choice, from
    /// [`FIRST_OWN_FD`] up, or in the place of a standard stream.
    Open {
        /// Which file.
        path: CString,
        /// `O_…`.
        flags: c_int,
        /// Where it is put.
        at: RawFd,
    },
    /// An attempt: an exec that must fail, in this way.
    Fails(Call, Errno),
    /// An attempt: a check that must say yes, see [`AT_EXECVE_CHECK`].
    Checks(Call),
    /// The exec.
    Exec(Call),
    /// The end of a child that makes no exec.
    Exit,
}

/// Descriptors from here up are free in every child; below are standard streams, evidence and the storm's
/// own.
pub const FIRST_OWN_FD: RawFd = 200;

/// A system call with constant arguments.
#[derive(Debug, Clone)]
pub struct Syscall {
    /// `SYS_…` of x86-64.
    pub number: c_long,
    /// Up to six; what is not there is 0.
    pub arguments: Vec<Value>,
}

/// An argument of a [`Syscall`].
#[derive(Debug, Clone)]
pub enum Value {
    /// As it is.
    Number(i64),
    /// The address of a string.
    Text(CString),
    /// The address of the id of the child's first exec, as [`execlab_model::truth::id_argument`] writes it.
    Id,
    /// The address of the child's lifetime in decimal nanoseconds.
    Lifetime,
    /// The address of a table of these: a list of strings with a 0 at its end, an iovec, a structure.
    Table(Vec<Value>),
}

/// A call of exec.
#[derive(Debug, Clone)]
pub struct Call {
    /// Through which door.
    pub how: How,
    /// The string passed.
    pub path: CString,
    /// The arguments, with places as in [`execlab_model::truth::Site::argv`].
    pub argv: Vec<Bytes>,
    /// The environment.
    pub environment: Environment,
}

/// What is in the environment of a [`Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// What every storm has: `PATH`, and the padding of its seed; and `LD_PRELOAD` where the storm itself has it.
    Usual,
    /// The same and the id, for an image without arguments.
    WithId,
}

/// The doors into exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `execve`.
    Execve,
    /// `execveat`, with a directory and flags.
    Execveat(RawFd, c_int),
    /// The 32-bit `execve` (number 11) by `int 0x80` from 64-bit code.
    Int80,
}

impl Call {
    /// `execve` with the usual environment.
    pub fn new(path: impl Into<Vec<u8>>, argv: Vec<Bytes>) -> Self {
        Self {
            how: How::Execve,
            path: text(path),
            argv,
            environment: Environment::Usual,
        }
    }

    /// Through another door.
    #[must_use]
    pub fn by(self, how: How) -> Self {
        Self { how, ..self }
    }
}

impl Step {
    /// `chdir`.
    pub fn chdir(path: impl Into<Vec<u8>>) -> Self {
        Self::paths(libc::SYS_chdir, [path.into()])
    }

    /// `fchdir`.
    pub fn fchdir(fd: RawFd) -> Self {
        Self::numbers(libc::SYS_fchdir, &[fd.into()])
    }

    /// `chroot`, and to its root.
    pub fn chroot(path: impl Into<Vec<u8>>) -> [Self; 2] {
        [
            Self::paths(libc::SYS_chroot, [path.into()]),
            Self::chdir("/"),
        ]
    }

    /// `setns`: enters the namespaces of these kinds that a descriptor stands for.
    pub fn set_ns(fd: RawFd, kinds: c_int) -> Self {
        Self::numbers(libc::SYS_setns, &[fd.into(), kinds.into()])
    }

    /// Becomes another user and group for good, without supplementary groups.
    pub fn become_user(uid: u32, gid: u32) -> [Self; 3] {
        let (uid, gid) = (i64::from(uid), i64::from(gid));
        [
            Self::numbers(libc::SYS_setgroups, &[0, 0]),
            Self::numbers(libc::SYS_setresgid, &[gid, gid, gid]),
            Self::numbers(libc::SYS_setresuid, &[uid, uid, uid]),
        ]
    }

    /// `link`: another name for a file.
    pub fn link(from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> Self {
        Self::paths(libc::SYS_link, [from.into(), to.into()])
    }

    /// `rename`.
    pub fn rename(from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> Self {
        Self::paths(libc::SYS_rename, [from.into(), to.into()])
    }

    /// `unlink`.
    pub fn unlink(path: impl Into<Vec<u8>>) -> Self {
        Self::paths(libc::SYS_unlink, [path.into()])
    }

    /// `write` of a few bytes to an open descriptor; a short one is not noticed.
    pub fn write(fd: RawFd, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = text(bytes);
        let length = i64::try_from(bytes.as_bytes().len()).expect("a few bytes");
        Self::Do(Syscall {
            number: libc::SYS_write,
            arguments: vec![
                Value::Number(fd.into()),
                Value::Text(bytes),
                Value::Number(length),
            ],
        })
    }

    /// Any call with paths alone.
    fn paths<const N: usize>(number: c_long, paths: [Vec<u8>; N]) -> Self {
        Self::Do(Syscall {
            number,
            arguments: paths.map(|path| Value::Text(text(path))).to_vec(),
        })
    }

    /// Any call with numbers alone.
    pub fn numbers(number: c_long, arguments: &[i64]) -> Self {
        Self::Do(Syscall {
            number,
            arguments: arguments.iter().copied().map(Value::Number).collect(),
        })
    }

    /// Whether this is a call that is not to become an exec.
    pub const fn is_attempt(&self) -> bool {
        matches!(self, Self::Fails(..) | Self::Checks(_))
    }
}

/// A string for the kernel.
///
/// # Panics
/// If there is a NUL in it, which no name of a scenario has.
pub fn text(bytes: impl Into<Vec<u8>>) -> CString {
    CString::new(bytes).expect("no string of a scenario holds a NUL")
}
