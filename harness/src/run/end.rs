//! How a run ended, and with which exit code.

use std::collections::{HashMap, HashSet};

use execlab_model::{
    exit::ExitCode,
    result::{Status, TrialResult},
};

use crate::plan::Plan;

/// The end of a run.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// All lines, in the order of the plan.
    pub results: Vec<TrialResult>,
    /// Ids of trials that have no line.
    pub absent: Vec<String>,
    /// Pairs of trials with one digest whose figures differ.
    pub nondeterministic: Vec<(String, String)>,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether execlab itself failed in one of the trials.
    pub panicked: bool,
}

impl RunEnd {
    pub(super) fn new(
        plan: &Plan,
        results: Vec<TrialResult>,
        panicked: bool,
        interrupted: bool,
    ) -> Self {
        let there: HashSet<&str> = results.iter().map(|line| line.trial.as_str()).collect();
        let absent = plan
            .trials
            .iter()
            .filter(|t| !there.contains(t.id.as_str()));
        Self {
            absent: absent.map(|trial| trial.id.clone()).collect(),
            nondeterministic: differing(&results),
            results,
            interrupted,
            panicked,
        }
    }

    /// The most basic of all codes that apply.
    pub fn exit_code(&self) -> ExitCode {
        let statuses = self.results.iter().map(|line| code_of(line.status));
        let others = [
            (!self.absent.is_empty(), ExitCode::Incomplete),
            (
                !self.nondeterministic.is_empty(),
                ExitCode::Nondeterministic,
            ),
            (self.panicked, ExitCode::Internal),
        ];
        others
            .into_iter()
            .filter_map(|(applies, code)| applies.then_some(code))
            .chain(statuses)
            .fold(ExitCode::Ok, ExitCode::and)
    }
}

/// What a trial of a status makes of a run.
pub fn code_of(status: Status) -> ExitCode {
    match status {
        Status::Completed | Status::Unsupported => ExitCode::Ok,
        Status::BackendFailed | Status::Infra => ExitCode::Incomplete,
        Status::Lost => ExitCode::GuestLost,
    }
}

/// Trials that were made from the same inputs and did not come out the same.
fn differing(lines: &[TrialResult]) -> Vec<(String, String)> {
    let mut first: HashMap<&str, &TrialResult> = HashMap::new();
    let mut pairs = Vec::new();
    let comparable = |l: &&TrialResult| l.status == Status::Completed && !l.digest.is_empty();
    for line in lines.iter().filter(comparable) {
        match first.get(line.digest.as_str()) {
            None => {
                first.insert(&line.digest, line);
            }
            Some(other) if figures(other) != figures(line) => {
                pairs.push((other.trial.clone(), line.trial.clone()));
            }
            Some(_) => {}
        }
    }
    pairs
}

/// A line without what two trials with one digest need not share: names, and facts of the host.
fn figures(line: &TrialResult) -> TrialResult {
    let mut figures = line.clone();
    figures.trial.clear();
    figures.backend.variant.clear();
    figures.host.clear();
    figures
}
