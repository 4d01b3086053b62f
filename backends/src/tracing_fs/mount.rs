//! Where tracefs is.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use crate::AttachError;

/// Its usual place, where the kernel makes the folder for it (4.1).
const USUAL: &str = "/sys/kernel/tracing";

/// A folder that is tracefs.
#[derive(Debug)]
pub struct Tracefs {
    dir: PathBuf,
    how: &'static str,
    /// Keeps a mount of our own while it is needed.
    _mount: Option<OwnedFd>,
}

impl Tracefs {
    /// The one that is mounted at its usual place. Where none is, one of our own that no other process sees:
    /// mounted nowhere (`fsmount`, 5.2), so nothing has to be put back.
    pub fn open() -> Result<Self, AttachError> {
        let magic = nix::sys::statfs::statfs(USUAL).map(|s| s.filesystem_type());
        if magic == Ok(nix::sys::statfs::FsType(libc::TRACEFS_MAGIC)) {
            return Ok(Self {
                dir: USUAL.into(),
                how: "mounted at /sys/kernel/tracing",
                _mount: None,
            });
        }
        Self::alone()
    }

    /// One of our own in any case.
    pub fn alone() -> Result<Self, AttachError> {
        let mount = detached().map_err(|error| match error {
            Errno::ENODEV | Errno::ENOSYS => AttachError::Unsupported(format!(
                "fsopen(tracefs) says {error}: a kernel without CONFIG_TRACING, or older than 5.2"
            )),
            error => AttachError::call("fsopen, fsconfig, fsmount of tracefs")(error),
        })?;
        Ok(Self {
            dir: format!("/proc/self/fd/{}", mount.as_raw_fd()).into(),
            how: "a mount of its own, attached nowhere",
            _mount: Some(mount),
        })
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// How it was reached, for people.
    pub fn how(&self) -> &'static str {
        self.how
    }

    /// The whole text of a file.
    pub fn read(&self, name: &str) -> Result<String, AttachError> {
        read(&self.path(name)).map_err(AttachError::call(format!("read of tracefs {name}")))
    }
}

/// The whole text of a file; names in it may be of any bytes, but what is looked for is text.
///
/// With reads that are large from the first on: of `header_page` there is only one (`show_header_page_file`).
pub fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut text = vec![0; 64 << 10];
    let mut filled = 0;
    loop {
        match file.read(&mut text[filled..])? {
            0 => break,
            length => filled += length,
        }
        if text.len() - filled < 64 << 10 {
            text.resize(2 * text.len(), 0);
        }
    }
    Ok(String::from_utf8_lossy(&text[..filled]).into_owned())
}

fn detached() -> Result<OwnedFd, Errno> {
    const FSOPEN_CLOEXEC: u32 = 1;
    const FSCONFIG_CMD_CREATE: u32 = 6;
    const FSMOUNT_CLOEXEC: u32 = 1;
    let owned = |fd: libc::c_long| {
        let fd = Errno::result(fd)?;
        let fd = i32::try_from(fd).expect("descriptors are small");
        // SAFETY: the kernel has just opened it for us alone.
        Ok::<_, Errno>(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    // SAFETY: the name ends in NUL and outlives the call.
    let context =
        owned(unsafe { libc::syscall(libc::SYS_fsopen, c"tracefs".as_ptr(), FSOPEN_CLOEXEC) })?;
    // SAFETY: a command without a key and without a value.
    let created = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            std::ptr::null::<u8>(),
            std::ptr::null::<u8>(),
            0,
        )
    };
    Errno::result(created)?;
    // SAFETY: a call without pointers, on a descriptor of ours.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })
}
