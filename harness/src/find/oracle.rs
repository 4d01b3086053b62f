//! The trial of a seed and a value, and what its line answers.

use execlab_model::{
    result::{Status, TrialResult},
    workload::{Load, Spawn, Workload},
};
use execlab_reports::find::{Asked, Question, What};

use super::row::Told;

/// The execs that `quiet-victim` asks about, by their label.
const VICTIM: &str = "victim";

/// What is watched where what is varied has this value.
pub fn workload(asked: &Asked, question: Question, value: u64) -> Workload {
    let count = u32::try_from(value).unwrap_or(u32::MAX);
    match question {
        Question::Seen | Question::RightPath => closed(&asked.workload, asked.execs, value),
        // One burst and no second one, for which buffers would be empty again.
        Question::Burst => Workload {
            load: Load::Burst(count),
            ..closed(&asked.workload, count, asked.lifetime_ns)
        },
        Question::Rate => Workload {
            load: Load::Rate(count),
            ..closed(&asked.workload, asked.execs, asked.lifetime_ns)
        },
    }
}

/// A storm without any load to speak of.
pub fn closed(scenario: &str, execs: u32, lifetime_ns: u64) -> Workload {
    Workload {
        scenario: scenario.to_owned(),
        load: Load::Closed,
        execs,
        lifetime_ns,
        spawn: Spawn::default(),
        population: 0,
    }
}

/// What a line answers.
pub fn told(what: What, question: Question, line: &TrialResult) -> Told {
    let reason = || {
        line.reason
            .clone()
            .unwrap_or_else(|| "no reason is known".to_owned())
    };
    match line.status {
        Status::Completed => match holds(what, question, line) {
            Some(holds) => Told::Holds(holds),
            None => Told::Broke(format!("{} made no exec that this is asked of", line.trial)),
        },
        Status::Unsupported => Told::Unsupported(reason()),
        Status::BackendFailed | Status::Lost | Status::Infra => {
            Told::Broke(format!("{} is {}: {}", line.trial, line.status, reason()))
        }
    }
}

/// `None` where the trial has nothing of which it could hold: what was not made was not seen either.
fn holds(what: What, question: Question, line: &TrialResult) -> Option<bool> {
    let execs = line.truth.filter(|truth| truth.execs > 0)?.execs;
    let seen = line.completeness.as_ref()?;
    Some(match (question, what) {
        (Question::Seen, _) => seen.missed == 0,
        (Question::RightPath, _) => seen.missed == 0 && line.path.as_ref()?.best == execs,
        (Question::Burst | Question::Rate, What::Isolation) => {
            seen.by_label
                .get(VICTIM)
                .filter(|victim| victim.execs > 0)?
                .missed
                > 0
        }
        (Question::Burst | Question::Rate, What::BlindWindow | What::LossKnee) => seen.missed > 0,
    })
}
