//! The real monitor process on the running kernel, for tests of several backends.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_model::{seam::Message, sighting::Sighting};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const DEADLINE: Duration = Duration::from_mins(1);

/// A monitor that is attached.
pub struct Monitor {
    child: Child,
    seam: PathBuf,
    _place: tempfile::TempDir,
}

impl Monitor {
    /// `None` where the running kernel does not let us, which is printed.
    pub fn start(backend: &str, settings: &[&str]) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let seam = place.path().join("seam");
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&seam).unwrap();
        // Descriptor 1 is the seam.
        let child = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
            .args([backend, "1"])
            .args(settings)
            .stdout(file)
            .spawn()
            .unwrap();
        let mut monitor = Self {
            child,
            seam,
            _place: place,
        };
        let first = monitor.until(|messages| messages.first().cloned());
        match first {
            Message::Ready(_) => Some(monitor),
            Message::Unsupported(why) => {
                assert!(monitor.child.wait().unwrap().success());
                eprintln!("skipped: {}", why.reason);
                None
            }
            other => panic!("the monitor began with {other:?}"),
        }
    }

    /// Waits until a process was seen.
    pub fn sighting_of(&self, pid: u32) -> Sighting {
        self.until(|messages| {
            messages.iter().find_map(|message| match message {
                Message::Sighting(sighting) if sighting.pid == Some(pid) => Some(sighting.clone()),
                _ => None,
            })
        })
    }

    /// Tells it to stop; it has to end well.
    pub fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        assert!(matches!(self.messages().last(), Some(Message::Done(_))));
    }

    /// Ends it without a word.
    #[allow(dead_code)] // Not every file of tests kills one.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn messages(&self) -> Vec<Message> {
        let raw = fs::read(&self.seam).unwrap();
        Message::decode_all(&raw).unwrap().0
    }

    fn until<T>(&self, look: impl Fn(&[Message]) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(&self.messages()) {
                return found;
            }
            assert!(began.elapsed() < DEADLINE, "nothing came");
            sleep(Duration::from_millis(5));
        }
    }
}

/// Executes a program that stays, has it seen, and ends it.
pub fn seen(monitor: &Monitor) -> Sighting {
    let mut sleeper = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let sighting = monitor.sighting_of(sleeper.id());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    sighting
}
