//! A directory to run the command in, and what it left there.

use std::{cell::RefCell, collections::BTreeMap, fs, path::PathBuf};

use assert_cmd::Command;
use execlab_harness::{plan::Plan, store};
use execlab_model::{
    repeat::Repeat,
    result::{Status, TrialResult},
};
use tempfile::TempDir;

/// In place of rules: no fake laboratory, for what is refused before any is used.
pub const REAL: &str = "real";

/// A matrix of two trials.
pub const SMALL: &[&str] = &[
    "--kernels=6.1",
    "--backends=proc-poll",
    "--workloads=absolute",
    "--execs=5",
];

/// See the module.
pub struct Bench {
    dir: TempDir,
    rules: RefCell<String>,
    variables: RefCell<BTreeMap<&'static str, &'static str>>,
}

/// What a command said, with what differs from run to run taken out.
#[derive(Debug)]
pub struct Said {
    code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// It must have ended with this code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(
            self.code,
            Some(expected),
            "--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Bench {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            rules: RefCell::default(),
            variables: RefCell::default(),
        }
    }

    /// From now on trouble is planted by these rules.
    pub fn with(&self, rules: &str) -> &Self {
        rules.clone_into(&mut self.rules.borrow_mut());
        self
    }

    /// From now on this stands in the environment.
    pub fn set(&self, name: &'static str, value: &'static str) -> &Self {
        self.variables.borrow_mut().insert(name, value);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `execlab run` with these arguments and the run directory `o`.
    pub fn run(&self, args: &[&str]) -> Said {
        self.run_in("o", args)
    }

    pub fn run_in(&self, dir: &str, args: &[&str]) -> Said {
        self.command(&[&["run", "--out", dir], args].concat())
    }

    pub fn command(&self, args: &[&str]) -> Said {
        let mut command = Command::cargo_bin("execlab").unwrap();
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EXECLAB_")) {
            command.env_remove(name);
        }
        let rules = self.rules.borrow();
        if rules.as_str() != REAL {
            command.env("EXECLAB_LAB_FAKE", &*rules);
        }
        let output = command
            .args(args)
            .current_dir(self.dir.path())
            .env("EXECLAB_JOBS", "1")
            // Rules are no part of a digest: what they change is to be run.
            .env("EXECLAB_NO_CACHE", "1")
            .env("EXECLAB_CACHE", self.path("cache"))
            .env("COLUMNS", "100")
            .envs(self.variables.borrow().iter())
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: redacted(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// As [`Self::command`], once the run directory that this very process held is free: its lock lives
    /// on for a moment in children that other tests are about to start.
    pub fn command_when_free(&self, args: &[&str]) -> Said {
        loop {
            let said = self.command(args);
            if !said.stderr.contains("is in use by another execlab") {
                return said;
            }
        }
    }

    pub fn results(&self, dir: &str) -> Vec<TrialResult> {
        store::read_lines(&self.path(dir)).unwrap().items
    }

    pub fn repeats(&self, dir: &str) -> Vec<Repeat> {
        store::read_repeats(&self.path(dir)).unwrap()
    }

    pub fn plan(&self, dir: &str) -> Plan {
        store::read_plan(&self.path(dir)).unwrap()
    }

    pub fn statuses(&self, dir: &str) -> BTreeMap<Status, usize> {
        let mut statuses = BTreeMap::new();
        for line in self.results(dir) {
            *statuses.entry(line.status).or_default() += 1;
        }
        statuses
    }

    pub fn files(&self, dir: &str) -> Vec<String> {
        let mut files = Vec::new();
        for place in [dir.to_owned(), format!("{dir}/logs")] {
            for entry in fs::read_dir(self.path(&place)).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    files.push(format!("{place}/{}", entry.file_name().to_string_lossy()));
                }
            }
        }
        files.sort();
        files
    }
}

/// Takes out times, process numbers and lists of registries, which grow.
fn redacted(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for (from, to, with) in [
            ("(valid: ", ")", "…"),
            ("(known keys: ", ")", "…"),
            ("process ", ",", "N"),
            ("since ", ")", "TIME"),
            ("  cost ", " %", "N"),
        ] {
            if let Some(start) = line.find(from).map(|at| at + from.len())
                && let Some(length) = line[start..].find(to)
            {
                line.replace_range(start..start + length, with);
            }
        }
        if let Some(at) = line.rfind("  ").filter(|_| line.ends_with(" left")) {
            line.truncate(at);
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}
