//! Runs a trial again, and holds what comes back against what the run has.

use std::path::Path;

use execlab_model::{
    record::{GuestStatus, Record},
    repeat::{Difference, Start},
    result::{Status, TrialResult},
    sched::SCHED_TRACE,
};
use execlab_reports::{
    Compared, compare,
    replay::{Outcome, Print},
};

use super::sched::Scheduled;
use crate::{
    lab::{self, LabError, Laboratory},
    plan::TrialSpec,
    registry::Registry,
    results::{self, BaselineLines},
};

/// A trial that was run again.
#[derive(Debug)]
pub struct Again {
    /// Its line, scored as those of the run.
    pub line: TrialResult,
    /// Its record, if one came back.
    pub record: Option<Box<Record>>,
    /// What the scheduler did, where that was asked for.
    pub scheduled: Option<Scheduled>,
}

impl Again {
    /// Its record, if one came back of a trial that came to its storm.
    pub fn storm(&self) -> Option<&Record> {
        let unsupported = |record: &&Record| matches!(record.status, GuestStatus::Unsupported(_));
        self.record.as_deref().filter(|record| !unsupported(record))
    }
}

/// Runs a trial; the lab has been checked for it. `log` is where its serial log is kept.
pub fn run(
    lab: &dyn Laboratory,
    registry: &Registry,
    trial: &TrialSpec,
    start: Start,
    baselines: &BaselineLines,
    log: &Path,
) -> Result<Again, LabError> {
    let digest = lab.digest(trial)?;
    let ran = lab.run(trial, start, &digest, log);
    let record = match &ran.outcome {
        lab::Outcome::Record(record) => Some(record.clone()),
        _ => None,
    };
    let scheduled = ran.sched.as_deref().map(Scheduled::read);
    let scenario = registry.scenario(&trial.workload.scenario);
    let best = scenario.map_or(&[][..], |scenario| &scenario.best);
    Ok(Again {
        line: results::line(trial, &digest, ran, best, baselines),
        record,
        scheduled,
    })
}

/// The same trial with the scheduler's events recorded.
#[must_use]
pub fn with_scheduler(trial: &TrialSpec) -> TrialSpec {
    /// For what happens beside the execs: canaries, idle time, timers.
    const LEAST_KIB: u32 = 4 << 10;
    /// An exec makes some 20 events of up to 72 bytes.
    const EXEC_KIB: u32 = 4;
    /// A fifth of the smallest guest.
    const MOST_KIB: u32 = 64 << 10;
    let execs = trial.workload.execs.saturating_mul(EXEC_KIB);
    let kib = execs.saturating_add(LEAST_KIB).min(MOST_KIB);
    let mut trial = trial.clone();
    let settings = &mut trial.backend.settings;
    settings.insert(SCHED_TRACE.to_owned(), kib.to_string());
    trial
}

/// By what two lines are told apart.
pub fn print(line: &TrialResult) -> Print {
    Print {
        digest: line.digest.clone(),
        record_sha256: line.record_sha256.clone(),
        status: line.status,
    }
}

/// What became of a trial that was run again, and where the two lines differ first.
pub fn judge(before: Option<&TrialResult>, now: &TrialResult) -> (Outcome, Option<Difference>) {
    let told = |line: &&TrialResult| line.status != Status::Infra;
    let Some(before) = before.filter(told) else {
        return (Outcome::NothingToCompare, None);
    };
    let (outcome, difference) = match compare(before, now) {
        Compared::Same => (Outcome::Same, None),
        Compared::Rescored(difference) => (Outcome::Same, Some(difference)),
        Compared::Differs(difference) => (Outcome::Differs, Some(difference)),
    };
    if before.digest == now.digest {
        (outcome, difference)
    } else {
        (Outcome::OtherInputs, difference)
    }
}
