//! The file that the kernel writes to: on a tmpfs of its own that no path leads to.
//!
//! The kernel holds on to a mount that it writes accounting to by a *pin*: when the mount goes away, it ends
//! the accounting (`pin_insert` in `acct_on`, kernel/acct.c; `cleanup_mnt`, fs/namespace.c). This mount is not
//! attached anywhere and goes away with the last descriptor on it, so accounting ends with the monitor,
//! however that ends.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use nix::{
    fcntl::{FallocateFlags, OFlag, fallocate, openat},
    sys::{stat::Mode, statvfs::fstatvfs},
    unistd::acct,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use super::record::SIZE;
use crate::AttachError;

/// What was read is given back to the tmpfs in pieces of this size, in bytes: a multiple of a page.
const PIECE: u64 = 256 << 10;
/// So many records are read with one call.
const BATCH: usize = 1024;
/// Of the space, in percent, below which the kernel may pause (`kernel.acct`, Documentation/admin-guide/
/// sysctl/kernel.rst: 2), and a little more, as it looks before it writes.
const SCARCE: u64 = 3;

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    /// Behind `file`: the last descriptor that is closed takes the mount away.
    _mount: OwnedFd,
    read: u64,
    given_back: u64,
    buffer: Box<[u8]>,
}

impl Ledger {
    /// Makes the file, and has the kernel write to it from now on.
    pub fn open(kib: u64) -> Result<Self, AttachError> {
        let call = AttachError::call::<io::Error>;
        let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|error| {
            if error == rustix::io::Errno::NOSYS {
                AttachError::Unsupported("fsopen: the kernel does not have it (5.2)".into())
            } else {
                call("fsopen tmpfs")(error.into())
            }
        })?;
        let size = format!("{kib}k");
        for (name, value) in [("size", size.as_str()), ("mode", "0700")] {
            fsconfig_set_string(fs.as_fd(), name, value)
                .map_err(|e| call("fsconfig of a tmpfs")(e.into()))?;
        }
        fsconfig_create(fs.as_fd()).map_err(|e| call("fsconfig of a tmpfs")(e.into()))?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|e| call("fsmount of a tmpfs")(e.into()))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = openat(&mount, "acct", flags, Mode::from_bits_truncate(0o600))
            .map_err(AttachError::call("openat of a file on a tmpfs"))?;
        let ledger = Self {
            file: file.into(),
            _mount: mount,
            read: 0,
            given_back: 0,
            buffer: vec![0; BATCH * SIZE].into(),
        };
        let path = ledger.path();
        acct::enable(path.as_str()).map_err(|error| match error {
            nix::errno::Errno::ENOSYS => AttachError::Unsupported(
                "acct(2): the kernel has no process accounting (CONFIG_BSD_PROCESS_ACCT)".into(),
            ),
            error => AttachError::call(format!("acct({path})"))(error),
        })?;
        Ok(ledger)
    }

    /// By which the file can be reached as long as it is open.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// Takes the next records, up to [`BATCH`] of them; none where all are read.
    pub fn take(&mut self) -> io::Result<&[[u8; SIZE]]> {
        let length = self.file.read_at(&mut self.buffer, self.read)?;
        let (records, _) = self.buffer[..length].as_chunks::<SIZE>();
        self.read += u64::try_from(size_of_val(records)).expect("small");
        Ok(records)
    }

    /// Gives what was read back to the tmpfs, from time to time. The kernel appends, so the file only gets
    /// longer and holes at its begin disturb nobody.
    pub fn give_back(&mut self) -> io::Result<()> {
        let until = self.read / PIECE * PIECE;
        if until > self.given_back {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            let signed = |n: u64| i64::try_from(n).map_err(io::Error::other);
            let length = signed(until - self.given_back)?;
            fallocate(&self.file, flags, signed(self.given_back)?, length)?;
            self.given_back = until;
        }
        Ok(())
    }

    /// Whether so little space is left that the kernel may have stopped writing.
    pub fn scarce(&self) -> io::Result<bool> {
        let space = fstatvfs(&self.file)?;
        Ok(space.blocks_available() * 100 <= space.blocks() * SCARCE)
    }
}
