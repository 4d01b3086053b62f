//! What a warm image saves.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};

use super::{numbers::mean, runs};
use crate::kernels;

/// What a warm trial of 1,000 execs may take of the wall time of a cold one, over all rows.
const LIMIT: f64 = 0.25;

/// Every backend on the oldest and the newest kernel, one trial at a time, cold and warm; their lines
/// have to be the same.
pub fn run(execlab: &Path) -> Result<()> {
    let releases = kernels::oldest_and_newest(execlab)?.join(",");
    let arguments = [
        &["--kernels", &releases, "--jobs", "1", "--verify=none"][..],
        &["--backends", "proc-poll,netlink,audit,ebpf,ptrace"],
        &[
            "--workloads",
            "absolute",
            "--load",
            "closed",
            "--execs",
            "1000",
        ],
    ]
    .concat();
    let cold = runs::run(execlab, "cold", &[&arguments[..], &["--cold"]].concat())?;
    // Makes the images where they are not there yet: their time is no trial's.
    let warm = runs::run(execlab, "warm", &arguments)?;
    let known: BTreeMap<_, _> = warm
        .lines
        .iter()
        .map(|line| (runs::text(line, "/trial"), line))
        .collect();
    println!("wall time of a warm trial as a share of a cold one, 1,000 execs:");
    let (mut colds, mut warms) = (Vec::new(), Vec::new());
    for cold in &cold.lines {
        let trial = runs::text(cold, "/trial");
        let warm = known
            .get(trial)
            .with_context(|| format!("no warm {trial}"))?;
        if runs::figures(cold) != runs::figures(warm) {
            bail!("{trial} is another one cold than warm");
        }
        let wall = |line| runs::number(line, "/host/wall_ms");
        let (cold, warm) = (wall(cold)?, wall(warm)?);
        println!("  {:.3}  {trial}", warm / cold);
        colds.push(cold);
        warms.push(warm);
    }
    let share = mean(&warms) / mean(&colds);
    println!("  {share:.3}  all of them; every line is the same, cold and warm");
    if share > LIMIT {
        bail!("a warm trial takes {share:.3} of a cold one, more than {LIMIT}");
    }
    Ok(())
}
