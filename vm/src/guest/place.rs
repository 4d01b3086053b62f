//! What one guest has on the host while it runs: a temporary folder with its files.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use execlab_model::frame::{self, Nonce, PLAN_MAGIC};
use tempfile::TempDir;

use super::GuestError;
use crate::qemu::{Files, Machine};

/// How much of the end of a serial log is quoted in a reason.
const QUOTE: usize = 600;

/// With the number of the process that uses the folder after it.
const PREFIX: &str = "execlab-guest-";

/// Removes the folders of guests whose process is gone: one that was killed leaves them behind.
pub fn sweep() {
    sweep_in(&std::env::temp_dir());
}

fn sweep_in(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        // Another user's cannot be removed, and need not be.
        if let Some(pid) = owner
            && !Path::new("/proc").join(pid.to_string()).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The files of a guest; the folder goes when this is dropped, the serial log stays.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
    channel: File,
    size: u64,
    serial: PathBuf,
}

impl Place {
    /// With a channel of zeros and an empty serial log.
    pub(crate) fn new(machine: &Machine, serial: &Path) -> Result<Self, GuestError> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir()
            .map_err(GuestError::host("make a temporary folder"))?;
        let size = u64::from(machine.channel_mib) << 20;
        let channel = create_channel(&dir.path().join("channel"), size)
            .map_err(GuestError::host("make the shared memory of the channel"))?;
        let place = Self {
            dir,
            channel,
            size,
            serial: serial.to_owned(),
        };
        for file in [&place.serial, &place.marks_path()] {
            File::create(file).map_err(GuestError::host(format!("write {}", file.display())))?;
        }
        Ok(place)
    }

    fn marks_path(&self) -> PathBuf {
        self.dir.path().join("marks")
    }

    /// Hands the paths to `use_them`, as QEMU's arguments want them.
    pub(crate) fn files<T>(
        &self,
        kernel: &Path,
        initramfs: &Path,
        use_them: impl FnOnce(&Files<'_>) -> T,
    ) -> T {
        use_them(&Files {
            kernel,
            initramfs,
            channel: &self.dir.path().join("channel"),
            marks: &self.marks_path(),
            serial: &self.serial,
        })
    }

    /// Where QEMU's own errors go.
    pub(crate) fn printed_path(&self) -> PathBuf {
        self.dir.path().join("printed")
    }

    /// Puts the plan where the guest looks for it.
    pub(crate) fn write_plan(&self, nonce: &Nonce, plan: &[u8]) -> Result<(), GuestError> {
        let framed = frame::encode(PLAN_MAGIC, nonce, plan);
        let put = if framed.len() as u64 > self.size {
            let what = format!("{} bytes, and it holds {}", framed.len(), self.size);
            Err(io::Error::new(io::ErrorKind::StorageFull, what))
        } else {
            self.channel.write_all_at(&framed, 0)
        };
        put.map_err(GuestError::host("put the plan into the channel"))
    }

    /// The bytes of the frame in the channel: not the whole region, which is mostly zeros.
    pub(crate) fn read_frame(&self) -> Result<Vec<u8>, GuestError> {
        let read = || -> io::Result<Vec<u8>> {
            let mut header = [0; 32];
            self.channel.read_exact_at(&mut header, 0)?;
            let length = u64::from_le_bytes(header[24..].try_into().expect("8 bytes"));
            let payload = usize::try_from(length.min(self.size)).map_err(io::Error::other)?;
            let framed = (frame::framed_len(payload) as u64).min(self.size);
            let mut bytes = vec![0; usize::try_from(framed).map_err(io::Error::other)?];
            self.channel.read_exact_at(&mut bytes, 0)?;
            Ok(bytes)
        };
        read().map_err(GuestError::host("read the channel"))
    }

    /// How long the guest's marks are by now.
    pub(crate) fn marks_length(&self) -> u64 {
        fs::metadata(self.marks_path()).map_or(0, |metadata| metadata.len())
    }

    /// The guest's marks.
    pub(crate) fn marks(&self) -> Vec<u8> {
        fs::read(self.marks_path()).unwrap_or_default()
    }

    /// The stage that the guest reached, as a part of a sentence.
    pub(crate) fn stage(&self) -> String {
        let marks = String::from_utf8_lossy(&self.marks()).into_owned();
        let last = marks.lines().last();
        last.map_or_else(|| "booting".to_owned(), |mark| format!("`{mark}`"))
    }

    /// The end of the serial log, as a part of a sentence.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(&self.serial).unwrap_or_default();
        let end = &text[text.len().saturating_sub(QUOTE)..];
        let text = String::from_utf8_lossy(end);
        let lines: Vec<_> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        if lines.is_empty() {
            "; its console is empty".into()
        } else {
            format!("; its console ends with: {}", lines.join(" | "))
        }
    }
}

fn create_channel(path: &Path, size: u64) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    // Reserved, not only sized: a full disk is to be known now, and not as a SIGBUS later.
    let length = i64::try_from(size).map_err(io::Error::other)?;
    nix::fcntl::posix_fallocate(&file, 0, length)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_are_gone_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let gone = {
            let mut child = std::process::Command::new("true").spawn().unwrap();
            child.wait().unwrap();
            child.id()
        };
        let own = format!("{PREFIX}{}-a", std::process::id());
        let names = [
            &format!("{PREFIX}{gone}-b"),
            &own,
            "execlab-guest-x-c",
            "other",
        ];
        for name in names {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        sweep_in(dir.path());
        let there: Vec<bool> = names
            .iter()
            .map(|name| dir.path().join(name).exists())
            .collect();
        assert_eq!(there, [false, true, true, true]);
    }
}
