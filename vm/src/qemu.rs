//! Finding QEMU, and the command line of the exact lab.

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::digest::Hasher;

/// The program, unless the environment names another.
const PROGRAM: &str = "qemu-system-x86_64";
/// Names the program to use in its place.
pub const PROGRAM_VARIABLE: &str = "EXECLAB_QEMU";
/// `-seed` came with 2.12 and `isa-debugcon` long before; `sleep=off` with `-rtc clock=vm` as used here
/// was tried from 7.2 on (reference: Debian 12).
const OLDEST: (u32, u32) = (7, 2);

/// What every guest kernel is told, and why:
/// `panic=-1 oops=panic softlockup_panic=1`: a broken guest ends at once; `mitigations=off nokaslr norandmaps
/// random.trust_cpu=off`: no dependence on CPU bugs of the model and on randomness;
/// `no_timer_check tsc=reliable`: timers are exact here and need no watchdog.
const KERNEL_OPTIONS: &str = "console=ttyS0 quiet panic=-1 oops=panic softlockup_panic=1 mitigations=off nokaslr \
    norandmaps no_timer_check random.trust_cpu=off tsc=reliable";

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
        let program = std::env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| PROGRAM.into());
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

/// A machine of the exact lab: one virtual CPU on TCG, one instruction a nanosecond, idle time
/// skipped, and no device whose completion depends on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Size of the shared memory of the channel in MiB, a power of two.
    pub channel_mib: u32,
    /// Added to the kernel's command line.
    pub boot: Vec<String>,
}

/// What a QEMU is started for. Nothing in the guest can tell one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To boot and go on without a stop.
    Boot,
    /// To boot, and to stop when the guest's watchdog expires.
    BootAndStop,
    /// To wait for the state of a guest that was stopped, and to go on from there.
    Restore,
}

impl Purpose {
    fn arguments(self) -> Vec<OsString> {
        let on_watchdog = match self {
            Self::BootAndStop => "watchdog=pause",
            Self::Boot | Self::Restore => "watchdog=none",
        };
        let talk: &[&str] = match self {
            Self::Boot => &[],
            Self::BootAndStop => &["-qmp", "stdio"],
            Self::Restore => &["-qmp", "stdio", "-incoming", "defer"],
        };
        ["-action", on_watchdog]
            .iter()
            .chain(talk)
            .map(Into::into)
            .collect()
    }
}

/// The files of one guest on the host.
#[derive(Debug)]
pub struct Files<'a> {
    /// The ELF kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The shared memory.
    pub channel: &'a Path,
    /// Where progress marks go.
    pub marks: &'a Path,
    /// Where the serial port goes.
    pub serial: &'a Path,
}

impl Machine {
    /// The arguments for QEMU.
    pub fn arguments(&self, purpose: Purpose, files: &Files<'_>) -> Vec<OsString> {
        let option = |start: String, path: &Path| {
            // A comma in a path would end the option; QEMU takes it doubled.
            let path = path.to_string_lossy().replace(',', ",,");
            OsString::from(format!("{start}{path}"))
        };
        let channel = self.channel();
        let with_path = |argument: String| {
            if argument == channel {
                option(format!("{argument},mem-path="), files.channel)
            } else {
                argument.into()
            }
        };
        let mut arguments: Vec<OsString> = self.fixed().into_iter().map(with_path).collect();
        arguments.extend([
            "-kernel".into(),
            files.kernel.into(),
            "-initrd".into(),
            // QEMU takes a list here, with commas between.
            option(String::new(), files.initramfs),
            "-chardev".into(),
            option("file,id=marks,path=".into(), files.marks),
            "-chardev".into(),
            option("file,id=serial,path=".into(), files.serial),
        ]);
        arguments.extend(purpose.arguments());
        arguments
    }

    /// The shared memory; where its file is comes after it.
    fn channel(&self) -> String {
        let size = self.channel_mib;
        format!("memory-backend-file,id=shm,share=on,size={size}M")
    }

    /// The arguments without any path: what decides a trial's figures beside the files' contents, and
    /// what two machines share that can be restored from one image.
    pub fn fixed(&self) -> Vec<String> {
        let memory = self.memory_mib.to_string();
        let channel = self.channel();
        let append = [KERNEL_OPTIONS]
            .into_iter()
            .chain(self.boot.iter().map(String::as_str))
            .collect::<Vec<_>>();
        let append = append.join(" ");
        [
            &[
                "-no-user-config",
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
            ][..],
            &[
                "-accel",
                "tcg,thread=single",
                "-icount",
                "shift=0,sleep=off,align=off",
            ],
            &["-M", "q35", "-cpu", "qemu64", "-smp", "1", "-m", &memory],
            &["-rtc", "base=2020-01-01,clock=vm", "-seed", "1"],
            &["-object", &channel],
            &["-device", "ivshmem-plain,memdev=shm,master=on"],
            &["-device", "isa-debug-exit,iobase=0xf4"],
            // A watchdog that the guest starts once: what stops it for a warm image.
            &["-device", "ib700"],
            &[
                "-device",
                "isa-debugcon,iobase=0xe9,chardev=marks",
                "-serial",
                "chardev:serial",
            ],
            &["-append", &append],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    }
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
    fn a_missing_program_says_what_to_install() {
        let error = Qemu::at("/nonexistent/qemu".into())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("qemu-system-x86") && error.contains(PROGRAM_VARIABLE),
            "{error}"
        );
    }

    #[test]
    fn the_fixed_part_holds_no_path_and_every_boot_option() {
        let machine = Machine {
            memory_mib: 256,
            channel_mib: 16,
            boot: vec!["audit=1".into()],
        };
        let fixed = machine.fixed();
        assert!(fixed.iter().all(|argument| !argument.starts_with('/')));
        assert!(fixed.last().unwrap().ends_with(" audit=1"));
        let files = Files {
            kernel: Path::new("/k"),
            initramfs: Path::new("/i,1"),
            channel: Path::new("/c,2"),
            marks: Path::new("/m"),
            serial: Path::new("/s"),
        };
        let all = machine.arguments(Purpose::Boot, &files);
        assert!(all.contains(&"/i,,1".into()));
        assert!(!all.contains(&"-qmp".into()));
        assert!(
            all.iter()
                .any(|a| a.to_string_lossy().ends_with("size=16M,mem-path=/c,,2"))
        );
        let larger = Machine {
            channel_mib: 32,
            ..machine.clone()
        };
        assert_ne!(larger.fixed(), machine.fixed());
    }
}
