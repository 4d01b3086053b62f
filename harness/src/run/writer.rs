//! The one thread that writes and reports.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use execlab_model::{repeat::Repeat, result::TrialResult};

use super::{Run, worker::Said};
use crate::{
    documents,
    durations::time_left,
    events::{Event, Reporter, Tally},
    store::{RunDir, StoreError},
};

/// How soon an interrupt is noticed.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// How old `summary.json` may be while a run goes on.
const SUMMARY_AGE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Writer<'a> {
    pub(super) run: Run<'a>,
    pub(super) dir: &'a mut RunDir,
    pub(super) reporter: &'a mut dyn Reporter,
    pub(super) tally: Tally,
    pub(super) results: Vec<TrialResult>,
    pub(super) repeats: Vec<Repeat>,
    /// How many repeats there will be.
    pub(super) to_repeat: usize,
    pub(super) summarised: Option<Instant>,
    /// What ended in this run, and how long it took.
    pub(super) walls: Vec<(usize, Duration)>,
    /// What has not ended yet.
    pub(super) left: Vec<usize>,
    pub(super) running: usize,
    /// Whether the interrupt was told.
    pub(super) told: bool,
    pub(super) panicked: bool,
}

impl Writer<'_> {
    /// Until every worker has hung up.
    #[allow(clippy::needless_pass_by_value, reason = "it hangs up at its end")]
    pub(super) fn write_all(&mut self, said: mpsc::Receiver<Said>) -> Result<(), StoreError> {
        loop {
            match said.recv_timeout(GLANCE) {
                Ok(said) => self.hear(said)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if !self.told && self.run.is_interrupted() {
                self.told = true;
                self.reporter.event(&Event::Interrupted {
                    running: self.running,
                });
            }
        }
    }

    fn hear(&mut self, said: Said) -> Result<(), StoreError> {
        let id = |at: usize| self.run.plan.trials[at].id.clone();
        match said {
            Said::Started(at) => {
                self.running += 1;
                self.reporter.event(&Event::TrialStarted { trial: id(at) });
            }
            Said::Retried(at, reason) => {
                let trial = id(at);
                self.reporter.event(&Event::TrialRetried { trial, reason });
            }
            Said::Abandoned(at) => {
                self.running -= 1;
                self.reporter
                    .event(&Event::TrialAbandoned { trial: id(at) });
            }
            Said::Finished {
                at,
                result,
                wall,
                panicked,
            } => {
                self.running -= 1;
                self.panicked |= panicked;
                self.dir.append(&result)?;
                self.tally.count(result.status);
                self.walls.extend(wall.map(|wall| (at, wall)));
                self.left.retain(|&other| other != at);
                self.tally.left =
                    time_left(self.run.expected, &self.walls, &self.left, self.run.jobs);
                self.results.push(TrialResult::clone(&result));
                self.summarise()?;
                self.reporter.event(&Event::TrialFinished {
                    result,
                    tally: self.tally.clone(),
                });
            }
            Said::Repeated { repeat, panicked } => {
                self.running -= 1;
                self.panicked |= panicked;
                self.dir.append_repeat(&repeat)?;
                self.repeats.push(repeat.clone());
                self.reporter.event(&Event::Repeated {
                    repeat: Box::new(repeat),
                    done: self.repeats.len(),
                    total: self.to_repeat,
                });
            }
        }
        Ok(())
    }

    /// Rewrites the summary, unless that was done just now: it grows with the run.
    fn summarise(&mut self) -> Result<(), StoreError> {
        if self.summarised.is_some_and(|at| at.elapsed() < SUMMARY_AGE) {
            return Ok(());
        }
        documents::write_summary(self.dir, self.run.plan, &self.results, &self.repeats)?;
        self.summarised = Some(Instant::now());
        Ok(())
    }
}
