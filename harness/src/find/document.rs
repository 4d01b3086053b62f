//! What came of an experiment, from its searches and the lines of its trials.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use execlab_model::result::TrialResult;
use execlab_reports::find::{Cost, Find, Proof, Row, SCHEMA, Seed, State};

use super::{
    experiment::{Experiment, Line},
    row,
};

/// Lines by the id of their trial.
pub type Lines = HashMap<String, Arc<TrialResult>>;

/// The document, whole or so far.
pub fn document(experiment: &Experiment, rows: &[row::Row], lines: &Lines) -> Find {
    let both = experiment.lines.iter().zip(rows);
    let rows: Vec<Row> = both
        .map(|(line, row)| of(experiment, line, row, lines))
        .collect();
    let qemu = lines
        .values()
        .filter_map(|line| line.provenance.qemu.clone());
    Find {
        schema: SCHEMA,
        execlab: env!("CARGO_PKG_VERSION").to_owned(),
        asked: experiment.asked.clone(),
        complete: rows.iter().all(|row| row.state != State::Unfinished),
        trials: lines.len(),
        qemu: qemu.collect::<BTreeSet<_>>().into_iter().collect(),
        rows,
    }
}

fn of(experiment: &Experiment, line: &Line, row: &row::Row, lines: &Lines) -> Row {
    let of_trial = |seed, value| {
        let id = experiment.trial(line, seed, value).id;
        lines.get(&id).map(Arc::as_ref)
    };
    let proof = |seed: u64, value: Option<u64>| {
        let value = value?;
        let found = of_trial(seed, value)?;
        Some(Proof {
            value,
            seed,
            trial: found.trial.clone(),
            digest: found.digest.clone(),
        })
    };
    let seed = |of: &row::Seed| {
        let answer = of.answer();
        Seed {
            seed: of.seed,
            lowest_yes: proof(of.seed, answer.and_then(|a| a.lowest_yes)),
            highest_no: proof(of.seed, answer.and_then(|a| a.highest_no)),
            from_here: answer.and_then(|a| a.from_here),
            monotone: answer.is_none_or(|a| a.is_monotone()),
            asked: answer.map_or(0, |a| a.asked),
            done: of.is_done(),
            broken: of.broke.clone(),
        }
    };
    let first_broken = row.seeds.iter().find_map(|seed| seed.broke.clone());
    let state = if row.unsupported.is_some() {
        State::Unsupported
    } else if row.seeds.iter().all(|seed| seed.broke.is_some()) {
        State::Failed
    } else if row.wants().is_empty() {
        State::Answered
    } else {
        State::Unfinished
    };
    let here = |found: &&Arc<TrialResult>| {
        found.kernel.name == line.kernel && !found.kernel.release.is_empty()
    };
    Row {
        kernel: line.kernel.clone(),
        release: lines
            .values()
            .find(here)
            .map(|found| found.kernel.release.clone()),
        backend: line.backend.spec.clone(),
        setting: line.setting.clone(),
        asking: line.asking,
        state,
        reason: match state {
            State::Unsupported => row.unsupported.clone(),
            State::Failed => first_broken,
            State::Answered | State::Unfinished => None,
        },
        lowest_yes: None,
        highest_no: None,
        median: None,
        seeds: row.seeds.iter().map(seed).collect(),
        cost: cost(experiment, line, lines),
    }
    .summed_up()
}

/// Medians over the seeds whose trials could be compared with their baselines.
fn cost(experiment: &Experiment, line: &Line, lines: &Lines) -> Option<Cost> {
    let trials = experiment.cost_trials(line);
    let watched = trials.iter().filter(|trial| trial.backend.watches());
    let found: Vec<&TrialResult> = watched
        .filter_map(|trial| lines.get(&trial.id).map(Arc::as_ref))
        .collect();
    let costs = found.iter().filter_map(|line| line.cost.as_ref());
    let mut added: Vec<f64> = costs
        .clone()
        .filter_map(|cost| cost.added_per_exec)
        .collect();
    added.sort_by(f64::total_cmp);
    let mut peaks: Vec<u64> = found
        .iter()
        .filter_map(|line| Some(line.memory?.monitor_peak_bytes))
        .collect();
    peaks.sort_unstable();
    Some(Cost {
        scenario: found.first()?.workload.scenario.clone(),
        execs: found.first()?.workload.execs,
        seeds: added.len(),
        unit: costs.clone().next()?.unit.clone(),
        added_per_exec: *added.get(added.len() / 2)?,
        monitor_peak_bytes: peaks.get(peaks.len() / 2).copied(),
    })
}
