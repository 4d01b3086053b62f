//! Faults that need guests.

mod cache;
mod kernel;
mod monitor;
mod qemu;
mod signals;
mod terminal;

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use execlab_model::result::{Status, TrialResult};

use crate::{
    bench::Bench,
    table::{Fate, Row, row},
};

const EXECS: &str = "20";

/// Guests of one run already use every core, and the cache is looked at: runs wait for each other.
fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kernels() -> Vec<String> {
    let names = env::var("EXECLAB_TEST_KERNELS").expect("`cargo xtask test` names the kernels");
    names.split(',').map(str::to_owned).collect()
}

fn oldest() -> String {
    kernels().swap_remove(0)
}

fn newest() -> String {
    kernels().pop().expect("at least one")
}

/// Where a kernel of the user's cache lies.
fn kernel_folder(kernel: &str) -> PathBuf {
    let found = Command::new(env!("CARGO_BIN_EXE_execlab"))
        .args(["kernels", "fetch", kernel, "--format", "json"])
        .output()
        .expect("execlab starts");
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("it prints JSON");
    let vmlinux = Path::new(found[0]["vmlinux"].as_str().expect("a path"));
    vmlinux.parent().expect("kernels/NAME/vmlinux").to_owned()
}

/// A cache with the user's kernels and nothing else of theirs: what is in it is ours to look at. It stays
/// from one test to the next, and with it the warm images.
fn cache() -> PathBuf {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    let made = CACHE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-cache");
        let folder = kernel_folder(&newest());
        let kernels = folder.parent().expect("kernels/NAME");
        fs::create_dir_all(&cache).unwrap();
        let link = cache.join("kernels");
        let _ = fs::remove_file(&link);
        symlink(kernels, link).unwrap();
        cache
    });
    made.clone()
}

/// A cache of its own for one test, with one kernel whose files may be changed, and with the warm images of
/// [`cache`] where they are there.
fn private_cache(bench: &Bench, kernel: &str) -> PathBuf {
    let cache = bench.path("private");
    let from = kernel_folder(kernel);
    let to = cache.join("kernels").join(from.file_name().unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::create_dir_all(cache.join("warm")).unwrap();
    // Links, where that can be: whoever changes a file writes it anew.
    copy(&from, &to);
    copy(&self::cache().join("warm"), &cache.join("warm"));
    cache
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "{}",
        from.display()
    );
}

/// Flips one bit in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Where the saboteur is put.
#[derive(Debug, Clone, Copy)]
enum Place {
    Monitor,
    Init,
}

/// Trials of which each met another fault, and one baseline for each kernel that met none.
struct Group {
    bench: Bench,
    code: i32,
    lines: Vec<TrialResult>,
}

impl Group {
    /// Runs one matrix: a variant of a backend for each fault.
    fn run(kernels: &[String], place: Place, faults: &[&str]) -> Self {
        let _alone = alone();
        let bench = Bench::with_cache(cache());
        let names: Vec<String> = faults.iter().map(|fault| variant(fault)).collect();
        let backends: Vec<String> = names.iter().map(|n| format!("\"proc-poll+{n}\"")).collect();
        let variants = names
            .iter()
            .map(|name| format!("[variants.proc-poll.{name}]\n"));
        let matrix = format!(
            "backends = [{}]\nworkloads = [\"absolute\"]\nlifetimes = [\"5ms\"]\nexecs = {EXECS}\n{}",
            backends.join(", "),
            variants.collect::<String>()
        );
        fs::write(bench.path("m.toml"), matrix).unwrap();
        let place = match place {
            Place::Monitor => "monitor",
            Place::Init => "init",
        };
        let saboteur = env!("EXECLAB_SABOTEUR");
        let rule = |name: &String| format!("{place}={saboteur}:{name}@+{name}/");
        let rules: Vec<String> = names.iter().map(rule).collect();
        let ran = bench.run(&[
            "run",
            "m.toml",
            "--out=o",
            "--verify=none",
            &format!("--kernels={}", kernels.join(",")),
            &format!("--sabotage={}", rules.join(";")),
        ]);
        bench.nothing_is_left("o");
        let lines = bench.results("o");
        assert_eq!(
            lines.len(),
            kernels.len() * (1 + faults.len()),
            "one bad trial never ends the matrix:\n{}",
            ran.stderr
        );
        Self {
            bench,
            code: ran.code,
            lines,
        }
    }

    /// The fault of this test, on every kernel of the group.
    fn check(&self, test: &str) {
        let row = row(test);
        let backend = format!("proc-poll+{}", variant(test));
        let met: Vec<_> = self
            .lines
            .iter()
            .filter(|l| l.backend_label() == backend)
            .collect();
        assert!(!met.is_empty(), "{test} was not tried");
        for line in met {
            self.check_line(row, line);
        }
        for line in self.lines.iter().filter(|line| line.is_baseline()) {
            assert_eq!(
                line.status,
                Status::Completed,
                "{}: {:?}",
                line.trial,
                line.reason
            );
        }
        assert_eq!(
            self.code, row.code,
            "the exit code of a run with such faults only"
        );
    }

    fn check_line(&self, row: &Row, line: &TrialResult) {
        let reason = line.reason.as_deref().unwrap_or_default();
        assert_eq!(
            Fate::Line(status(line)),
            row.fate,
            "{}: {reason}",
            line.trial
        );
        for text in row.evidence {
            assert!(
                reason.contains(text),
                "{}: no `{text}` in: {reason}",
                line.trial
            );
        }
        let log = format!(
            "{}.serial.log",
            execlab_harness::plan::file_name(&line.trial)
        );
        assert!(
            self.bench.path("o/logs").join(&log).exists(),
            "{log} is kept"
        );
        if line.status == Status::BackendFailed {
            let truth = line.truth.expect("what a monitor does leaves truth whole");
            assert_eq!(truth.execs.to_string(), EXECS, "{}", line.trial);
        }
        // Whatever broke in a guest breaks again: only the host's side is tried twice.
        assert!(!line.host.contains_key("tries"), "{}", line.trial);
    }
}

fn variant(test: &str) -> String {
    test.replace('_', "-")
}

fn status(line: &TrialResult) -> &'static str {
    match line.status {
        Status::Completed => "completed",
        Status::Unsupported => "unsupported",
        Status::BackendFailed => "backend-failed",
        Status::Lost => "lost",
        Status::Infra => "infra",
    }
}
