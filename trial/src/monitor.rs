//! The monitor's process, held from outside, and its side of the seam, read from outside.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{fs::FileExt, process::CommandExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
};

use execlab_model::{
    seam::{Message, SeamError},
    sighting::Sighting,
};
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, dup2_raw, getpid},
};

use crate::{PADDING, Programs, TrialError, cgroups::Cgroups, die_with};

/// The descriptor of the seam in the monitor.
const SEAM_FD: i32 = 3;
/// How often the seam is looked at while somebody waits for it; never while the clock runs.
const LOOK_NS: u64 = 10_000_000;
/// How much of what it printed is kept.
const TAIL: usize = 4096;

/// A running monitor; killed when dropped.
#[derive(Debug)]
pub struct MonitorProcess {
    child: Child,
    ended: Option<ExitStatus>,
    seam: File,
    /// Up to where the seam was read.
    read: u64,
    messages: Vec<Message>,
    damage: Option<SeamError>,
    printed: File,
}

impl MonitorProcess {
    /// Starts `backend` in its cgroup, with a new seam and so many bytes more in its environment.
    pub fn start(
        programs: &Programs,
        cgroups: &Cgroups,
        backend: &str,
        settings: &BTreeMap<String, String>,
        padding: usize,
    ) -> Result<Self, TrialError> {
        let open = |name: &str| {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(programs.scratch.join(name))
                .map_err(TrialError::at(format!("make the file {name}")))
        };
        let (seam, printed) = (open("seam")?, open("monitor.printed")?);
        let copy = |file: &File| {
            file.try_clone()
                .map_err(TrialError::at("copy a descriptor"))
        };
        let (inherited, stdout, stderr) = (copy(&seam)?, copy(&printed)?, copy(&printed)?);
        let procs = cgroups.monitor().join("cgroup.procs");
        let this = getpid();
        let mut command = Command::new(&programs.monitor);
        command
            .arg(backend)
            .arg(SEAM_FD.to_string())
            .args(
                settings
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            )
            .env(PADDING, "p".repeat(padding))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        // SAFETY: the child of a process with one thread may run any code before its exec. The seam
        // is placed where nothing else is: standard library descriptors close themselves at exec.
        unsafe {
            command.pre_exec(move || {
                die_with(this)?;
                fs::write(&procs, "0")?;
                if inherited.as_raw_fd() == SEAM_FD {
                    // Already in place: only the close-on-exec flag is in the way.
                    nix::fcntl::fcntl(
                        inherited.as_fd(),
                        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
                    )?;
                } else {
                    std::mem::forget(dup2_raw(&inherited, SEAM_FD)?);
                }
                Ok(())
            });
        }
        let child = command.spawn().map_err(TrialError::at(format!(
            "start {}",
            programs.monitor.display()
        )))?;
        let (read, messages) = (0, Vec::new());
        Ok(Self {
            child,
            ended: None,
            seam,
            read,
            messages,
            damage: None,
            printed,
        })
    }

    /// Looks at the seam until a message answers `wanted`, the monitor ends, or `deadline_ns` of
    /// `CLOCK_MONOTONIC` is over.
    pub fn wait_for<T>(
        &mut self,
        deadline_ns: u64,
        mut wanted: impl FnMut(&Message) -> Option<T>,
    ) -> Result<Option<T>, TrialError> {
        let mut looked_at = 0;
        loop {
            let over = self.has_ended() || monotonic_ns() >= deadline_ns;
            self.read_seam()?;
            for message in &self.messages[looked_at..] {
                if let Some(answer) = wanted(message) {
                    return Ok(Some(answer));
                }
            }
            looked_at = self.messages.len();
            if over {
                return Ok(None);
            }
            sleep_until_ns(monotonic_ns() + LOOK_NS);
        }
    }

    /// Whether a sighting of this process was handed over by now, or is before the deadline.
    pub fn sees(
        &mut self,
        deadline_ns: u64,
        is_it: impl Fn(&Sighting) -> bool,
    ) -> Result<bool, TrialError> {
        let seen = self.wait_for(deadline_ns, |message| match message {
            Message::Sighting(sighting) if is_it(sighting) => Some(()),
            _ => None,
        })?;
        Ok(seen.is_some())
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_some()
    }

    /// Highest resident set of the processes in the monitor's cgroup, in bytes, summed.
    pub fn peak_bytes(cgroups: &Cgroups) -> u64 {
        let procs = fs::read_to_string(cgroups.monitor().join("cgroup.procs")).unwrap_or_default();
        procs
            .lines()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
            .filter_map(|status| parse_peak_bytes(&status))
            .sum()
    }

    /// Tells it to stop and waits; why that did not go well, if so.
    pub fn stop(mut self, deadline_ns: u64) -> Result<Farewell, TrialError> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("pids are small"));
        let mut complaint = None;
        let early = self.has_ended();
        if !early {
            kill(pid, Signal::SIGTERM).map_err(TrialError::at("stop the monitor"))?;
            while !self.has_ended() && monotonic_ns() < deadline_ns {
                sleep_until_ns(monotonic_ns() + LOOK_NS);
            }
            if !self.has_ended() {
                complaint = Some("the monitor did not stop when told to and was killed".to_owned());
                self.child
                    .kill()
                    .map_err(TrialError::at("kill the monitor"))?;
                self.ended = self.child.wait().ok();
            }
        }
        self.read_seam()?;
        let failed = self.messages.iter().find_map(|message| match message {
            Message::Failed(failed) => Some(failed.reason.clone()),
            _ => None,
        });
        let damage = self
            .damage
            .as_ref()
            .map(|damage| format!("its seam is damaged: {damage}"));
        let status = self
            .ended
            .filter(|status| !status.success())
            .map(|status| format!("the monitor ended with {status}"));
        let silent = (!self.messages.iter().any(|m| matches!(m, Message::Done(_))))
            .then(|| "the monitor ended without a word".to_owned());
        Ok(Farewell {
            complaint: complaint
                .or(failed)
                .or(damage)
                .or(status)
                .or(silent)
                .or_else(|| early.then(|| "the monitor ended before it was told to".to_owned())),
            printed: self.tail_of_printed(),
            messages: std::mem::take(&mut self.messages),
        })
    }

    fn read_seam(&mut self) -> Result<(), TrialError> {
        if self.damage.is_some() {
            return Ok(());
        }
        let length = self
            .seam
            .metadata()
            .map_err(TrialError::at("look at the seam"))?
            .len();
        let mut bytes = vec![0; usize::try_from(length - self.read).unwrap_or(0)];
        self.seam
            .read_exact_at(&mut bytes, self.read)
            .map_err(TrialError::at("read the seam"))?;
        match Message::decode_all(&bytes) {
            Ok((messages, taken)) => {
                self.messages.extend(messages);
                self.read += taken as u64;
            }
            Err(damage) => self.damage = Some(damage),
        }
        Ok(())
    }

    fn tail_of_printed(&self) -> String {
        let tail = || -> io::Result<Vec<u8>> {
            let length = self.printed.metadata()?.len();
            let from = length.saturating_sub(TAIL as u64);
            let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
            self.printed.read_exact_at(&mut bytes, from)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&tail().unwrap_or_default())
            .trim()
            .to_owned()
    }
}

impl Drop for MonitorProcess {
    fn drop(&mut self) {
        if !self.has_ended() {
            // It must not outlive the trial; that it ended meanwhile is fine.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a monitor left behind.
#[derive(Debug)]
pub struct Farewell {
    /// Why it counts as failed.
    pub complaint: Option<String>,
    /// The end of what it printed.
    pub printed: String,
    /// Everything that it handed over.
    pub messages: Vec<Message>,
}

/// `VmHWM` of a `/proc/PID/status`.
fn parse_peak_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(
            parse_peak_bytes("Name:\tx\nVmHWM:\t    1024 kB\n"),
            Some(1 << 20)
        );
        assert_eq!(parse_peak_bytes("Name:\tkthreadd\n"), None);
    }
}
