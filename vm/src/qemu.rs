//! Finding QEMU, and its command lines.

use std::{
    env, fmt,
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    process::Command,
    time::UNIX_EPOCH,
};

use crate::digest::Hasher;

mod machine;

pub use machine::{Accelerator, Engine, Files, Machine, Purpose};

/// The program, unless the environment names another.
const PROGRAM: &str = "qemu-system-x86_64";
/// Names the program to use in its place.
pub const PROGRAM_VARIABLE: &str = "EXECLAB_QEMU";
/// `-seed` came with 2.12 and `isa-debugcon` long before; `sleep=off` with `-rtc clock=vm` as used here
/// was tried from 7.2 on (reference: Debian 12).
const OLDEST: (u32, u32) = (7, 2);

/// A QEMU that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qemu {
    program: PathBuf,
    /// As it says itself, with the firmware that it boots guests with, which is packaged apart:
    /// `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18), firmware 0123456789ab`.
    pub version: String,
}

/// Why there is no usable QEMU.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// It could not be started.
    #[error(
        "cannot start {program}: {source}; install it (Debian: apt-get install qemu-system-x86), or name another in {PROGRAM_VARIABLE}"
    )]
    Start {
        /// What was tried.
        program: String,
        /// What the system answered.
        source: io::Error,
    },
    /// It did not say its version as QEMU does.
    #[error("{program} is no QEMU: `--version` printed {printed:?}")]
    NoVersion {
        /// What was tried.
        program: String,
        /// What it printed.
        printed: String,
    },
    /// It is older than what the exact lab was proved with.
    #[error("{program} is QEMU {version}; the exact lab needs {}.{} or newer", OLDEST.0, OLDEST.1)]
    TooOld {
        /// What was tried.
        program: String,
        /// Its version.
        version: String,
    },
}

impl Qemu {
    /// The one that the environment names, else the one on the path.
    pub fn find() -> Result<Self, QemuError> {
        let program = env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| PROGRAM.into());
        Self::at(program.into())
    }

    /// The one at this path.
    pub fn at(program: PathBuf) -> Result<Self, QemuError> {
        let name = || program.display().to_string();
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .map_err(|source| QemuError::Start {
                program: name(),
                source,
            })?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some((version, number)) = parse_version(&printed) else {
            return Err(QemuError::NoVersion {
                program: name(),
                printed,
            });
        };
        if number < OLDEST {
            return Err(QemuError::TooOld {
                program: name(),
                version,
            });
        }
        let version = format!("{version}, firmware {}", firmware(&program));
        Ok(Self { program, version })
    }

    /// The program itself.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What tells two builds of one version apart without reading them: the program's length in bytes and when it was
    /// made, in seconds; `None` where it is not to be found any more.
    pub fn build(&self) -> Option<String> {
        let about = |place: PathBuf| place.metadata().ok().filter(Metadata::is_file);
        // As `execvp` does: a name with a slash is not looked for.
        let about = if self.program.components().count() > 1 {
            about(self.program.clone())?
        } else {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).find_map(|folder| about(folder.join(&self.program)))?
        };
        let made = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{:x}-{:x}", about.len(), made.as_secs()))
    }
}

/// What is in memory before the kernel: `SeaBIOS`, the loader of ELF kernels, and the ROM that patches
/// task priorities (hw/i386 in QEMU's sources).
const FIRMWARE: [&str; 3] = ["bios-256k.bin", "pvh.bin", "kvmvapic.bin"];

/// The start of the hash of the firmware that this QEMU finds; `none` where it has no such files, as
/// one that carries them inside.
fn firmware(program: &Path) -> String {
    let listed = Command::new(program).args(["-L", "help"]).output();
    let folders = listed.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).into(),
    );
    let mut hash = Hasher::default();
    let mut found = false;
    for name in FIRMWARE {
        // The first folder that has it, as QEMU itself looks.
        let mut places = folders.lines().map(|folder| Path::new(folder).join(name));
        if let Some(bytes) = places.find_map(|place| std::fs::read(place).ok()) {
            found = true;
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
    }
    if found {
        hash.finish().as_str()[..12].to_owned()
    } else {
        "none".to_owned()
    }
}

/// `7.2.22 (Debian …)` and (7, 2) from `QEMU emulator version 7.2.22 (Debian …)`.
fn parse_version(printed: &str) -> Option<(String, (u32, u32))> {
    let version = printed
        .lines()
        .next()?
        .strip_prefix("QEMU emulator version ")?
        .trim();
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let number = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((version.to_owned(), number))
}

impl fmt::Display for Qemu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QEMU {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_qemu_prints() {
        let printed = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) …\n";
        let (version, number) = parse_version(printed).unwrap();
        assert_eq!(
            (version.as_str(), number),
            ("10.0.2 (Debian 1:10.0.2+ds-2)", (10, 0))
        );
        assert_eq!(parse_version("busybox\n"), None);
    }

    #[test]
    fn two_builds_of_one_version_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let build = |name: &str, text: &str| {
            let program = dir.path().join(name);
            std::fs::write(&program, text).unwrap();
            let version = "7.2.22".to_owned();
            Qemu { program, version }.build().unwrap()
        };
        let first = build("a", "one");
        assert_ne!(first, build("b", "another"), "of another length");
        let file = std::fs::File::options()
            .append(true)
            .open(dir.path().join("a"));
        file.unwrap().set_modified(UNIX_EPOCH).unwrap();
        let qemu = Qemu {
            program: dir.path().join("a"),
            version: String::new(),
        };
        assert_ne!(qemu.build(), Some(first), "of another time");
        let gone = Qemu {
            program: dir.path().join("c"),
            version: String::new(),
        };
        assert_eq!(gone.build(), None);
    }

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error = Qemu::at("/nonexistent/qemu".into())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("qemu-system-x86") && error.contains(PROGRAM_VARIABLE),
            "{error}"
        );
    }
}
