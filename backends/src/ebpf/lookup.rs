//! Looks up in `/proc` what an event does not bring: file and arguments.

use execlab_model::sighting::Sighting;

use crate::{
    AttachError,
    procfs_lookup::{Depth, Procfs},
};

/// A reader of `/proc`.
pub(super) struct Lookup {
    proc: Procfs,
}

impl Lookup {
    /// Opens `/proc`.
    pub(super) fn open() -> Result<Self, AttachError> {
        let proc = Procfs::open().map_err(AttachError::call("open /proc"))?;
        Ok(Self { proc })
    }

    /// Adds path and arguments, where the process is still there and executes the file of the event. An event
    /// knows the inode of its file, so another process with the same number, and a later image of the same one,
    /// are found out unless they execute that very file.
    pub(super) fn fill(&mut self, sighting: &mut Sighting) {
        let Some(process) = sighting.pid.and_then(|pid| self.proc.process(pid)) else {
            return;
        };
        let mut found = Sighting::default();
        process.perishable(&mut self.proc, Depth::Full, &mut found);
        if inode(&found) == inode(sighting) {
            sighting.path = found.path;
            sighting.argv = found.argv;
            sighting.truncated = found.truncated;
        }
    }
}

/// Not the device, on which `stat` and the file system itself can disagree.
fn inode(sighting: &Sighting) -> Option<u64> {
    sighting.file.map(|(_, inode)| inode)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn of_this_process(inode: u64) -> Sighting {
        let mut sighting = Sighting {
            pid: Some(std::process::id()),
            file: Some((7, inode)),
            ..Sighting::default()
        };
        Lookup::open().unwrap().fill(&mut sighting);
        sighting
    }

    #[test]
    fn what_is_executed_now_is_told_only_of_the_file_of_the_event() {
        let exe = std::env::current_exe().unwrap();
        let inode = std::fs::metadata(&exe).unwrap().ino();
        let mine = of_this_process(inode);
        assert_eq!(
            mine.path.unwrap().as_slice(),
            exe.as_os_str().as_encoded_bytes()
        );
        assert!(mine.argv.is_some());
        assert_eq!(mine.file, Some((7, inode)));
        let other = of_this_process(inode + 1);
        assert_eq!((other.path, other.argv), (None, None));
    }
}
