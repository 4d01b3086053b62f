//! Where files can be written, and how much.

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::{
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};

/// What there is for a folder, which need not be there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The folder itself, or the nearest above it that is there.
    pub at: PathBuf,
    /// Whether files can be made in it.
    pub writable: bool,
    /// How much this user can write, in bytes.
    pub free: u64,
}

impl Room {
    /// Looks, and makes nothing.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let at = folder.ancestors().find(|above| above.exists());
        let at = at.unwrap_or(Path::new("/")).to_owned();
        if !at.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let disk = statvfs(&at)?;
        Ok(Self {
            writable: access(&at, AccessFlags::W_OK | AccessFlags::X_OK).is_ok(),
            free: disk.blocks_available() * disk.fragment_size(),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_what_is() {
        let dir = tempfile::tempdir().unwrap();
        let there = Room::of(dir.path()).unwrap();
        let not_yet = Room::of(&dir.path().join("a/b")).unwrap();
        assert_eq!((&not_yet.at, not_yet.writable), (&there.at, true));
        std::fs::write(dir.path().join("file"), "").unwrap();
        let below_a_file = Room::of(&dir.path().join("file/a")).unwrap_err();
        assert_eq!(below_a_file.kind(), io::ErrorKind::NotADirectory);
        // Nobody makes files there, root neither.
        assert!(!Room::of(Path::new("/proc/sys")).unwrap().writable);
    }
}
