//! One guest from its start to its end.
//!
//! Its verdict is the frame that it left in the shared memory, and nothing else: not QEMU's exit
//! status, not what stands on the console, not silence. Three clocks end a guest that goes nowhere.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::{fs::FileExt, process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use execlab_model::frame::{self, FrameError, Nonce, PLAN_MAGIC, RECORD_MAGIC};

use crate::qemu::{Files, Machine, Qemu};

mod clocks;

pub use clocks::{Clocks, RanOut};

/// How often a running guest is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What QEMU ends with when its guest ends: by itself (a panic with `-no-reboot`), or through
/// `isa-debug-exit`, which makes twice the value plus one of it. Anything else is QEMU's own trouble.
const GUEST_ENDS: [i32; 3] = [0, 33, 35];
/// How much of the end of a serial log is quoted in a reason.
const QUOTE: usize = 600;

/// One guest to be run.
#[derive(Debug)]
pub struct Guest<'a> {
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The machine.
    pub machine: &'a Machine,
    /// The ELF kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// Ties plan and record to this trial.
    pub nonce: &'a Nonce,
    /// What goes in.
    pub plan: &'a [u8],
    /// Where the serial log is kept, whatever happens.
    pub serial_log: &'a Path,
    /// When to give up.
    pub clocks: Clocks,
}

/// Why nothing came out of a guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The guest is at fault: it panicked, hung or stopped short.
    #[error("{0}")]
    Lost(String),
    /// The host is at fault.
    #[error("cannot {what}: {source}")]
    Host {
        /// What was to be done, to what.
        what: String,
        /// What the system answered.
        source: io::Error,
    },
    /// QEMU did not end because its guest did.
    #[error("QEMU itself broke off ({status}): {printed}")]
    Qemu {
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        printed: String,
    },
}

impl GuestError {
    fn host(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Host { what, source }
    }
}

impl Guest<'_> {
    /// Runs it and returns the record.
    pub fn run(&self) -> Result<Vec<u8>, GuestError> {
        let dir = tempfile::Builder::new()
            .prefix("execlab-guest-")
            .tempdir()
            .map_err(GuestError::host("make a temporary folder"))?;
        let (channel_path, marks) = (dir.path().join("channel"), dir.path().join("marks"));
        let channel = self.open_channel(&channel_path)?;
        File::create(self.serial_log).map_err(GuestError::host(format!(
            "write {}",
            self.serial_log.display()
        )))?;
        File::create(&marks).map_err(GuestError::host(format!("write {}", marks.display())))?;
        let printed = dir.path().join("printed");
        let files = Files {
            kernel: self.kernel,
            initramfs: self.initramfs,
            channel: &channel_path,
            marks: &marks,
            serial: self.serial_log,
        };
        let mut running = self.start(&files, &printed)?;
        let ended = self.watch(&mut running, &marks)?;
        self.collect(&channel, &ended, &marks, &printed)
    }

    fn open_channel(&self, path: &Path) -> Result<File, GuestError> {
        let size = u64::from(self.machine.channel_mib) << 20;
        let framed = frame::encode(PLAN_MAGIC, self.nonce, self.plan);
        if framed.len() as u64 > size {
            return Err(GuestError::host("put the plan into the channel")(
                io::Error::new(
                    io::ErrorKind::StorageFull,
                    format!("{} bytes, and it holds {size}", framed.len()),
                ),
            ));
        }
        let create = || -> io::Result<File> {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)?;
            // Reserved, not only sized: a full disk is to be known now, and not as a SIGBUS later.
            let length = i64::try_from(size).map_err(io::Error::other)?;
            nix::fcntl::posix_fallocate(&file, 0, length)?;
            file.write_all(&framed)?;
            Ok(file)
        };
        create().map_err(GuestError::host("make the shared memory of the channel"))
    }

    fn start(&self, files: &Files<'_>, printed: &Path) -> Result<Running, GuestError> {
        let output = File::create(printed).map_err(GuestError::host("keep what QEMU prints"))?;
        let mut command = Command::new(self.qemu.program());
        command
            .args(self.machine.arguments(files))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let parent = std::process::id();
        // SAFETY: prctl and getppid are async-signal-safe and touch no memory.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // The parent may have died before the line above took effect.
                if libc::getppid().unsigned_abs() != parent {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Ok(())
            });
        }
        let program = self.qemu.program().display().to_string();
        command
            .spawn()
            .map(Running)
            .map_err(GuestError::host(format!("start {program}")))
    }

    /// Waits for the end of QEMU, or of one of the clocks.
    fn watch(&self, running: &mut Running, marks: &Path) -> Result<Ended, GuestError> {
        let mut clocks = self.clocks.start(Instant::now());
        loop {
            let exited = running
                .0
                .try_wait()
                .map_err(GuestError::host("wait for QEMU to end"))?;
            if let Some(status) = exited {
                return Ok(Ended::Exited(status));
            }
            let length = fs::metadata(marks).map_or(0, |metadata| metadata.len());
            if let Some(ran_out) = clocks.look(Instant::now(), length) {
                return Ok(Ended::RanOut(ran_out));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn collect(
        &self,
        channel: &File,
        ended: &Ended,
        marks: &Path,
        printed: &Path,
    ) -> Result<Vec<u8>, GuestError> {
        let stage = fs::read_to_string(marks).unwrap_or_default();
        let stage = stage.lines().last().map(str::to_owned);
        if let Ended::Exited(status) = ended
            && !GUEST_ENDS.iter().any(|&code| status.code() == Some(code))
        {
            let printed = fs::read_to_string(printed).unwrap_or_default();
            return Err(GuestError::Qemu {
                status: *status,
                printed: printed.trim().to_owned(),
            });
        }
        let framed = self
            .read_frame(channel)
            .map_err(GuestError::host("read the channel"))?;
        match frame::decode_for(RECORD_MAGIC, self.nonce, &framed) {
            Ok(record) => Ok(record.to_vec()),
            Err(error) => {
                let how = match ended {
                    Ended::Exited(_) => "the guest ended".to_owned(),
                    Ended::RanOut(ran_out) => ran_out.to_string(),
                };
                let stage = stage.map_or_else(|| "booting".into(), |mark| format!("`{mark}`"));
                let left = match error {
                    FrameError::Magic { .. } => "without a record".to_owned(),
                    error => format!("with a record that is not whole: {error}"),
                };
                let log = quote_end(self.serial_log);
                Err(GuestError::Lost(format!("{how} after {stage} {left}{log}")))
            }
        }
    }

    /// The frame's bytes: not the whole region, which is mostly zeros.
    fn read_frame(&self, channel: &File) -> io::Result<Vec<u8>> {
        let size = u64::from(self.machine.channel_mib) << 20;
        let mut header = [0; 32];
        channel.read_exact_at(&mut header, 0)?;
        let length = u64::from_le_bytes(header[24..].try_into().expect("8 bytes"));
        let payload = usize::try_from(length.min(size)).map_err(io::Error::other)?;
        let framed = (frame::framed_len(payload) as u64).min(size);
        let mut bytes = vec![0; usize::try_from(framed).map_err(io::Error::other)?];
        channel.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// How the watch ended.
enum Ended {
    Exited(ExitStatus),
    RanOut(RanOut),
}

/// A running QEMU; killed and reaped when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The end of a serial log, as a part of a sentence.
fn quote_end(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
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

#[cfg(test)]
mod tests;
