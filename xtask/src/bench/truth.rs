//! What truth and its evidence cost a storm.

use std::path::Path;

use anyhow::{Result, bail};

use super::runs;
use crate::kernels;

/// What truth may cost, against a bare loop.
const LIMIT: f64 = 1.05;

/// On three kernels and in three scenarios, as a ratio to a bare loop in the same guest.
pub fn run(execlab: &Path) -> Result<()> {
    let releases = kernels::three(execlab)?.join(",");
    let arguments = [
        &["--kernels", &releases, "--backends", "none"][..],
        &["--workloads", "absolute,relative,container"],
        &["--load", "closed", "--execs", "1000"],
    ];
    let finished = runs::run(execlab, "truth", &arguments.concat())?;
    println!(
        "truth and evidence against a bare vfork, execve and wait, busy instructions per exec:"
    );
    let mut worst = 0.0_f64;
    for line in &finished.lines {
        let ratio = runs::number(line, "/cost/truth_ratio")?;
        println!("  {ratio:.4}  {}", runs::text(line, "/trial"));
        worst = worst.max(ratio);
    }
    if worst > LIMIT {
        bail!("truth costs {worst:.4} times the bare loop, more than {LIMIT}");
    }
    Ok(())
}
