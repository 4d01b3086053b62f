//! A download on its way: what has come so far, on disk, with the state of its hash.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::fetch::{Download, FetchError};
use crate::digest::Hasher;

/// What has come so far, on disk, with the state of its hash.
pub struct Part {
    path: PathBuf,
    file: File,
    /// How many bytes are there.
    pub got: u64,
    size: u64,
    hasher: Hasher,
}

impl Part {
    /// Takes up what an earlier run left, if it can be a beginning of what is wanted.
    pub fn open(wanted: &Download<'_>) -> Result<Self, FetchError> {
        let mut name = wanted.to.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let mut hasher = Hasher::default();
        let opened = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .and_then(|mut file| Ok((hasher.read_all(&mut file)?, file)));
        let (got, file) = opened.map_err(|source| write_error(&path, wanted.size, source))?;
        let mut part = Self {
            path,
            file,
            got,
            size: wanted.size,
            hasher,
        };
        // Whole but not what is wanted, or even longer: not a beginning of it.
        if got > wanted.size
            || (got == wanted.size && part.hasher.clone().finish() != *wanted.sha256)
        {
            part.restart()?;
        }
        Ok(part)
    }

    /// Throws away what is there.
    pub fn restart(&mut self) -> Result<(), FetchError> {
        self.got = 0;
        self.hasher = Hasher::default();
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map(drop)
            .map_err(|source| write_error(&self.path, self.size, source))
    }

    /// Adds some more bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file
            .write_all(bytes)
            .map_err(|source| write_error(&self.path, self.size, source))?;
        self.hasher.update(bytes);
        self.got += bytes.len() as u64;
        Ok(())
    }

    /// Deletes the file.
    pub fn delete(&mut self) {
        // The error that follows says more than a failure to delete could.
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the file its name, if it is what it should be.
    pub fn finish(mut self, wanted: &Download<'_>) -> Result<(), FetchError> {
        let found = self.hasher.clone().finish();
        if found != *wanted.sha256 {
            self.delete();
            return Err(FetchError::Corrupt {
                url: wanted.url.to_owned(),
                what: format!("its sha256 is {found} instead of {}", wanted.sha256),
            });
        }
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, wanted.to))
            .map_err(|source| write_error(&self.path, self.size, source))
    }
}

pub(super) fn write_error(path: &Path, size: u64, source: io::Error) -> FetchError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            FetchError::NoSpace { path, size }
        }
        _ => FetchError::Write { path, source },
    }
}
