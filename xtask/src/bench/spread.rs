//! How cost per exec spreads over seeds, and whether a small slowdown stands out of that.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Context, Result, bail};

use super::{
    numbers::{deviation, mean, quantile},
    runs::{self, Finished},
};
use crate::kernels;

const SEEDS: &str = "0..200";
/// Backends, how long payloads live, and how many execs: a poller sees only what lives longer than its
/// interval.
const ROWS: [(&str, &str, &str); 2] = [
    ("netlink,audit,ebpf,ptrace", "0", "100"),
    ("proc-poll", "250ms", "20"),
];
/// What is slowed down: of all that see every exec, the one that adds least. A hundredth of that is the
/// smallest slowdown of all.
const SLOWED: &str = "ebpf";
const SLOWED_EXECS: &str = "1000";
const PLAIN: &str = "plain";
const SLOW: &str = "slow";
/// The planted slowdown, as a share of what the backend adds.
const PLANTED: f64 = 0.01;
/// What a turn of the burden's loop costs, in instructions.
const TURN: f64 = 2.0;
/// Fixed before anything was measured: the mean of the paired differences has to be more than so many
/// of its standard errors, and of the size of what was planted.
const ERRORS: f64 = 5.0;
/// How far it may be from that, as a factor.
const SIZE: f64 = 2.0;

/// Costs added by backend and variant, and by seed.
type Costs = BTreeMap<(String, String), BTreeMap<u64, f64>>;

/// The spread of each backend on the oldest and the newest kernel; then the slowdown on the newest, each
/// seed against itself.
pub fn run(execlab: &Path) -> Result<()> {
    let [oldest, newest] = kernels::oldest_and_newest(execlab)?;
    let run = |kernel: &str, seeds, matrix: &str, lifetime, execs| {
        let arguments = [
            &[matrix, "--kernels", kernel, "--seeds", seeds][..],
            &["--execs", execs, "--workloads", "relative"],
            &["--load", "closed", "--lifetime", lifetime, "--verify=none"],
        ];
        costs(&runs::run(execlab, "spread", &arguments.concat())?)
    };
    println!("added cost per exec over seeds {SEEDS}, in instructions:");
    for (backends, lifetime, execs) in ROWS {
        let backends: Vec<_> = backends.split(',').collect();
        for kernel in [&oldest, &newest] {
            let costs = run(kernel, SEEDS, &matrix(&backends, None)?, lifetime, execs)?;
            for backend in &backends {
                show(kernel, backend, of(&costs, backend, PLAIN)?);
            }
        }
    }
    // How much is planted is fixed before any of the seeds that judge it is run.
    let first = run(
        &newest,
        "200..201",
        &matrix(&[SLOWED], None)?,
        "0",
        SLOWED_EXECS,
    )?;
    let cost = of(&first, SLOWED, PLAIN)?.values().next();
    let cost = cost.context("a row of one seed has a cost")?;
    let turns = (cost * PLANTED / TURN).round();
    let both = matrix(&[SLOWED], Some(turns))?;
    let both = run(&newest, SEEDS, &both, "0", SLOWED_EXECS)?;
    let before = of(&both, SLOWED, PLAIN)?;
    show(&newest, SLOWED, before);
    if stands_out(before, of(&both, SLOWED, SLOW)?, turns * TURN) {
        return Ok(());
    }
    bail!("the planted slowdown does not stand out")
}

/// One row's costs, by seed.
fn of<'a>(costs: &'a Costs, backend: &str, variant: &str) -> Result<&'a BTreeMap<u64, f64>> {
    let seeds = costs.get(&(backend.to_owned(), variant.to_owned()));
    seeds.with_context(|| format!("{backend}+{variant} has no results"))
}

/// A matrix file: each backend as it comes, and slowed down where so many turns are given.
///
/// As it comes is with a burden of 0, since an argument more is a change too.
fn matrix(backends: &[&str], turns: Option<f64>) -> Result<String> {
    let mut rows = Vec::new();
    let mut variants = String::new();
    for backend in backends {
        let slow = turns.map(|turns| (SLOW, turns));
        for (variant, turns) in [(PLAIN, 0.0)].into_iter().chain(slow) {
            rows.push(format!("\"{backend}+{variant}\""));
            let _ = writeln!(variants, "[variants.{backend}.{variant}]\nburden = {turns}");
        }
    }
    let text = format!("backends = [{}]\n{variants}", rows.join(", "));
    runs::matrix_file("spread", &text)
}

/// Prints how a row spreads.
fn show(kernel: &str, backend: &str, seeds: &BTreeMap<u64, f64>) {
    let added: Vec<f64> = seeds.values().copied().collect();
    let (middle, sd) = (quantile(&added, 0.5), deviation(&added));
    println!(
        "  {kernel} {backend}: median {middle:.0}, sd {sd:.0} ({:.2} %), {:.0} to {:.0}",
        100.0 * sd / middle,
        quantile(&added, 0.0),
        quantile(&added, 1.0),
    );
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
    planted > 0.0 && seen > ERRORS * error && seen < SIZE * planted && seen > planted / SIZE
}

fn costs(finished: &Finished) -> Result<Costs> {
    let mut costs = Costs::new();
    for line in &finished.lines {
        let backend = runs::text(line, "/backend/name");
        if backend == "none" {
            continue;
        }
        let seed = line["seed"].as_u64().context("a result has no seed")?;
        let added = runs::number(line, "/cost/added_per_exec")?;
        costs
            .entry((
                backend.to_owned(),
                runs::text(line, "/backend/variant").to_owned(),
            ))
            .or_default()
            .insert(seed, added);
    }
    Ok(costs)
}
