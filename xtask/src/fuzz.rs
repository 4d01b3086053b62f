//! `cargo xtask fuzz`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{machine, process};

/// Longer than any input of these sizes takes on a busy machine.
const SLOWEST_INPUT_SECONDS: u32 = 20;
/// What the fuzzers are built for; a guest is of no other kind.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Fuzzers for everything that reads bytes from a kernel, a guest or a file; see docs/fuzzing.md.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u32,
    /// Which targets; all of them unless some are named
    targets: Vec<String>,
}

impl Fuzz {
    /// One target after the other. What one finds does not keep the others from running.
    pub fn run(self) -> Result<()> {
        let fuzz = process::workspace().join("fuzz");
        let valid = targets(&fuzz)?;
        for target in &self.targets {
            if !valid.contains(target) {
                bail!("unknown target `{target}` (valid: {})", valid.join(", "));
            }
        }
        machine::make_ready()?;
        make_ready()?;
        follow_the_workspace(&fuzz)?;
        let built = make_target_dir()?;
        let chosen = if self.targets.is_empty() {
            valid
        } else {
            self.targets.clone()
        };
        let mut found = Vec::new();
        for target in chosen {
            // New inputs go into the first folder.
            let corpus = fuzz.join("corpus").join(&target);
            fs::create_dir_all(&corpus)
                .with_context(|| format!("cannot make {}", corpus.display()))?;
            let mut run = process::cargo();
            run.args(["fuzz", "run", "--sanitizer", "none", "--target-dir"])
                .arg(&built)
                .args(["--target", TARGET])
                .arg(&target)
                .args([corpus, fuzz.join("seeds").join(&target)])
                .arg("--")
                .arg(format!("-max_total_time={}", self.seconds))
                .arg(format!("-timeout={SLOWEST_INPUT_SECONDS}"))
                .arg("-print_final_stats=1");
            if let Err(error) = process::run(&mut run) {
                eprintln!("{error:#}");
                found.push(target);
            }
        }
        if !found.is_empty() {
            bail!(
                "ended with a finding: {}; its input lies in fuzz/artifacts/",
                found.join(", ")
            );
        }
        Ok(())
    }
}

/// Each target is a program.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let folder = fuzz.join("fuzz_targets");
    let unreadable = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        names.extend(path.file_stem().map(|n| n.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// cargo-fuzz is installed where it is missing; what its runtime is compiled with is named.
fn make_ready() -> Result<()> {
    let starts = |command: &mut Command| command.output().is_ok_and(|o| o.status.success());
    if !starts(Command::new("c++").arg("--version")) {
        bail!(
            "this machine lacks a C++ compiler, which libFuzzer needs; install one: apt-get install g++"
        );
    }
    if starts(process::cargo().args(["fuzz", "--version"])) {
        return Ok(());
    }
    process::run(process::cargo().args(["install", "--locked", "cargo-fuzz"]))
}

/// The fuzzers are a workspace of their own, and use the versions of this one: their lock begins as a copy of
/// ours, to which cargo adds what only they need.
fn follow_the_workspace(fuzz: &Path) -> Result<()> {
    let (ours, theirs) = (
        process::workspace().join("Cargo.lock"),
        fuzz.join("Cargo.lock"),
    );
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let newest = changed(&ours).with_context(|| format!("cannot look at {}", ours.display()))?;
    if changed(&theirs).is_ok_and(|theirs| theirs >= newest) {
        return Ok(());
    }
    fs::copy(&ours, &theirs)
        .map(drop)
        .with_context(|| format!("cannot write {}", theirs.display()))
}

/// Beside what else is built, and apart from it: the flags are others. The programs of a guest are the same:
/// the harness builds them in the nearest folder that cargo has tagged, and cargo tags those only that it makes
/// itself.
fn make_target_dir() -> Result<PathBuf> {
    let all = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let all = all.unwrap_or_else(|| PathBuf::from("target"));
    let folder = process::workspace().join(all).join("fuzz");
    let of_target = folder.join(TARGET);
    fs::create_dir_all(&of_target)
        .with_context(|| format!("cannot make {}", of_target.display()))?;
    Ok(folder)
}
