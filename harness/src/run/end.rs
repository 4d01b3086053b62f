//! How a run ended, and with which exit code.

use std::{collections::HashSet, time::Duration};

use execlab_model::{
    exit::ExitCode,
    repeat::Repeat,
    result::{Status, TrialResult},
};
use execlab_reports::{Repeatability, Witnesses, witness::expected};

use crate::plan::Plan;

/// The end of a run.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// All lines, in the order of the plan.
    pub results: Vec<TrialResult>,
    /// Ids of trials that have no line.
    pub absent: Vec<String>,
    /// All repeats.
    pub repeats: Vec<Repeat>,
    /// How many trials were to be run again and were not.
    pub unverified: usize,
    /// What was run, by position in the plan, and how long it took.
    pub walls: Vec<(usize, Duration)>,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether execlab itself failed in one of the trials.
    pub panicked: bool,
}

impl RunEnd {
    /// Of a run that is there as files.
    pub fn of_files(plan: &Plan, results: Vec<TrialResult>, repeats: Vec<Repeat>) -> Self {
        let there: HashSet<&str> = results.iter().map(|line| line.trial.as_str()).collect();
        let absent = plan.trials.iter().map(|trial| &trial.id);
        Self {
            absent: absent
                .filter(|id| !there.contains(id.as_str()))
                .cloned()
                .collect(),
            results,
            repeats,
            unverified: 0,
            walls: Vec::new(),
            interrupted: false,
            panicked: false,
        }
    }

    /// Whether trials repeat, as far as it was looked for.
    pub fn repeatability(&self) -> Repeatability {
        Repeatability::new(&self.results, &self.repeats)
    }

    /// The most basic of all codes that apply.
    pub fn exit_code(&self) -> ExitCode {
        let cut_off = !self.absent.is_empty() || self.unverified > 0;
        let others = [
            (cut_off, ExitCode::Incomplete),
            (self.panicked, ExitCode::Internal),
            (true, self.repeatability().exit_code()),
            (true, Witnesses::new(&self.results, &expected).exit_code()),
        ];
        let statuses = self.results.iter().map(|line| code_of(line.status));
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
