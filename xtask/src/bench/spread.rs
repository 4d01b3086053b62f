//! How cost per exec spreads over seeds, and whether a small slowdown stands out of that.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};

use super::{
    numbers::{deviation, mean, quantile},
    runs::{self, Finished},
};
use crate::kernels;

const SEEDS: &str = "0..200";
const EXECS: &str = "200";
/// Backends, and how long payloads live: a poller sees only what lives longer than its interval, and
/// only what is seen can be slowed down.
const ROWS: [(&str, &str); 2] = [("netlink,audit,ebpf,ptrace", "0"), ("proc-poll", "250ms")];
/// The planted slowdown, as a share of what the backend adds.
const PLANTED: f64 = 0.01;
/// What a turn of the burden's loop costs, in instructions.
const TURN: f64 = 2.0;
/// Fixed before anything was measured: the mean of the paired differences has to be more than so many
/// of its standard errors.
const ERRORS: f64 = 5.0;

/// Costs added by one row on one kernel, by seed.
type Costs = BTreeMap<(String, String), BTreeMap<u64, f64>>;

/// First without, then with the slowdown, each seed against itself.
pub fn run(execlab: &Path) -> Result<()> {
    let releases = kernels::oldest_and_newest(execlab)?.join(",");
    println!("added cost per exec over seeds {SEEDS}, {EXECS} execs each, in instructions:");
    let mut hidden = Vec::new();
    for (backends, lifetime) in ROWS {
        let run = |name, kernels: &str, more: &[&str]| {
            let common = [
                &["--kernels", kernels, "--seeds", SEEDS, "--execs", EXECS][..],
                &["--workloads", "relative", "--load", "closed"],
                &["--lifetime", lifetime, "--verify=none"],
            ]
            .concat();
            costs(&runs::run(execlab, name, &[&common[..], more].concat())?)
        };
        let plain = run("spread", &releases, &["--backends", backends])?;
        for ((kernel, backend), before) in &plain {
            let middle = show(kernel, backend, before);
            let turns = (middle * PLANTED / TURN).round();
            let file = format!("[variants.{backend}.slow]\nburden = {turns}\n");
            let file = runs::matrix_file("planted", &file)?;
            let slowed = run(
                "planted",
                kernel,
                &[&file, "--backends", &format!("{backend}+slow")],
            )?;
            let after = slowed
                .get(&(kernel.clone(), backend.clone()))
                .context("the slowed row has no results")?;
            if !stands_out(before, after, turns * TURN) {
                hidden.push(format!("{kernel} {backend}"));
            }
        }
    }
    if hidden.is_empty() {
        return Ok(());
    }
    bail!(
        "the planted slowdown does not stand out: {}",
        hidden.join(", ")
    )
}

/// Prints how a row spreads; its median.
fn show(kernel: &str, backend: &str, seeds: &BTreeMap<u64, f64>) -> f64 {
    let added: Vec<f64> = seeds.values().copied().collect();
    let (middle, sd) = (quantile(&added, 0.5), deviation(&added));
    println!(
        "  {kernel} {backend}: median {middle:.0}, sd {sd:.0} ({:.2} %), {:.0} to {:.0}",
        100.0 * sd / middle,
        quantile(&added, 0.0),
        quantile(&added, 1.0),
    );
    middle
}

/// Prints what became of a planted slowdown; whether it can be told from the spread.
fn stands_out(before: &BTreeMap<u64, f64>, after: &BTreeMap<u64, f64>, planted: f64) -> bool {
    let shifts: Vec<f64> = after
        .iter()
        .filter_map(|(seed, cost)| Some(cost - before.get(seed)?))
        .collect();
    let dearer = shifts.iter().filter(|shift| **shift > 0.0).count();
    let error = deviation(&shifts) / (shifts.len() as f64).sqrt();
    let seen = mean(&shifts);
    println!(
        "    {planted:.0} more planted: {seen:.0} ± {error:.0} seen, {:.0} errors; {dearer} of {} \
         seeds are dearer",
        seen / error,
        shifts.len()
    );
    seen > ERRORS * error
}

fn costs(finished: &Finished) -> Result<Costs> {
    let mut costs = Costs::new();
    for line in &finished.lines {
        let (kernel, backend) = (
            runs::text(line, "/kernel/name"),
            runs::text(line, "/backend/name"),
        );
        if backend == "none" {
            continue;
        }
        let seed = line["seed"].as_u64().context("a result has no seed")?;
        let added = runs::number(line, "/cost/added_per_exec")?;
        costs
            .entry((kernel.to_owned(), backend.to_owned()))
            .or_default()
            .insert(seed, added);
    }
    Ok(costs)
}
