//! One run at a time on a machine: two would measure each other.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The folder of all sessions, locked. The kernel lets go of it with its holder, however that ends.
#[derive(Debug)]
pub struct Claim {
    root: PathBuf,
    _lock: File,
}

impl Claim {
    /// Makes the folder and locks it; `None` where another run has it.
    pub fn take(root: &Path) -> io::Result<Option<Self>> {
        loop {
            fs::create_dir_all(root)?;
            let lock = match File::open(root) {
                // Its last holder has just taken the folder away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Its last holder may have taken the folder away meanwhile.
            let same = |there: fs::Metadata| Ok(there.ino() == lock.metadata()?.ino());
            if fs::metadata(root).and_then(same).unwrap_or(false) {
                return Ok(Some(Self {
                    root: root.to_owned(),
                    _lock: lock,
                }));
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // With a session in it, it stays: something is to be put back.
        let _ = fs::remove_dir(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_the_next_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("sessions");
        let first = Claim::take(&root).unwrap();
        assert!(first.is_some());
        assert!(Claim::take(&root).unwrap().is_none());
        drop(first);
        assert!(!root.exists());
        let again = Claim::take(&root).unwrap();
        fs::create_dir(root.join("7-0")).unwrap();
        drop(again);
        assert!(root.exists(), "a session is left");
    }
}
