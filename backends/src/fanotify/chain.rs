//! Which events belong to one exec.
//!
//! The kernel opens one file after the other for an exec, and each open is an event of its own: the file that
//! was asked for, the interpreter of a script, that one's interpreter, and the loader of a dynamic program
//! (`do_open_execat` and `open_exec`, `fs/exec.c`). The events of one process come in that order, and the
//! file of each says which one is next ([`opens_next`]). So an event whose file is the one that its
//! predecessor named is no exec of its own; the first event is, and its file is the one that was asked for.
//! The predecessor's word is needed, not the order alone: an exec may fail between two opens, and a process
//! may execute twice.
//!
//! From 6.12 on a file of an overlay has two events: its own, and that of the layer's file, which the overlay
//! opens as an exec too (`ovl_open`, `backing_file_open`): before it told of its own, but after it asked for
//! permission. The two have size and time of change in common.

use std::{
    collections::BTreeMap,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

use nix::sys::{
    stat::{FileStat, fstat},
    statfs::{OVERLAYFS_SUPER_MAGIC, Statfs, fstatfs, statfs},
};

use super::head::opens_next;

/// So many processes' last events are remembered; at this number all are forgotten together.
const MOST: usize = 4096;

/// Device and inode.
pub type FileId = (u64, u64);

/// What an event is of the exec before it of the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Nothing: it is an exec of its own.
    Another,
    /// The same file once more, as the overlay shows it; before it was the layer's.
    Shown,
    /// A further file.
    Further,
}

/// What tells files apart, and a layer's file from others than its overlay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    id: FileId,
    content: (i64, i64, i64),
}

/// The last event of a process.
#[derive(Debug)]
struct Last {
    file: File,
    /// What its file names.
    next: Option<Vec<u8>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Chains {
    last: BTreeMap<u32, Last>,
    /// Whether the filesystem of a device is an overlay.
    overlays: BTreeMap<u64, bool>,
}

impl Chains {
    /// Takes the next event of a process: which file it is, and whose it is. `None` where the file says nothing of
    /// itself. `root` is the process's where it may be gone by now.
    pub fn take(
        &mut self,
        pid: u32,
        root: Option<BorrowedFd<'_>>,
        file: BorrowedFd<'_>,
        path: &[u8],
    ) -> Option<(FileId, Part)> {
        let root = || match root {
            Some(root) => format!("/proc/self/fd/{}", root.as_raw_fd()),
            None => format!("/proc/{pid}/root"),
        };
        let found = File::of_stat(&fstat(file).ok()?);
        let last = self.last.remove(&pid);
        let part = match &last {
            None => Part::Another,
            Some(last) if found.shows(&last.file) && self.is_overlay(found, file) => Part::Shown,
            Some(last) if found.shows(&last.file) && self.was_overlay(last.file) => Part::Further,
            Some(last) => match &last.next {
                Some(name) if is_named(name, root, found, path) => Part::Further,
                _ => Part::Another,
            },
        };
        if self.last.len() >= MOST {
            self.last.clear();
            self.overlays.clear();
        }
        self.is_overlay(found, file);
        let last = Last {
            file: found,
            next: opens_next(file),
        };
        self.last.insert(pid, last);
        Some((found.id, part))
    }

    fn is_overlay(&mut self, found: File, file: BorrowedFd<'_>) -> bool {
        let look = || on_overlay(fstatfs(file));
        *self.overlays.entry(found.id.0).or_insert_with(look)
    }

    fn was_overlay(&self, file: File) -> bool {
        self.overlays.get(&file.id.0) == Some(&true)
    }
}

impl File {
    fn of_stat(stat: &FileStat) -> Self {
        Self {
            id: (stat.st_dev, stat.st_ino),
            content: (stat.st_size, stat.st_mtime, stat.st_mtime_nsec),
        }
    }

    /// Whether one of the two may be the layer's file and the other what the overlay makes of it.
    fn shows(&self, other: &Self) -> bool {
        self.id.0 != other.id.0 && self.content == other.content
    }
}

fn on_overlay(found: nix::Result<Statfs>) -> bool {
    found.is_ok_and(|found| found.filesystem_type() == OVERLAYFS_SUPER_MAGIC)
}

/// Whether a name as an executed file spells it means this file: by its letters, or by what it leads to from
/// our root or from the process's own.
fn is_named(name: &[u8], root: impl Fn() -> String, file: File, path: &[u8]) -> bool {
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    let leads_here = |name: &Path| {
        let Ok(found) = std::fs::metadata(name) else {
            return false;
        };
        let found_file = File {
            id: (found.dev(), found.ino()),
            content: (
                i64::try_from(found.size()).unwrap_or_default(),
                found.mtime(),
                found.mtime_nsec(),
            ),
        };
        found_file.id == file.id || (found_file.shows(&file) && on_overlay(statfs(name)))
    };
    let of_process = || {
        let mut inside = PathBuf::from(root());
        inside.extend(name.components().skip(1));
        inside
    };
    name.as_os_str().as_bytes() == path
        || (name.is_absolute() && (leads_here(name) || leads_here(&of_process())))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsFd};

    use super::*;

    struct Opened(std::fs::File, Vec<u8>);

    fn opened(path: &Path) -> Opened {
        let file = std::fs::File::open(path).unwrap();
        Opened(file, path.as_os_str().as_bytes().to_vec())
    }

    fn part(chains: &mut Chains, pid: u32, opened: &Opened) -> Part {
        let (id, part) = chains.take(pid, None, opened.0.as_fd(), &opened.1).unwrap();
        let found = opened.0.metadata().unwrap();
        assert_eq!(id, (found.dev(), found.ino()));
        part
    }

    fn script(dir: &Path, name: &str, first_line: &str) -> Opened {
        let path = dir.join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        writeln!(file, "{first_line}").unwrap();
        opened(&path)
    }

    #[test]
    fn what_the_file_before_names_belongs_to_its_exec() {
        let dir = tempfile::tempdir().unwrap();
        let inner = script(dir.path(), "inner", "plain text");
        // By a link, as `/bin/sh` is one.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("inner"), &link).unwrap();
        let outer = script(dir.path(), "outer", &format!("#!{} x", link.display()));
        let mut chains = Chains::default();
        assert_eq!(part(&mut chains, 7, &outer), Part::Another);
        // Another process knows nothing of it.
        assert_eq!(part(&mut chains, 8, &inner), Part::Another);
        assert_eq!(part(&mut chains, 7, &inner), Part::Further);
        // A second exec of the same file.
        assert_eq!(part(&mut chains, 7, &inner), Part::Another);
    }

    #[test]
    fn what_the_file_before_does_not_name_is_another_exec() {
        let dir = tempfile::tempdir().unwrap();
        let other = script(dir.path(), "other", "plain text");
        let outer = script(dir.path(), "outer", "#!/no/such/interpreter");
        let mut chains = Chains::default();
        assert_eq!(part(&mut chains, 7, &outer), Part::Another);
        assert_eq!(part(&mut chains, 7, &other), Part::Another);
    }

    /// The overlay itself is seen in guests.
    #[test]
    fn a_copy_on_another_filesystem_is_no_file_of_an_overlay() {
        let file = |device, content| File {
            id: (device, 5),
            content,
        };
        assert!(file(1, (10, 20, 30)).shows(&file(2, (10, 20, 30))));
        assert!(!file(1, (10, 20, 30)).shows(&file(1, (10, 20, 30))));
        assert!(!file(1, (10, 20, 30)).shows(&file(2, (10, 20, 31))));
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(!on_overlay(fstatfs(&proc)));
    }

    #[test]
    fn those_that_never_came_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let outer = script(dir.path(), "outer", "#!/no/such/interpreter");
        let mut chains = Chains::default();
        let most = u32::try_from(MOST).unwrap();
        for pid in 1..3 * most {
            part(&mut chains, pid, &outer);
            assert!(chains.last.len() <= MOST);
        }
    }
}
