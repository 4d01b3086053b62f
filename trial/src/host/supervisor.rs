//! Stands beside a trial on a host: starts it, waits for its end whatever that is, puts the machine back.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_backends::{Backend, find};
use execlab_model::{
    frame::{self, PLAN_MAGIC},
    plan::TrialPlan,
    seam::SCOPE,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::getpid,
};
use serde::{Deserialize, Serialize};

use super::{claim::Claim, clean::clean, session::Session};
use crate::{TrialError, die_with};

/// Together a second.
const GLANCES: u32 = 20;
const GLANCE: Duration = Duration::from_millis(50);

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The runner says that all went well: there is a record.
    Whole,
    /// The runner ended without one, in this way.
    Broke(String),
    /// It was still running after so many seconds, and was ended.
    Hung(u64),
    /// The supervisor was told to end it, or whoever wanted it is gone.
    Abandoned,
}

/// What a supervisor leaves behind when the machine is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How the trial ended.
    pub end: End,
    /// What the monitor had left changed, and is put back.
    pub put_back: Vec<String>,
    /// What could not be put back.
    pub problems: Vec<String>,
}

impl Outcome {
    /// The one in a session's folder; `None` where its supervisor did not get to the end.
    pub fn read(session: &Session) -> Option<Self> {
        let bytes = fs::read(session.outcome()).ok()?;
        postcard::from_bytes(&bytes).ok()
    }
}

/// Runs the trial of a session to its end, or for so long. The session is minded until this returns.
pub fn supervise(session: &Session, patience: Duration) -> Result<(), TrialError> {
    let minded = mind(session).map_err(TrialError::at("mind the session"))?;
    let signals = outlive_signals().map_err(TrialError::at("prepare for signals"))?;
    note_machine(session)?;
    let mut runner = start(session)?;
    let end = wait(&mut runner, &signals, patience)?;
    // It may not have come to its cgroup yet. That it is gone already is fine.
    let _ = runner.kill();
    let _ = runner.wait();
    let cleaned = clean(session);
    if is_abandoned() && cleaned.problems.is_empty() {
        // Nobody is left to read anything.
        let _ = fs::remove_dir_all(session.dir());
        // And the folder of all sessions goes with its last one, unless the next run has it already.
        let _ = session.dir().parent().map(Claim::take);
        return Ok(());
    }
    let outcome = Outcome {
        end,
        put_back: cleaned.put_back,
        problems: cleaned.problems,
    };
    let bytes = postcard::to_allocvec(&outcome).map_err(io::Error::other);
    bytes
        .and_then(|bytes| session.write_whole(&session.outcome(), &bytes))
        .map_err(TrialError::at("tell how it ended"))?;
    drop(minded);
    Ok(())
}

/// Writes down what the trial's monitor may change, before it can.
fn note_machine(session: &Session) -> Result<(), TrialError> {
    let at = || TrialError::at("note how the machine is");
    let bytes = fs::read(session.plan()).map_err(at())?;
    let (_, plan) = frame::decode(PLAN_MAGIC, &bytes)
        .map_err(io::Error::other)
        .map_err(at())?;
    let plan: TrialPlan = postcard::from_bytes(plan)
        .map_err(io::Error::other)
        .map_err(at())?;
    fs::create_dir_all(session.noted()).map_err(at())?;
    let Some(remains) = find(&plan.backend).and_then(Backend::remains) else {
        return Ok(());
    };
    if let Some(text) = remains.note().map_err(io::Error::other).map_err(at())? {
        let file = session.noted().join(&plan.backend);
        session.write_whole(&file, text.as_bytes()).map_err(at())?;
    }
    Ok(())
}

fn start(session: &Session) -> Result<Child, TrialError> {
    let at = || TrialError::at("start the trial runner");
    let printed = OpenOptions::new()
        .create(true)
        .append(true)
        .open(session.printed())
        .map_err(at())?;
    let other = printed.try_clone().map_err(at())?;
    let this = getpid();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg("run")
        .arg(session.dir())
        .env(SCOPE, format!("{}/system.slice", session.cgroup()))
        .stdin(std::process::Stdio::null())
        .stdout(printed)
        .stderr(other);
    // SAFETY: the child of a process with one thread may run any code before its exec.
    unsafe { command.pre_exec(move || die_with(this)) };
    command.spawn().map_err(at())
}

/// Has the session; who only looks whether somebody has it lets go of it at once.
fn mind(session: &Session) -> io::Result<File> {
    for _ in 0..GLANCES {
        if let Some(minded) = session.mind()? {
            return Ok(minded);
        }
        sleep(GLANCE);
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Whoever ends a session of a user sends these to all of its processes. This one has to put the machine
/// back first: it takes them as the end of the trial, and its own end follows. They stay blocked here
/// alone: what a command starts has its signals reset.
fn outlive_signals() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)
}

/// Whether nobody holds our standard input any more. Nobody ever writes there.
fn is_abandoned() -> bool {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Until the runner ends, the clock runs out, or nobody holds our standard input any more.
fn wait(runner: &mut Child, signals: &SignalFd, patience: Duration) -> Result<End, TrialError> {
    let at = || TrialError::at("wait for the trial runner");
    let deadline = Instant::now() + patience;
    let process = pidfd(runner).map_err(at())?;
    let stdin = io::stdin();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(End::Hung(patience.as_secs()));
        }
        let mut watched = [
            PollFd::new(process.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(at()(error.into())),
        }
        if let Some(status) = runner.try_wait().map_err(at())? {
            return Ok(ended(status));
        }
        // Nobody ever writes to the one, and the other one's signals all mean the same.
        if watched[1..].iter().any(|one| one.any() == Some(true)) {
            return Ok(End::Abandoned);
        }
    }
}

fn ended(status: ExitStatus) -> End {
    if status.success() {
        End::Whole
    } else {
        End::Broke(status.to_string())
    }
}

/// A descriptor that becomes readable when a child ends (`pidfd_open(2)`, Linux 5.3).
fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two plain numbers; the child was not waited for, so its id is its own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let fd = Errno::result(fd)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
