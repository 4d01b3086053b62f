//! One backend on this very machine, as its monitor prints it.
//!
//! The monitor is a process of its own, as in a trial, and prints lines of JSON
//! ([`Message::to_json`](execlab_model::seam::Message::to_json)). What is here starts it, hands its lines on, starts what
//! it is to watch, ends it, and puts back what a monitor that was killed has left.

mod waiting;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use execlab_backends::{Backend, Reach, Settings, launch::RENDEZVOUS};
use execlab_model::seam::Message;
use nix::{
    errno::Errno,
    sys::{
        memfd::{MFdFlags, memfd_create},
        prctl::set_pdeathsig,
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use self::waiting::Waiting;
use crate::{lab::monitor_program, progress::tell};

/// What is to be watched with what.
#[derive(Debug)]
pub struct Watch {
    /// What watches.
    pub backend: &'static dyn Backend,
    /// How; checked.
    pub settings: Settings,
    /// What is started to be watched, if anything is.
    pub command: Vec<OsString>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, or what was watched has ended.
    Well,
    /// This machine cannot be watched so; the evidence.
    Unsupported(String),
    /// It could not go on; why.
    Failed(String),
}

/// Why there was nothing to watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Not on a machine that is to stay as it was.
    #[error("{backend} is for guests alone: {why}")]
    OnlyInGuests {
        /// Its name.
        backend: &'static str,
        /// What could not be put back.
        why: &'static str,
    },
    /// It watches what it starts, and there is nothing to start.
    #[error("{0} watches only what it starts itself: name a command behind `--`")]
    NoCommand(&'static str),
    /// How the machine is could not be noted, so nothing was started that changes it.
    #[error("cannot note how this machine is, to put it back: {0}")]
    Note(String),
    /// What a killed monitor left could not be put back.
    #[error("this machine is not as it was: {0}")]
    PutBack(String),
    /// What was to be watched could not be executed.
    #[error("cannot start {command}")]
    NoStart {
        /// As given.
        command: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A step failed.
    #[error("cannot {what}")]
    Step {
        /// What was to be done.
        what: &'static str,
        /// What the system answered.
        source: io::Error,
    },
}

fn at<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> WatchError {
    move |error| WatchError::Step {
        what,
        source: error.into(),
    }
}

/// Tells a running watch to end; safe to call from a signal handler's thread.
#[derive(Debug, Default)]
pub struct Stopper(Mutex<Running>);

/// What runs: a process is in here until it is reaped, so that its number is nobody else's.
#[derive(Debug, Default)]
struct Running {
    ending: bool,
    told: bool,
    monitor: Option<Pid>,
    command: Option<Pid>,
}

impl Running {
    fn end(&self, signal: Signal) {
        for pid in self.monitor.iter().chain(&self.command) {
            // That it has ended already is fine.
            let _ = kill(*pid, signal);
        }
    }
}

impl Stopper {
    /// Ends it: the monitor takes what the kernel still holds, puts everything back and ends, and so is the command told
    /// to. Whoever says it again does not want to wait: both are killed then, and what the monitor left is put back.
    pub fn stop(&self) {
        let mut running = self.running();
        let signal = if running.told {
            Signal::SIGKILL
        } else {
            Signal::SIGTERM
        };
        (running.told, running.ending) = (true, true);
        running.end(signal);
    }

    /// Ends it because nobody reads any more. Ctrl-C at a pipeline is that too, and is said once.
    fn unread(&self) {
        let mut running = self.running();
        running.ending = true;
        running.end(Signal::SIGTERM);
    }

    /// Ends the monitor, because there is nothing left to watch.
    fn finish(&self) {
        if let Some(monitor) = self.running().monitor {
            let _ = kill(monitor, Signal::SIGTERM);
        }
    }

    /// Notes a process that was started.
    fn has(&self, child: &Child, place: fn(&mut Running) -> &mut Option<Pid>) {
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut running = self.running();
        *place(&mut running) = Some(pid);
        if running.ending {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Waits for a process and forgets it.
    fn wait(
        &self,
        child: &mut Child,
        place: fn(&mut Running) -> &mut Option<Pid>,
    ) -> io::Result<ExitStatus> {
        // It stays in the table of processes until it is forgotten here.
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let pid = Pid::from_raw(child.id().cast_signed());
        while waitid(Id::Pid(pid), ended) == Err(Errno::EINTR) {}
        let mut running = self.running();
        *place(&mut running) = None;
        child.wait()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Watches until it is stopped, or until the command has ended. Each line goes to `out` as it comes.
    pub fn run(&self, out: &mut dyn Write, stopper: &Stopper) -> Result<Ended, WatchError> {
        let name = self.backend.name();
        if let Some(why) = self.backend.only_in_guests() {
            return Err(WatchError::OnlyInGuests { backend: name, why });
        }
        let owns = self.backend.portrait().reach == Reach::Descendants;
        if owns && self.command.is_empty() {
            return Err(WatchError::NoCommand(name));
        }
        let remains = self.backend.remains();
        let noted = remains.map(|r| r.note().map_err(WatchError::Note));
        let noted = noted.transpose()?.flatten();
        let place = tempfile::tempdir().map_err(at("make a folder to meet in"))?;
        let program = program_file(name).map_err(at("put the monitor into memory"))?;
        let ended = self.watch(&program, &place.path().join("rendezvous"), out, stopper);
        // A monitor that ended by itself has put back what was its own; what differs now is somebody else's.
        if let (Some(remains), Some(noted)) = (remains, noted)
            && !matches!(ended, Ok(Ended::Well | Ended::Unsupported(_)))
        {
            remains.put_back(&noted).map_err(WatchError::PutBack)?;
        }
        ended
    }

    fn watch(
        &self,
        program: &File,
        rendezvous: &Path,
        out: &mut dyn Write,
        stopper: &Stopper,
    ) -> Result<Ended, WatchError> {
        let mut waiting = match self.command.first() {
            Some(_) if self.backend.portrait().reach != Reach::Descendants => {
                match self.prepare() {
                    // A terminal's Ctrl-C is for it as well.
                    Err(_) if stopper.running().ending => return Ok(Ended::Well),
                    prepared => Some(prepared?),
                }
            }
            _ => None,
        };
        let mut monitor = self
            .command_of(program, rendezvous, &[])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What a terminal sends to this process group is this process's alone to answer.
            .process_group(0)
            .spawn()
            .map_err(at("start the monitor"))?;
        stopper.has(&monitor, |running| &mut running.monitor);
        let lines = BufReader::new(monitor.stdout.take().expect("asked for above"));
        let ended = thread::scope(|scope| {
            let (mut ended, mut unread, mut failed) = (Ended::Well, false, None);
            for line in lines.split(b'\n') {
                let Ok(line) = line else { break };
                match serde_json::from_slice(&line) {
                    Ok(Message::Ready(_)) if !self.command.is_empty() => {
                        let started = match waiting.take() {
                            Some(waiting) => waiting.go(),
                            None => self.launch(program, rendezvous),
                        };
                        match started {
                            Ok(mut watched) => {
                                stopper.has(&watched, |running| &mut running.command);
                                scope.spawn(move || {
                                    let how = stopper.wait(&mut watched, |r| &mut r.command);
                                    // However it ended: there is nothing left to watch.
                                    stopper.finish();
                                    if let Some(how) = how.ok().filter(|how| !how.success()) {
                                        tell(format_args!("note: the command ended with {how}"));
                                    }
                                });
                            }
                            Err(error) => {
                                // Nothing is there to be watched, so nothing else would end the monitor.
                                stopper.finish();
                                failed = Some(error);
                            }
                        }
                    }
                    Ok(Message::Unsupported(why)) => ended = Ended::Unsupported(why.reason),
                    Ok(Message::Failed(why)) => ended = Ended::Failed(why.reason),
                    _ => {}
                }
                // Where nobody reads any more, what the monitor still says at its end is read all the same.
                if !unread {
                    let handed_on = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
                    unread = handed_on.and_then(|()| out.flush()).is_err();
                    if unread {
                        stopper.unread();
                    }
                }
            }
            if stopper.running().command.is_some() {
                tell(format_args!(
                    "note: the command still runs; when told to end again, it is killed"
                ));
            }
            match failed {
                Some(source) => Err(WatchError::NoStart {
                    command: self.command[0].to_string_lossy().into_owned(),
                    source,
                }),
                None => Ok(ended),
            }
        });
        let status = stopper.wait(&mut monitor, |running| &mut running.monitor);
        let status = status.map_err(at("wait for the monitor"))?;
        Ok(match ended? {
            Ended::Well => how(status),
            other => other,
        })
    }

    /// Starts what is to be watched by the monitor's own program, which has to be the one that starts it.
    fn launch(&self, program: &File, rendezvous: &Path) -> io::Result<Child> {
        let mut launcher = self.command_of(program, rendezvous, &["launch"]);
        launcher.arg("--").args(&self.command);
        launcher.stdout(standard_error()?).spawn()
    }

    /// Makes the process that is to become what is watched.
    fn prepare(&self) -> Result<Waiting, WatchError> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.stdout(standard_error().map_err(at("copy the standard error"))?);
        Waiting::make(command).map_err(at("make a process for the command"))
    }

    /// The monitor's program with its settings.
    fn command_of(&self, program: &File, rendezvous: &Path, before: &[&str]) -> Command {
        let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
        command
            .args(before)
            .arg(self.backend.name())
            .args(self.settings.pairs())
            .env(RENDEZVOUS, rendezvous);
        // SAFETY: it only makes a system call, which is allowed between fork and exec.
        unsafe {
            command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?));
        }
        command
    }
}

/// A copy: the lines of a command are not to get between those of the monitor.
fn standard_error() -> io::Result<OwnedFd> {
    Ok(nix::unistd::dup(io::stderr())?)
}

fn how(status: ExitStatus) -> Ended {
    match (status.success(), status.signal()) {
        (true, _) => Ended::Well,
        (false, Some(signal)) => Ended::Failed(format!("the monitor was ended by signal {signal}")),
        (false, None) => Ended::Failed(format!("the monitor ended with {status}")),
    }
}

/// The program that holds a backend, in a file of memory.
fn program_file(backend: &str) -> io::Result<File> {
    let program = monitor_program(backend).ok_or(io::ErrorKind::NotFound)?;
    let mut file = File::from(memfd_create("execlab-monitor", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(program)?;
    Ok(file)
}
