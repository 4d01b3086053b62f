//! Which events belong to one exec.
//!
//! The kernel opens one file after the other for an exec, and each open is an event of its own: the file that
//! was asked for, the interpreter of a script, that one's interpreter, and the loader of a dynamic
//! program (`do_open_execat` and `open_exec`, `fs/exec.c`). The events of one process come in that order, and the
//! file of each says which one is next ([`opens_next`]). So an event whose file is the one that its
//! predecessor named is no exec of its own; the first event is, and its file is the one that was asked for.
//!
//! The predecessor's word is needed, not the order alone: an exec may fail between two opens, and a process
//! may execute twice.

use std::{
    collections::BTreeMap,
    os::{
        fd::BorrowedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

use super::head::opens_next;

/// Processes that ended before what they were to open next are forgotten together at this number.
const MOST: usize = 4096;

/// Device and inode.
pub type FileId = (u64, u64);

/// What each process is expected to open next for the exec that it has under way.
#[derive(Debug, Default)]
pub struct Chains {
    expected: BTreeMap<u32, Vec<u8>>,
}

impl Chains {
    /// Takes the next event of a process. Whether it belongs to the exec of the event before it.
    pub fn follows(&mut self, pid: u32, file: BorrowedFd<'_>, id: FileId, path: &[u8]) -> bool {
        let expected = self.expected.remove(&pid);
        if let Some(next) = opens_next(file) {
            if self.expected.len() >= MOST {
                self.expected.clear();
            }
            self.expected.insert(pid, next);
        }
        expected.is_some_and(|name| is_named(&name, pid, id, path))
    }
}

/// Whether a name as an executed file spells it means this file: by what it leads to from our root or from the
/// process's own, and where it leads nowhere any more by its letters.
fn is_named(name: &[u8], pid: u32, id: FileId, path: &[u8]) -> bool {
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    let leads_here = |name: &Path| {
        let found = std::fs::metadata(name);
        found.is_ok_and(|found| (found.dev(), found.ino()) == id)
    };
    let of_process = || {
        let mut inside = PathBuf::from(format!("/proc/{pid}/root"));
        inside.extend(name.components().skip(1));
        inside
    };
    name.as_os_str().as_bytes() == path
        || (name.is_absolute() && (leads_here(name) || leads_here(&of_process())))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write, os::fd::AsFd};

    use super::*;

    struct Opened(File, FileId, Vec<u8>);

    fn opened(path: &Path) -> Opened {
        let file = File::open(path).unwrap();
        let found = file.metadata().unwrap();
        let path = path.as_os_str().as_bytes().to_vec();
        Opened(file, (found.dev(), found.ino()), path)
    }

    fn follows(chains: &mut Chains, pid: u32, opened: &Opened) -> bool {
        chains.follows(pid, opened.0.as_fd(), opened.1, &opened.2)
    }

    fn script(dir: &Path, name: &str, first_line: &str) -> Opened {
        let path = dir.join(name);
        let mut file = File::create(&path).unwrap();
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
        assert!(!follows(&mut chains, 7, &outer));
        // Another process knows nothing of it.
        assert!(!follows(&mut chains, 8, &inner));
        assert!(follows(&mut chains, 7, &inner));
        // A second exec of the same file.
        assert!(!follows(&mut chains, 7, &inner));
    }

    #[test]
    fn what_the_file_before_does_not_name_is_another_exec() {
        let dir = tempfile::tempdir().unwrap();
        let other = script(dir.path(), "other", "plain text");
        let outer = script(dir.path(), "outer", "#!/no/such/interpreter");
        let mut chains = Chains::default();
        assert!(!follows(&mut chains, 7, &outer));
        assert!(!follows(&mut chains, 7, &other));
    }

    #[test]
    fn those_that_never_came_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let outer = script(dir.path(), "outer", "#!/no/such/interpreter");
        let mut chains = Chains::default();
        let most = u32::try_from(MOST).unwrap();
        for pid in 1..3 * most {
            follows(&mut chains, pid, &outer);
            assert!(chains.expected.len() <= MOST);
        }
    }
}
