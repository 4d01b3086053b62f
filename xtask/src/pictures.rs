//! `cargo xtask pictures`: the pictures of `report.html` in `docs/`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::Args;

use crate::process;

/// Takes the pictures of a report with a headless Chromium (`/usr/bin/chromium`, or `EXECLAB_CHROMIUM`).
#[derive(Debug, Args)]
pub struct Pictures {
    /// A run directory, a `report.html`, or a `results.jsonl` of which the report is made first
    run: PathBuf,
    /// The trial whose page is shown; by itself the one with the most examples
    #[arg(long)]
    trial: Option<String>,
    /// Where the pictures go
    #[arg(long, default_value = "docs")]
    out: PathBuf,
}

impl Pictures {
    /// Makes a page where there is none, and opens it.
    pub fn run(self) -> Result<()> {
        let made = tempfile::tempdir().context("cannot make a folder")?;
        let report = if self.run.is_dir() {
            self.run.join("report.html")
        } else if self.run.extension().is_some_and(|e| e == "jsonl") {
            // What it prints is another report.
            let arguments = [absolute(&self.run)?, made.path().into()];
            process::output(&mut command("sample", &arguments))?;
            made.path().join("report.html")
        } else {
            self.run
        };
        let mut arguments = vec![absolute(&report)?, absolute(&self.out)?];
        arguments.extend(self.trial.map(PathBuf::from));
        example("pictures", &arguments)
    }
}

/// Examples run where the workspace is, and the caller may be anywhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("there is no {}", path.display()))
}

/// Runs an example of `reports/` that has a browser at hand.
pub fn example(name: &str, arguments: &[PathBuf]) -> Result<()> {
    process::run(&mut command(name, arguments))
}

fn command(name: &str, arguments: &[PathBuf]) -> Command {
    let mut cargo = process::cargo();
    cargo
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "execlab-reports",
        ])
        .args(["--features", "browser", "--example", name, "--"])
        .args(arguments);
    cargo
}
