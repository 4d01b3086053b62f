//! Bytes as a file, for readers that take a path.

use std::{
    fs::File,
    io::Write as _,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// A file in memory that has a path as long as this lives.
#[derive(Debug)]
pub struct AsFile {
    _file: File,
    path: PathBuf,
}

impl AsFile {
    /// A file that holds these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let file = memfd_create("fuzzing", MFdFlags::MFD_CLOEXEC).expect("memory for a small file");
        let mut file = File::from(file);
        file.write_all(bytes).expect("memory for a small file");
        let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        Self { _file: file, path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
