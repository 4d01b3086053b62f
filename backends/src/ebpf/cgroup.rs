//! Which cgroup (v2) is meant: by its number, or the one that this process is in.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::procfs_lookup::parse;

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup {
    /// The inode of its folder.
    pub id: u64,
    /// Its folder.
    pub folder: PathBuf,
}

impl Cgroup {
    /// The one of this process; `None` where it is the root.
    pub(super) fn own() -> io::Result<Option<Self>> {
        let text = fs::read("/proc/self/cgroup")?;
        let path = parse::cgroup(&text)
            .and_then(|path| std::str::from_utf8(path).ok())
            .ok_or_else(|| io::Error::other("/proc/self/cgroup names no cgroup of version 2"))?;
        Self::at(Path::new(ROOT), PathBuf::from(format!("{ROOT}{path}")))
    }

    /// The one with this id; `None` where no folder below the root has it.
    pub(super) fn of(id: u64) -> io::Result<Option<Self>> {
        Self::search(Path::new(ROOT), id)
    }

    fn at(root: &Path, folder: PathBuf) -> io::Result<Option<Self>> {
        let id = fs::metadata(&folder)?.ino();
        Ok((id != fs::metadata(root)?.ino()).then_some(Self { id, folder }))
    }

    fn search(root: &Path, id: u64) -> io::Result<Option<Self>> {
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            // A cgroup can be gone by now.
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.filter_map(Result::ok) {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                if entry.metadata().is_ok_and(|folder| folder.ino() == id) {
                    return Self::at(root, entry.path());
                }
                open.push(entry.path());
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_its_number_and_the_root_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir(root.path().join("c")).unwrap();
        let id = fs::metadata(&folder).unwrap().ino();
        let found = Cgroup::search(root.path(), id).unwrap();
        assert_eq!(Cgroup::at(root.path(), folder.clone()).unwrap(), found);
        assert_eq!(found, Some(Cgroup { id, folder }));
        let top = root.path().to_owned();
        assert_eq!(Cgroup::at(root.path(), top).unwrap(), None);
        let none = fs::metadata(root.path()).unwrap().ino();
        assert_eq!(Cgroup::search(root.path(), none).unwrap(), None);
    }
}
