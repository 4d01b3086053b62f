//! What one guest has on the host while it runs: a temporary folder with its files.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use execlab_model::frame::{self, Nonce, PLAN_MAGIC};
use tempfile::TempDir;

use super::GuestError;
use crate::qemu::{Files, Machine};

/// How much of the end of a serial log is quoted in a reason.
const QUOTE: usize = 600;
/// How much of a file that a guest writes is read at all.
const MOST_READ: u64 = 16 << 20;
/// How a kernel begins to say what befell it. More follows than is quoted, so the first such line is
/// quoted too.
const TROUBLE: [&str; 7] = [
    "Kernel panic",
    "BUG:",
    "Oops",
    "soft lockup",
    "invalid opcode",
    "general protection fault",
    "Out of memory",
];

/// With the number of the process that uses the folder after it.
const PREFIX: &str = "execlab-guest-";

/// Removes the folders of guests whose process is gone: one that was killed leaves them behind.
pub fn sweep() {
    let gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
    sweep_in(&std::env::temp_dir(), gone);
}

/// Removes the folders of this process's guests, for one that ends at once without dropping anything.
pub fn sweep_own() {
    sweep_in(&std::env::temp_dir(), |pid| pid == std::process::id());
}

fn sweep_in(dir: &Path, is_left: impl Fn(u32) -> bool) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        // Another user's cannot be removed, and need not be.
        if let Some(pid) = owner
            && is_left(pid)
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
            let mut header = [0; frame::HEADER];
            self.channel.read_exact_at(&mut header, 0)?;
            // The guest may have written any length there: the region is all that is read.
            let framed = frame::told_len(&header).min(self.size);
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

    /// How much the guest has printed, on its console or as marks, whichever is longer.
    pub(crate) fn printed_length(&self) -> u64 {
        let console = fs::metadata(&self.serial).map_or(0, |metadata| metadata.len());
        console.max(self.marks_length())
    }

    /// Whether the guest has printed this on its console.
    pub(crate) fn said(&self, word: &str) -> bool {
        read_text(&self.serial).contains(word)
    }

    /// The stage that the guest reached, as a part of a sentence.
    pub(crate) fn stage(&self) -> String {
        let marks = read_text(&self.marks_path());
        // What a flood of marks says is no stage.
        let last = marks.lines().last().filter(|mark| mark.len() < QUOTE);
        last.map_or_else(|| "booting".to_owned(), |mark| format!("`{mark}`"))
    }

    /// What the guest's kernel said of its trouble and the end of its console, as a part of a sentence.
    pub(crate) fn last_words(&self) -> String {
        let text = read_text(&self.serial);
        let mut from = text.len().saturating_sub(QUOTE);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let (before, end) = text.split_at(from);
        let lines: Vec<_> = end
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        if lines.is_empty() {
            return "; its console is empty".into();
        }
        let trouble = text
            .lines()
            .take_while(|line| line.as_ptr() < end.as_ptr())
            .find(|line| TROUBLE.iter().any(|word| line.contains(word)))
            .filter(|_| !before.is_empty());
        let first = trouble.map_or_else(String::new, |line| {
            let line: String = line.trim_end().chars().take(QUOTE).collect();
            format!("; its kernel said: {line}")
        });
        format!("{first}; its console ends with: {}", lines.join(" | "))
    }
}

/// What a guest wrote, as text, as far as it is read.
fn read_text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_READ).read_to_end(&mut bytes));
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
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
    fn the_first_word_of_trouble_is_quoted_with_the_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine {
            engine: crate::qemu::Engine::Counting,
            memory_mib: 64,
            channel_mib: 1,
            boot: Vec::new(),
        };
        let serial = dir.path().join("serial");
        let place = Place::new(&machine, &serial).unwrap();
        let trace = "[    1.0]  some_function+0x1/0x2\r\n".repeat(100);
        let text = format!("calm\r\nBUG: planted\r\n{trace}---[ end Kernel panic ]---\r\n");
        fs::write(&serial, &text).unwrap();
        let words = place.last_words();
        assert!(
            words.starts_with("; its kernel said: BUG: planted; its console ends with: "),
            "{words}"
        );
        assert!(words.ends_with("---[ end Kernel panic ]---"), "{words}");
        fs::write(&serial, "calm\nKernel panic\n").unwrap();
        let short = "; its console ends with: calm | Kernel panic";
        assert_eq!(place.last_words(), short);
        fs::write(&serial, [0xff; 4000]).unwrap();
        place.last_words();
    }

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
        sweep_in(dir.path(), |pid| pid == gone);
        let there: Vec<bool> = names
            .iter()
            .map(|name| dir.path().join(name).exists())
            .collect();
        assert_eq!(there, [false, true, true, true]);
    }
}
