//! How long a large matrix takes.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::runs;
use crate::process;

const KERNELS: usize = 5;
const TRIALS: usize = 240;
/// What the whole may take on two cores.
const LIMIT: Duration = Duration::from_mins(12);

/// Five kernels × twelve rows (five backends as they come and tuned, and the baselines without and
/// with `audit=1`) × four scenarios, 1,000 execs each.
pub fn run(execlab: &Path) -> Result<()> {
    let mut list = Command::new(execlab);
    list.args(["list", "kernels", "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut list)?)
        .context("`execlab list kernels` printed no JSON")?;
    let mut series: Vec<&str> = rows.iter().map(|row| runs::text(row, "/series")).collect();
    series.dedup();
    if series.len() < KERNELS {
        bail!(
            "the lock holds {} series, {KERNELS} are wanted",
            series.len()
        );
    }
    // The newest and the oldest four: as different as the lock has them.
    let newest = series.split_off(series.len() - 1);
    series.truncate(KERNELS - 1);
    series.extend(newest);
    let backends: Vec<String> = ["proc-poll", "netlink", "audit", "ebpf", "ptrace"]
        .iter()
        .flat_map(|name| [(*name).to_owned(), format!("{name}+tuned")])
        .collect();
    let (kernels, backends) = (series.join(","), backends.join(","));
    let arguments = [
        &["--kernels", &kernels, "--backends", &backends][..],
        &["--workloads", "absolute,relative,symlink,container"],
        &["--load", "closed", "--execs", "1000"],
    ];
    let finished = runs::run(execlab, "matrix", &arguments.concat())?;
    let done = |line: &&Value| runs::text(line, "/status") == "completed";
    let completed = finished.lines.iter().filter(done).count();
    let walls: f64 = finished
        .lines
        .iter()
        .map(|line| runs::number(line, "/host/wall_ms"))
        .sum::<Result<f64>>()?;
    let all = finished.wall.as_secs_f64();
    println!(
        "{completed} of {TRIALS} trials completed in {all:.0} s from start to end, images and \
         self-test included; {:.2} guests at a time on average",
        walls / 1000.0 / all
    );
    if completed != TRIALS {
        bail!("{TRIALS} were to complete");
    }
    if finished.wall > LIMIT {
        bail!("it was to take less than {LIMIT:?} on two idle cores");
    }
    Ok(())
}
