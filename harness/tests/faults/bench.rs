//! A directory to run the command in, and the proof that nothing is left behind there.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use execlab_model::{repeat::Repeat, result::TrialResult};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::table::Row;

/// Longer than anything here takes on any machine; what it ends is a test that fails.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// See the module.
pub struct Bench {
    dir: TempDir,
    cache: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// As a shell tells it: 128 and the signal's number where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let status = output.status;
        let signal = status.signal().map(|signal| 128 + signal);
        Self {
            code: status.code().or(signal).expect("it ended"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// It must have ended as the table says, with the evidence on the terminal.
    #[track_caller]
    pub fn is(self, row: &Row) -> Self {
        self.code(row.code);
        for text in row.evidence {
            assert!(self.stderr.contains(text), "no `{text}`:\n{}", self.stderr);
        }
        self
    }

    #[track_caller]
    pub fn code(&self, expected: i32) {
        let Self { stdout, stderr, .. } = self;
        assert_eq!(
            self.code, expected,
            "--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
    }
}

impl Bench {
    /// With an empty cache.
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let cache = dir.path().join("cache");
        Self::at(dir, cache)
    }

    /// With this cache.
    #[cfg(feature = "guests")]
    pub fn with_cache(cache: PathBuf) -> Self {
        Self::at(TempDir::new().unwrap(), cache)
    }

    fn at(dir: TempDir, cache: PathBuf) -> Self {
        fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir, cache }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// From now on this cache is used and looked at.
    #[cfg(feature = "guests")]
    pub fn use_cache(&mut self, cache: &Path) {
        cache.clone_into(&mut self.cache);
    }

    /// `execlab` with these arguments, not started yet.
    pub fn execlab(&self, arguments: &[&str]) -> Command {
        self.prepare(env!("CARGO_BIN_EXE_execlab"), arguments)
    }

    /// A program that starts execlab, with the same surroundings.
    pub fn prepare(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("EXECLAB_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("EXECLAB_CACHE", &self.cache)
            .env("EXECLAB_JOBS", "2")
            .env("EXECLAB_NO_CACHE", "1")
            .env("TMPDIR", self.path("tmp"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ended(&mut self.execlab(arguments))
    }

    pub fn results(&self, run: &str) -> Vec<TrialResult> {
        lines(&self.path(run).join("results.jsonl"))
    }

    /// Waits until a run has so many results and still goes on.
    pub fn wait_for_results(&self, run: &str, number: usize, child: &mut Child) {
        let file = self.path(run).join("results.jsonl");
        wait_until("results", || {
            assert_eq!(child.try_wait().unwrap(), None, "the run is still going on");
            let there = fs::read_to_string(&file).unwrap_or_default();
            there.matches('\n').count() >= number
        });
    }

    /// No process, no temporary folder, no half file and no half line.
    pub fn nothing_is_left(&self, run: &str) {
        self.no_process_is_left();
        assert_eq!(names(&self.path("tmp")), [""; 0], "in the temporary folder");
        let run = self.path(run);
        for name in names(&run) {
            let ending = Path::new(&name).extension();
            assert!(
                ending != Some("new".as_ref()),
                "{name} in the run directory"
            );
        }
        if run.exists() {
            lines::<TrialResult>(&run.join("results.jsonl"));
            lines::<Repeat>(&run.join("verify.jsonl"));
        }
        for (folder, endings) in [
            ("warm", &[".state", ".json", ".lock", ".serial.log"][..]),
            ("initramfs", &[".cpio"][..]),
            ("downloads", &[][..]),
        ] {
            for name in names(&self.cache.join(folder)) {
                let known = endings.iter().any(|ending| name.ends_with(ending));
                assert!(known, "{name} in the cache, in {folder}");
            }
        }
    }

    /// Nobody has the temporary folder on its command line any more; every guest's QEMU does.
    pub fn no_process_is_left(&self) {
        let tmp = self.path("tmp");
        wait_until("no process", || guests_in(&tmp).is_empty());
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output();
    output.expect("it starts").into()
}

/// Waits for something that comes sooner or later.
pub fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < deadline, "{what}: waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Processes with this folder on their command line.
pub fn guests_in(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().expect("a temporary folder is text");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(pid) = pid {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(folder) {
                found.push(pid);
            }
        }
    }
    found
}

/// Lines, each of them whole; none where there is no such file.
pub fn lines<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.split_inclusive('\n').map(|line| {
        assert!(line.ends_with('\n'), "half a line in {}", file.display());
        serde_json::from_str(line).expect("a line is whole")
    });
    lines.collect()
}

/// What a run found out, without the facts of the host, in the order of the trials' names.
pub fn figures(mut lines: Vec<TrialResult>) -> Vec<String> {
    lines.sort_by(|a, b| a.trial.cmp(&b.trial));
    let text = lines.into_iter().map(|mut line| {
        line.host.clear();
        serde_json::to_string(&line).unwrap()
    });
    text.collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}
