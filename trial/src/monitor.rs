//! The monitor's process, held from outside, and its side of the seam, read from outside.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{
            fs::FileExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
};

use execlab_model::{
    plan::TrialPlan,
    seam::{Message, SeamError},
    sighting::Sighting,
};
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};
use nix::{
    fcntl::{FallocateFlags, fallocate},
    sys::{
        resource::{Resource, setrlimit},
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::{Pid, dup2_raw, getpid},
};

use crate::{
    PADDING, Programs, TrialError,
    call::{RENDEZVOUS, as_os_str, command, pairs, rendezvous},
    cgroups::{self, Cgroups},
    die_with, memory,
};

/// The descriptor of the seam in the monitor.
const SEAM_FD: i32 = 3;
/// How often the seam is looked at while somebody waits for it; never while the clock runs.
const LOOK_NS: u64 = 10_000_000;
/// How much of what it printed is kept.
const TAIL: usize = 4096;

/// How much of a seam is read at once, if no message in it is longer.
const PIECE: u64 = 1 << 20;

/// What a monitor may leave behind. All of it lies in the guest's memory, and one that writes without
/// an end is to fail by itself, not to take the trial along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest file, the seam among them, in bytes: beyond it the kernel ends it (`RLIMIT_FSIZE`).
    pub file_bytes: u64,
    /// Messages that are taken.
    pub messages: usize,
}

impl Limits {
    /// For so many execs. A sighting takes some 0.5 KiB in the seam and again in memory; all of ours
    /// hand over one for each exec, and one that tells of each exec thirty times over still fits.
    pub fn of(execs: u32) -> Self {
        Self {
            file_bytes: (24 << 20) + (u64::from(execs) << 12),
            messages: (64 << 10) + execs as usize * 32,
        }
    }
}

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
    /// Whether it is a program of somebody else, which speaks in lines.
    foreign: bool,
    printed: File,
    /// Where seam and printed text lie.
    scratch: PathBuf,
    limits: Limits,
    /// Whether it handed over more than it may.
    flooded: bool,
    /// Processes that had been killed for lack of memory when it started.
    oom_kills: u64,
}

impl MonitorProcess {
    /// Starts the plan's monitor in its cgroup, with a new seam and so many bytes more in its environment.
    /// Of what it leaves behind no more than [`Limits`] is taken. The inner error is the kernel's refusal to
    /// execute it: that is the program's fault, not the trial's.
    pub fn start(
        programs: &Programs,
        cgroups: &Cgroups,
        plan: &TrialPlan,
        padding: usize,
    ) -> Result<io::Result<Self>, TrialError> {
        let limits = Limits::of(plan.workload.execs);
        let open = |name: &str| {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(programs.scratch.join(name))
                .map_err(TrialError::at(format!("make the file {name}")))
        };
        let (seam, printed) = (open("seam")?, open("monitor.printed")?);
        if cgroups::is_memory_limited(&plan.settings) {
            // What it hands over lies in memory, and is not to be counted as its own: the pages of a file belong to whom
            // they were made for (Documentation/admin-guide/cgroup-v2.rst, "Memory Ownership").
            for file in [&seam, &printed] {
                let length = i64::try_from(limits.file_bytes).expect("some MiB");
                fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length)
                    .map_err(TrialError::at("keep memory for the seam"))?;
            }
        }
        let copy = |file: &File| {
            file.try_clone()
                .map_err(TrialError::at("copy a descriptor"))
        };
        let foreign = plan.program.is_some();
        let stdout = if foreign { &seam } else { &printed };
        let (inherited, stdout, stderr) = (copy(&seam)?, copy(stdout)?, copy(&printed)?);
        let procs = cgroups.monitor().join("cgroup.procs");
        let this = getpid();
        let mut command = command(plan, programs);
        match &plan.program {
            Some(call) => command.args(call.arguments.iter().map(as_os_str)),
            None => command
                .args([&plan.backend, &SEAM_FD.to_string()])
                .args(pairs(&plan.settings)),
        };
        command
            .env(PADDING, "p".repeat(padding))
            .env(RENDEZVOUS, rendezvous(programs))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        // SAFETY: the child of a process with one thread may run any code before its exec. The seam
        // is placed where nothing else is: standard library descriptors close themselves at exec.
        unsafe {
            command.pre_exec(move || {
                die_with(this)?;
                fs::write(&procs, "0")?;
                setrlimit(Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)?;
                if foreign {
                    return Ok(());
                }
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
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok(Err(error)),
        };
        let (read, messages) = (0, Vec::new());
        Ok(Ok(Self {
            child,
            ended: None,
            seam,
            read,
            messages,
            damage: None,
            foreign,
            printed,
            scratch: programs.scratch.clone(),
            limits,
            flooded: false,
            oom_kills: memory::oom_kills(),
        }))
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
            let ended = self.has_ended();
            let late = monotonic_ns() >= deadline_ns;
            self.read_seam()?;
            // Nothing that comes after damage is read any more.
            let over = ended || late || self.damage.is_some() || self.flooded;
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
        let flood = self.flooded.then(|| {
            let most = self.limits.messages;
            format!("the monitor handed over more than {most} messages; the first of them are kept")
        });
        // What a program of somebody else does with SIGTERM, if it does nothing, is to end.
        let told = |status: &ExitStatus| {
            self.foreign && !early && status.signal() == Some(Signal::SIGTERM as i32)
        };
        let status = self
            .ended
            .filter(|status| !status.success() && !told(status))
            .map(|status| self.unsuccessful(status));
        let half = (!self.flooded && self.left_unread()? > 0)
            .then(|| "its seam ends in the middle of a message".to_owned());
        let done = self.messages.iter().any(|m| matches!(m, Message::Done(_)));
        let silent =
            (!done && !self.foreign).then(|| "the monitor ended without a word".to_owned());
        Ok(Farewell {
            complaint: complaint
                .or(failed)
                .or(damage)
                .or(flood)
                .or(status)
                .or(half)
                .or(silent)
                .or_else(|| early.then(|| "the monitor ended before it was told to".to_owned())),
            printed: self.tail_of_printed(),
            messages: std::mem::take(&mut self.messages),
        })
    }

    /// How it ended, and what is known of why.
    fn unsuccessful(&self, status: ExitStatus) -> String {
        let too_long = status.signal() == Some(Signal::SIGXFSZ as i32);
        let wrote = if too_long {
            let most = self.limits.file_bytes >> 20;
            format!("; it wrote more than {most} MiB into a file")
        } else {
            String::new()
        };
        let memory = if memory::oom_kills() > self.oom_kills {
            "; the kernel killed a process meanwhile because memory had run out"
        } else {
            ""
        };
        let space = if is_full(&self.scratch) {
            "; no space is left where it writes"
        } else {
            ""
        };
        format!("the monitor ended with {status}{wrote}{memory}{space}")
    }

    fn left_unread(&self) -> Result<u64, TrialError> {
        let seam = self.seam.metadata();
        let length = seam.map_err(TrialError::at("look at the seam"))?.len();
        Ok(length.saturating_sub(self.read))
    }

    fn read_seam(&mut self) -> Result<(), TrialError> {
        let mut piece = PIECE;
        while self.damage.is_none() && !self.flooded {
            let left = self.left_unread()?;
            let take = left.min(piece);
            if take == 0 {
                break;
            }
            let mut bytes = vec![0; usize::try_from(take).unwrap_or(0)];
            self.seam
                .read_exact_at(&mut bytes, self.read)
                .map_err(TrialError::at("read the seam"))?;
            let decode = if self.foreign {
                Message::decode_lines
            } else {
                Message::decode_all
            };
            match decode(&bytes) {
                // The rest of it is not there yet, or not in this piece.
                Ok((_, 0)) if take == left => break,
                Ok((_, 0)) => piece *= 2,
                Ok((messages, taken)) => {
                    self.messages.extend(messages.into_iter().map(with_receipt));
                    self.read += taken as u64;
                    self.flooded = self.messages.len() > self.limits.messages;
                }
                Err(SeamError::Damaged { at, what }) => {
                    // What was said before it stands.
                    if let Ok((messages, _)) = decode(&bytes[..at]) {
                        self.messages.extend(messages.into_iter().map(with_receipt));
                    }
                    let at = at + usize::try_from(self.read).unwrap_or(usize::MAX);
                    self.damage = Some(SeamError::Damaged { at, what });
                }
            }
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

/// A sighting that says nothing of when it was received was received by now at the latest.
fn with_receipt(message: Message) -> Message {
    match message {
        Message::Sighting(mut sighting) if sighting.received_ns == 0 => {
            sighting.received_ns = monotonic_ns();
            Message::Sighting(sighting)
        }
        other => other,
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

/// Whether a file system has no room for another page.
fn is_full(dir: &Path) -> bool {
    statvfs(dir).is_ok_and(|room| room.blocks_available() == 0)
}
