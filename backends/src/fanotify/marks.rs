//! What is marked: each mounted filesystem or each mount, and those that come later.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Seek},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{fanotify::MarkFlags, stat::Mode},
};

use super::{group::Group, mountinfo::mounts};
use crate::AttachError;

/// What a mark is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// A filesystem: whoever reaches it, by whatever mount, in whatever namespace (4.20).
    Filesystem,
    /// One mount: neither a bind mount of the same files nor the copies that `unshare(CLONE_NEWNS)` makes.
    Mount,
}

/// See the module.
#[derive(Debug)]
pub struct Marks {
    on: On,
    /// Whether mounts of other namespaces are looked for.
    elsewhere: bool,
    /// Changes are told by its poll (`POLLPRI`, proc(5)).
    own: File,
    /// Mount namespaces whose mounts were marked, by their inode.
    namespaces: BTreeSet<u64>,
    /// Types of filesystems that take no mark, with what the kernel answered.
    refused: BTreeMap<String, Errno>,
    /// Types that were left out, as their server may wait for us.
    spared: BTreeSet<String>,
    marked: u64,
    rounds: u64,
}

/// The mounts of a namespace as a process had them, which may be gone when they are marked.
#[derive(Debug)]
pub struct Mounts {
    namespace: u32,
    root: OwnedFd,
    /// Its `mountinfo`.
    text: Vec<u8>,
}

impl Mounts {
    /// Those of a process in that namespace; `None` where it is gone. Only `/proc` is read, nothing of what is mounted.
    pub fn of(pid: u32, namespace: u32) -> Option<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(&*format!("/proc/{pid}/root"), flags, Mode::empty()).ok()?;
        let text = fs::read(format!("/proc/{pid}/mountinfo")).ok()?;
        Some(Self {
            namespace,
            root,
            text,
        })
    }

    /// Its number.
    pub fn namespace(&self) -> u32 {
        self.namespace
    }
}

impl Marks {
    /// Marks what is mounted now.
    pub fn put(group: &Group, on: On, elsewhere: bool) -> Result<Self, AttachError> {
        let own = File::open("/proc/self/mountinfo")
            .map_err(AttachError::call("open /proc/self/mountinfo"))?;
        let mut marks = Self {
            on,
            elsewhere,
            own,
            namespaces: BTreeSet::new(),
            refused: BTreeMap::new(),
            spared: BTreeSet::new(),
            marked: 0,
            rounds: 0,
        };
        marks
            .renew(group)
            .map_err(AttachError::call("read of /proc/self/mountinfo"))?;
        if marks.marked == 0 {
            return Err(AttachError::Unsupported(format!(
                "fanotify_mark({:?}) took no mark on any mount: {}",
                group.mask(),
                marks.refusals()
            )));
        }
        Ok(marks)
    }

    /// Has `POLLPRI` when the mounts of our own namespace changed since they were read.
    pub fn changes(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }

    /// Marks everything that is mounted now. A mark that is there stays as it is.
    pub fn renew(&mut self, group: &Group) -> io::Result<()> {
        self.rounds += 1;
        // Opened once and read again: only then does its poll tell what changed since.
        self.own.rewind()?;
        let mut text = Vec::new();
        self.own.read_to_end(&mut text)?;
        self.mark_all(group, Path::new("/"), &text);
        self.namespaces.clear();
        if let Ok(own) = fs::metadata("/proc/self/ns/mnt") {
            self.namespaces.insert(own.ino());
        }
        if self.elsewhere {
            for entry in fs::read_dir("/proc")?.flatten() {
                let name = entry.file_name();
                if name.as_bytes().iter().all(u8::is_ascii_digit) {
                    self.reach(group, &entry.path());
                }
            }
        }
        Ok(())
    }

    /// A process was seen in a mount namespace: marks what is mounted there, if that was not done yet.
    pub fn seen(&mut self, group: &Group, mounts: &Mounts) {
        if self.namespaces.insert(mounts.namespace.into()) {
            let root = format!("/proc/self/fd/{}", mounts.root.as_raw_fd());
            self.mark_all(group, Path::new(&root), &mounts.text);
        }
    }

    /// Marks the mounts of the namespace that a process is in. It may be gone any time.
    fn reach(&mut self, group: &Group, process: &Path) {
        let Ok(namespace) = fs::metadata(process.join("ns/mnt")) else {
            return;
        };
        if self.namespaces.contains(&namespace.ino()) {
            return;
        }
        if let Ok(text) = fs::read(process.join("mountinfo")) {
            self.mark_all(group, &process.join("root"), &text);
            self.namespaces.insert(namespace.ino());
        }
    }

    fn mark_all(&mut self, group: &Group, root: &Path, text: &[u8]) {
        let kind = match self.on {
            On::Filesystem => MarkFlags::FAN_MARK_FILESYSTEM,
            On::Mount => MarkFlags::FAN_MARK_MOUNT,
        };
        let mut devices = BTreeSet::new();
        for mount in mounts(text) {
            if self.on == On::Filesystem && !devices.insert(mount.device) {
                continue;
            }
            if group.asks() && is_fuse(mount.kind) {
                let kind = String::from_utf8_lossy(mount.kind).into_owned();
                self.spared.insert(kind);
                continue;
            }
            let point = Path::new(OsStr::from_bytes(&mount.point));
            let path = root.join(point.strip_prefix("/").unwrap_or(point));
            match group.mark(kind, &path) {
                Ok(()) => self.marked += 1,
                Err(error) => {
                    let kind = String::from_utf8_lossy(mount.kind).into_owned();
                    self.refused.insert(kind, error);
                }
            }
        }
    }

    /// What took no mark.
    pub fn refusals(&self) -> String {
        let each = self.refused.iter();
        let each: Vec<_> = each
            .map(|(kind, error)| format!("{kind} ({error})"))
            .collect();
        let spared: Vec<_> = self.spared.iter().map(String::as_str).collect();
        let mut told = Vec::new();
        if !each.is_empty() {
            told.push(format!("no mark on {}", each.join(", ")));
        }
        if !spared.is_empty() {
            told.push(format!(
                "none put on {}, whose server could wait for us",
                spared.join(", ")
            ));
        }
        if told.is_empty() {
            told.push("everything that is mounted takes a mark".into());
        }
        told.join("; ")
    }

    /// How often the mounts were gone through.
    pub fn notes(&self) -> String {
        format!(
            "mounts were marked in {} rounds; {}",
            self.rounds,
            self.refusals()
        )
    }
}

/// Whether a filesystem is served by a process of this machine, by its type: `fuse`, `fuseblk`, and both with the name of the
/// server behind a dot.
fn is_fuse(kind: &[u8]) -> bool {
    let name = kind.split(|&b| b == b'.').next();
    name == Some(b"fuse") || name == Some(b"fuseblk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuse_is_known_by_its_type() {
        for kind in ["fuse", "fuseblk", "fuse.sshfs", "fuseblk.ntfs"] {
            assert!(is_fuse(kind.as_bytes()), "{kind}");
        }
        for kind in ["fusectl", "ext4", "virtiofs", "", "nfs.fuse"] {
            assert!(!is_fuse(kind.as_bytes()), "{kind}");
        }
    }
}
