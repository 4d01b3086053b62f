//! Runs a monitor as the trial runner does, and reads its seam.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    fs::File,
    io::{Read, Seek},
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use execlab_model::{
    seam::Message,
    sighting::{LossReport, Sighting},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A child that is ended and reaped when it is dropped.
pub struct Reaped(pub Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Nothing happens to one that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this is root; prints why a test is skipped where it is not.
pub fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

pub struct Monitor {
    child: Child,
    seam: File,
}

impl Monitor {
    /// Starts a backend and waits until it is attached; `None`, with the reason printed, where this
    /// kernel does not support it.
    pub fn start(name: &str, settings: &[&str]) -> Option<Self> {
        Self::start_with(name, settings, &[])
    }

    /// The same with more in its environment.
    pub fn start_with(name: &str, settings: &[&str], env: &[(&str, &Path)]) -> Option<Self> {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let writer = File::options().append(true).open(&path).unwrap();
        let fd = writer.as_raw_fd();
        let mut command = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"));
        command.arg(name).arg(fd.to_string()).args(settings);
        command.envs(env.iter().copied());
        // SAFETY: fcntl is async-signal-safe; it keeps the seam open over the exec.
        unsafe {
            command.pre_exec(move || match libc::fcntl(fd, libc::F_SETFD, 0) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let mut monitor = Self {
            child: command.spawn().unwrap(),
            seam: File::open(&path).unwrap(),
        };
        let first = wait_for("the monitor's first word", || {
            monitor.messages().into_iter().next()
        });
        match first {
            Message::Ready(ready) => {
                println!("{name}: {}", ready.evidence.join("; "));
                Some(monitor)
            }
            Message::Unsupported(reason) => {
                println!("skipped: {}", reason.reason);
                monitor.child.wait().unwrap();
                None
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn messages(&mut self) -> Vec<Message> {
        let mut raw = Vec::new();
        self.seam.rewind().unwrap();
        self.seam.read_to_end(&mut raw).unwrap();
        Message::decode_all(&raw).unwrap().0
    }

    pub fn sightings(&mut self) -> Vec<Sighting> {
        sightings(&self.messages())
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Stops it as the trial runner does; everything it said, and how long it took to end.
    pub fn stop(mut self) -> (Vec<Message>, Duration) {
        let begun = Instant::now();
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        let took = begun.elapsed();
        assert!(status.success(), "{status}");
        let messages = self.messages();
        let Some(Message::Done(done)) = messages.last() else {
            panic!("the last message is {:?}", messages.last());
        };
        println!("notes: {}", done.notes.join("; "));
        (messages, took)
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the monitor's end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Only where a test failed: it has been waited for otherwise, and this does nothing then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn sightings(messages: &[Message]) -> Vec<Sighting> {
    let sighting = |m: &Message| match m {
        Message::Sighting(s) => Some(s.clone()),
        _ => None,
    };
    messages.iter().filter_map(sighting).collect()
}

pub fn losses(messages: &[Message]) -> Vec<LossReport> {
    let loss = |m: &Message| match m {
        Message::Loss(l) => Some(l.clone()),
        _ => None,
    };
    messages.iter().filter_map(loss).collect()
}

/// Sightings of one process.
pub fn of(sightings: &[Sighting], pid: u32) -> Vec<Sighting> {
    let own = sightings.iter().filter(|s| s.pid == Some(pid));
    own.cloned().collect()
}

/// Tries for ten seconds.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn argv(sighting: &Sighting) -> Vec<String> {
    match &sighting.argv {
        Some(execlab_model::sighting::Argv::List(list)) => {
            list.iter().map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    }
}

pub fn path(sighting: &Sighting) -> String {
    sighting
        .path
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The file behind a name, as the kernel names it.
pub fn canonical(path: &str) -> String {
    std::fs::canonicalize(path)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}
