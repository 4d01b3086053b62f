//! tracefs, mounted for this process alone: nobody else sees it, and it goes with its descriptor.
//!
//! `fsopen(2)` and `fsmount(2)` (5.2) give a mount that is attached nowhere, so a machine on which nobody
//! mounted tracefs stays as it is.

use std::{
    ffi::CStr,
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use nix::{
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use super::format::Field;
use crate::AttachError;

/// See the module.
#[derive(Debug)]
pub struct Tracefs(OwnedFd);

/// One tracepoint.
#[derive(Debug)]
pub struct Tracepoint {
    /// Its number on this kernel.
    pub id: u64,
    format: String,
    name: &'static str,
}

impl Tracefs {
    /// Mounts it.
    pub fn mount() -> Result<Self, AttachError> {
        let failed = |call: &'static str| {
            move |error: io::Error| match error.raw_os_error() {
                Some(libc::ENODEV | libc::ENOSYS) => {
                    AttachError::Unsupported(format!("{call}: {error}"))
                }
                _ => AttachError::call(call)(error),
            }
        };
        // SAFETY: the name ends in NUL and lives through the call, which gives a descriptor of ours.
        let context =
            unsafe { descriptor(libc::syscall(libc::SYS_fsopen, c"tracefs".as_ptr(), 1)) }
                .map_err(failed("fsopen(tracefs)"))?;
        // SAFETY: FSCONFIG_CMD_CREATE takes no key and no value.
        let made = unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                context.as_raw_fd(),
                FSCONFIG_CMD_CREATE,
                ptr::null::<libc::c_char>(),
                ptr::null::<libc::c_char>(),
                0,
            )
        };
        if made != 0 {
            return Err(failed("fsconfig(tracefs, FSCONFIG_CMD_CREATE)")(
                io::Error::last_os_error(),
            ));
        }
        // SAFETY: a call without pointers, which gives a descriptor of ours.
        let mount =
            unsafe { descriptor(libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, 0)) };
        mount.map(Self).map_err(failed("fsmount(tracefs)"))
    }

    /// A tracepoint by its folder and name: `sched/sched_process_exec`.
    pub fn tracepoint(&self, name: &'static str) -> Result<Tracepoint, AttachError> {
        let read = |file: &str| {
            let path = format!("events/{name}/{file}\0");
            let path = CStr::from_bytes_with_nul(path.as_bytes()).expect("ends in NUL");
            self.read(path).map_err(|error| match error.raw_os_error() {
                Some(libc::ENOENT) => {
                    AttachError::Unsupported(format!("tracefs has no events/{name}"))
                }
                _ => AttachError::call(format!("read of events/{name}/{file} of tracefs"))(error),
            })
        };
        let id = read("id")?;
        Ok(Tracepoint {
            id: id.trim().parse().map_err(|_| {
                AttachError::Unsupported(format!("events/{name}/id is `{}`", id.trim()))
            })?,
            format: read("format")?,
            name,
        })
    }

    fn read(&self, path: &CStr) -> io::Result<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut text = String::new();
        File::from(openat(&self.0, path, flags, Mode::empty())?).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Tracepoint {
    /// A field that the technique cannot do without.
    pub fn field(&self, name: &str) -> Result<Field, AttachError> {
        self.optional(name).ok_or_else(|| {
            AttachError::Unsupported(format!("the tracepoint {} has no field {name}", self.name))
        })
    }

    /// A field that only some kernels have.
    pub fn optional(&self, name: &str) -> Option<Field> {
        Field::find(&self.format, name)
    }

    /// For evidence.
    pub fn evidence(&self) -> String {
        format!("tracepoint {} is number {}", self.name, self.id)
    }
}

/// linux/mount.h.
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// What a call answered, as a descriptor.
///
/// # Safety
/// Where it is one, nobody else owns it.
unsafe fn descriptor(answer: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(answer) {
        // SAFETY: the caller promises that it is ours.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
