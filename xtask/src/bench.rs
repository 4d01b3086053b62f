//! `cargo xtask bench`.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{kernels, machine, process};

/// What truth may cost, against a bare loop.
const TRUTH_LIMIT: f64 = 1.05;

/// Scoring by criterion, truth by real guests. All figures are ratios within one run.
pub fn run() -> Result<()> {
    machine::make_ready()?;
    let execlab = process::execlab(process::Profile::Release)?;
    let releases = kernels::three(&execlab)?;
    let mut storm = Command::new(&execlab);
    let dir = process::workspace().join("target/truth-bench");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    storm
        .args([
            "run",
            "--kernels",
            &releases.join(","),
            "--backends",
            "none",
            "--execs",
            "1000",
        ])
        .args([
            "--workloads",
            "absolute,relative,container",
            "--load",
            "closed",
            "--out",
        ])
        .arg(&dir);
    process::run(&mut storm)?;

    println!(
        "truth and evidence against a bare vfork, execve and wait, busy instructions per exec:"
    );
    let mut worst = 0.0_f64;
    let results = dir.join("results.jsonl");
    let text = std::fs::read_to_string(&results)
        .with_context(|| format!("cannot read {}", results.display()))?;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).context("a result is no JSON")?;
        let trial = line["trial"].as_str().unwrap_or_default();
        let ratio = line["cost"]["truth_ratio"]
            .as_f64()
            .with_context(|| format!("trial {trial} has no truth_ratio"))?;
        println!("  {ratio:.4}  {trial}");
        worst = worst.max(ratio);
    }
    if worst > TRUTH_LIMIT {
        bail!("truth costs {worst:.4} times the bare loop, more than {TRUTH_LIMIT}");
    }
    process::run(process::cargo().args(["bench", "--package", "execlab-harness"]))
}
