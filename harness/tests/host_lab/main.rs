//! The lab `host` on this very machine: root only. Nothing of it is to be left behind, whoever is killed.
//!
//! Run by `cargo xtask test` where it can be; what only audit can show, which leaves a trace until the
//! next boot, by `cargo xtask test --live`.

mod kills;
mod machine;
mod matrix;
mod stage;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

use execlab_model::result::TrialResult;

/// Two runs would measure each other, and refuse to.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a kill leaves behind is found best with the backend that changes most.
fn backend() -> &'static str {
    if cfg!(feature = "live") {
        "audit"
    } else {
        "ebpf"
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_execlab"));
    command
        .args(["run", "--lab", "host", "--change-host"])
        .args(arguments);
    command
}

/// A folder of its own for a run, gone with the test.
struct Out(tempfile::TempDir);

impl Out {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("run")
    }

    fn text(&self) -> String {
        self.dir()
            .to_str()
            .expect("a temporary folder is text")
            .to_owned()
    }

    fn run(&self, arguments: &[&str]) -> (Output, Vec<TrialResult>) {
        let ended = command(arguments)
            .args(["--out", &self.text()])
            .output()
            .expect("execlab starts");
        (ended, read(&self.dir()))
    }
}

fn read(dir: &Path) -> Vec<TrialResult> {
    let text = std::fs::read_to_string(dir.join("results.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is a result"))
        .collect()
}

fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}
