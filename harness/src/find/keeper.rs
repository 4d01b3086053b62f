//! What has the run directory of a search, and tells of what comes into it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use execlab_model::result::TrialResult;
use execlab_reports::find::Find;

use super::{document::Lines, row};
use crate::{
    events::{Event, Reporter, Tally},
    plan::Plan,
    run::{Run, Said},
    store::{RunDir, StoreError},
};

/// Where the answers stand in a run directory.
pub(super) const FIND: &str = "find.json";

/// See the module.
pub(super) struct Keeper<'a> {
    pub(super) dir: &'a mut RunDir,
    pub(super) reporter: &'a mut dyn Reporter,
    pub(super) lines: Lines,
    /// As in the file.
    pub(super) order: Vec<Arc<TrialResult>>,
    pub(super) tally: Tally,
    /// How long trials of this process took together, and how many they were.
    pub(super) took: (Duration, u32),
    pub(super) panicked: bool,
    /// Whether the interrupt was told.
    pub(super) told: bool,
    pub(super) running: usize,
}

impl Keeper<'_> {
    pub(super) fn add(&mut self, line: Arc<TrialResult>) {
        self.tally.count(line.status);
        self.tally.total = self.tally.total.max(self.tally.done);
        self.lines.insert(line.trial.clone(), Arc::clone(&line));
        self.order.push(line);
    }

    /// How many trials there will have been: a guess by what searches still have to halve.
    pub(super) fn expect(&mut self, rows: &[row::Row], more: usize) {
        let searches: usize = rows.iter().map(row::Row::left).sum();
        self.tally.total = self.tally.done + searches + more;
    }

    /// How long those to come take, if they take what others took.
    fn time_left(&self, jobs: usize) -> Option<Duration> {
        let (took, count) = self.took;
        let left = self.tally.total.saturating_sub(self.tally.done);
        let turns = u32::try_from(left.div_ceil(jobs.max(1))).unwrap_or(u32::MAX);
        (count > 0).then(|| (took / count.max(1)).saturating_mul(turns))
    }

    pub(super) fn keep_plan(&self, plan: &Plan) -> Result<(), StoreError> {
        self.dir.write_plan(plan)
    }

    pub(super) fn keep_document(&self, find: &Find) -> Result<(), StoreError> {
        let text = execlab_reports::text::json(find) + "\n";
        self.dir.write(FIND, text.as_bytes())
    }

    pub(super) fn hear(&mut self, said: Option<Said>, run: Run<'_>) -> Result<(), StoreError> {
        let id = |at: usize| run.plan.trials[at].id.clone();
        match said {
            // Nothing is run again here.
            None | Some(Said::Repeated { .. }) => {}
            Some(Said::Started(at)) => {
                self.running += 1;
                self.reporter.event(&Event::TrialStarted { trial: id(at) });
            }
            Some(Said::Retried(at, reason)) => {
                let trial = id(at);
                self.reporter.event(&Event::TrialRetried { trial, reason });
            }
            Some(Said::Abandoned(at)) => {
                self.running -= 1;
                self.reporter
                    .event(&Event::TrialAbandoned { trial: id(at) });
            }
            Some(Said::Finished {
                result,
                wall,
                panicked,
                ..
            }) => {
                self.running -= 1;
                self.panicked |= panicked;
                self.dir.append(&result)?;
                self.add(Arc::clone(&result));
                let wall = wall.unwrap_or_default();
                self.took = (self.took.0 + wall, self.took.1 + 1);
                self.tally.left = self.time_left(run.jobs);
                let tally = self.tally.clone();
                self.reporter.event(&Event::TrialFinished { result, tally });
            }
        }
        if !self.told && run.interrupted.load(Ordering::Relaxed) {
            self.told = true;
            let running = self.running;
            self.reporter.event(&Event::Interrupted { running });
        }
        Ok(())
    }
}
