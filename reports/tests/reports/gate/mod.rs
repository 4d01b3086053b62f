//! Two runs of one lab.

mod judged;
mod laws;
mod refused;
mod sampled;
mod shown;

use execlab_model::result::TrialResult;
use execlab_reports::gate::{Finding, Gate, Policy, Row, Run, Verdict, gate};

use crate::fixture::{NATURES, Nature, bare, baseline, scored};

/// What one seed adds to a cost per exec, as share of it: some numbers without a pattern, of mean 0 over eight seeds.
const WOBBLE: [f64; 8] = [0.31, -0.52, 0.11, 0.83, -0.76, -0.2, 0.64, -0.41];

/// A run of some backends on one kernel, with seeds from `first` on; `spread` is how far seeds lie apart, as a share.
fn run(names: &[&str], first: u64, seeds: u64, execs: u32, spread: f64) -> Vec<TrialResult> {
    let mut all = Vec::new();
    for seed in first..first + seeds {
        all.push(baseline(bare("6.1", "none", "relative", execs, seed), 1.0));
        for name in names {
            let nature: &Nature = NATURES.iter().find(|n| n.name == *name).unwrap();
            let mut trial = scored(bare("6.1", name, "relative", execs, seed), nature, 1.0);
            trial.provenance.monitor = Some("cd".repeat(32));
            trial.record_sha256 = Some(format!("{}{seed:04}", "0".repeat(60)));
            let wobble = WOBBLE[usize::try_from(seed % 8).unwrap()];
            burden(&mut trial, 1.0 + spread * wobble);
            all.push(trial);
        }
    }
    all
}

/// Multiplies what a monitor costs, as another program in its place would.
fn burden(trial: &mut TrialResult, factor: f64) {
    let Some(cost) = trial.cost.as_mut() else {
        return;
    };
    let more = cost.added_per_exec.unwrap() * (factor - 1.0);
    cost.monitor_per_exec += more;
    cost.per_exec += more;
    cost.added_per_exec = cost.added_per_exec.map(|added| added + more);
    cost.added_percent =
        Some(100.0 * cost.added_per_exec.unwrap() / cost.baseline_per_exec.unwrap());
}

/// The same run with another monitor.
fn rebuilt(results: &[TrialResult], change: impl Fn(&mut TrialResult)) -> Vec<TrialResult> {
    let mut all = results.to_vec();
    for trial in all.iter_mut().filter(|t| t.is_watched()) {
        trial.provenance.monitor = Some("ef".repeat(32));
        trial.digest = format!("ef{}", &trial.digest[2..]);
        trial.record_sha256 = trial
            .record_sha256
            .as_ref()
            .map(|r| format!("ef{}", &r[2..]));
        change(trial);
    }
    all
}

fn named<'a>(name: &'a str, results: &'a [TrialResult]) -> Run<'a> {
    Run {
        name,
        results,
        repeats: &[],
    }
}

fn compare(base: &[TrialResult], new: &[TrialResult]) -> Gate {
    with(base, new, "")
}

fn with(base: &[TrialResult], new: &[TrialResult], policy: &str) -> Gate {
    let policy = Policy::parse(policy).unwrap();
    gate(named("base", base), named("new", new), &policy)
}

#[track_caller]
fn row<'g>(gate: &'g Gate, part: &str) -> &'g Row {
    let mut rows = gate.rows.iter().filter(|r| r.cell.contains(part));
    let row = rows.next().unwrap_or_else(|| panic!("no row {part}"));
    assert!(rows.next().is_none(), "several rows {part}");
    row
}

#[track_caller]
fn finding<'g>(gate: &'g Gate, part: &str, metric: &str) -> &'g Finding {
    let row = row(gate, part);
    row.findings.iter().find(|f| f.metric == metric).unwrap()
}

fn verdicts(gate: &Gate) -> Vec<(&str, Verdict)> {
    gate.rows
        .iter()
        .filter(|r| r.verdict != Verdict::Unchanged)
        .map(|r| (r.cell.as_str(), r.verdict))
        .collect()
}
