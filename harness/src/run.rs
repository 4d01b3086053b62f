//! The loop: runs the trials of a plan, and has each result on the disk before it tells of it.
//!
//! Workers take the first trial of the plan whose baselines have ended, so every line can be scored
//! when its trial ends and none is held back in memory where a cut would lose it. One thread writes.

mod end;
mod queue;
mod worker;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use execlab_model::result::{Status, TrialResult};

pub use self::end::RunEnd;
use self::{queue::Queue, worker::Said};
use crate::{
    documents,
    events::{Event, Reporter, Tally, time_left},
    lab::{LabError, Laboratory, Start},
    plan::{Plan, TrialSpec},
    registry::Registry,
    store::{RunDir, StoreError},
};

/// How soon an interrupt is noticed.
const GLANCE: Duration = Duration::from_millis(100);

/// How old `summary.json` may be while a run goes on.
const SUMMARY_AGE: Duration = Duration::from_secs(1);

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// What does it.
    pub lab: &'a dyn Laboratory,
    /// Which path classes are best for which scenario.
    pub registry: &'a Registry,
    /// How many trials run at once.
    pub jobs: usize,
    /// How guests start.
    pub start: Start,
    /// Set when the user wants the run to end.
    pub interrupted: &'a AtomicBool,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("trials", &self.plan.trials.len())
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// Why a run ended before its plan did.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The laboratory, before anything was run.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// What a kept line was made from is no longer what the same trial would be made from.
    #[error("{trial} was run from other inputs than it would be run from now")]
    InputsChanged {
        /// The first such trial.
        trial: String,
    },
}

impl Run<'_> {
    /// Runs what `kept` has no line for.
    ///
    /// One bad trial never ends the run; only a run directory that cannot be written does.
    pub fn go(
        self,
        dir: &mut RunDir,
        kept: Vec<TrialResult>,
        reporter: &mut dyn Reporter,
    ) -> Result<RunEnd, RunError> {
        let lines = self.by_position(kept);
        let queue = Queue::new(self.plan.baselines(), lines);
        let mut tally = Tally {
            total: self.plan.trials.len(),
            ..Tally::default()
        };
        for line in queue.results() {
            tally.count(line.status);
        }
        reporter.event(&Event::RunStarted {
            directory: dir.path().to_owned(),
            jobs: self.jobs,
            tally: tally.clone(),
        });

        self.warm_up(&queue, reporter);
        let (sender, said) = mpsc::channel();
        let mut written = Ok(());
        let mut panicked = false;
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let worker = worker::Worker {
                    run: self,
                    queue: &queue,
                    logs: dir.logs(),
                    say: sender.clone(),
                };
                scope.spawn(move || worker.work());
            }
            drop(sender);
            let mut writer = Writer {
                run: self,
                dir,
                reporter,
                tally: &mut tally,
                results: queue.results(),
                summarised: None,
                walls: Vec::new(),
                running: 0,
                told: false,
                panicked: &mut panicked,
            };
            written = writer.write_all(&said);
            if written.is_err() {
                queue.stop();
            }
        });
        written?;

        let end = RunEnd::new(
            self.plan,
            queue.results(),
            panicked,
            self.interrupted.load(Ordering::Relaxed),
        );
        documents::write_all(dir, &end.results)?;
        reporter.event(&Event::RunFinished {
            directory: dir.path().to_owned(),
            tally,
            interrupted: end.interrupted,
        });
        Ok(end)
    }

    /// Has the images made that trials without a line start from.
    fn warm_up(&self, queue: &Queue, reporter: &mut dyn Reporter) {
        let left: Vec<TrialSpec> = queue
            .left()
            .map(|at| self.plan.trials[at].clone())
            .collect();
        if self.start == Start::Cold || left.is_empty() {
            return;
        }
        let (sender, news) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let tell = |news| {
                    // The receiver below outlives this thread.
                    let _ = sender.send(news);
                };
                let make = || self.lab.warm_up(&left, self.jobs, self.interrupted, &tell);
                // A defect here shows again in every trial that needs the image.
                let _ = catch_unwind(AssertUnwindSafe(make));
            });
            for news in news {
                reporter.event(&Event::Image(news));
            }
        });
    }

    fn by_position(&self, kept: Vec<TrialResult>) -> Vec<Option<Arc<TrialResult>>> {
        let mut kept: std::collections::HashMap<String, Arc<TrialResult>> = kept
            .into_iter()
            .map(|line| (line.trial.clone(), Arc::new(line)))
            .collect();
        let trials = self.plan.trials.iter();
        trials.map(|trial| kept.remove(&trial.id)).collect()
    }
}

/// Which lines of a run that was cut off can stay.
///
/// What broke on the host's side is tried again, and so is what was compared with it: its line was
/// written without a cost. Lines whose inputs have changed since cannot stand beside new ones.
pub fn keep(
    plan: &Plan,
    lab: &dyn Laboratory,
    found: Vec<TrialResult>,
) -> Result<Vec<TrialResult>, RunError> {
    let place = |id: &str| plan.trials.iter().position(|t| t.id == id);
    let mut good: Vec<Option<TrialResult>> = vec![None; plan.trials.len()];
    for line in found {
        if let Some(at) = place(&line.trial).filter(|_| line.status != Status::Infra) {
            good[at] = Some(line);
        }
    }
    for (line, trial) in good.iter().zip(&plan.trials) {
        if let Some(line) = line
            && lab.digest(trial)? != line.digest
        {
            return Err(RunError::InputsChanged {
                trial: trial.id.clone(),
            });
        }
    }
    let there: Vec<bool> = good.iter().map(Option::is_some).collect();
    let kept = good
        .into_iter()
        .zip(plan.baselines())
        .filter(|(_, b)| [b.plain, b.boot].into_iter().flatten().all(|at| there[at]))
        .filter_map(|(line, _)| line);
    Ok(kept.collect())
}

/// The one thread that writes and reports.
struct Writer<'a> {
    run: Run<'a>,
    dir: &'a mut RunDir,
    reporter: &'a mut dyn Reporter,
    tally: &'a mut Tally,
    results: Vec<TrialResult>,
    summarised: Option<Instant>,
    walls: Vec<Duration>,
    running: usize,
    /// Whether the interrupt was told.
    told: bool,
    panicked: &'a mut bool,
}

impl Writer<'_> {
    /// Until every worker has hung up.
    fn write_all(&mut self, said: &mpsc::Receiver<Said>) -> Result<(), StoreError> {
        loop {
            match said.recv_timeout(GLANCE) {
                Ok(said) => self.hear(said)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if !self.told && self.run.interrupted.load(Ordering::Relaxed) {
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
                result,
                wall,
                panicked,
            } => {
                self.running -= 1;
                *self.panicked |= panicked;
                self.dir.append(&result)?;
                self.tally.count(result.status);
                self.walls.push(wall);
                let left = self.tally.total - self.tally.done;
                self.tally.left = time_left(&self.walls, left, self.run.jobs);
                self.results.push(TrialResult::clone(&result));
                self.summarise()?;
                self.reporter.event(&Event::TrialFinished {
                    result,
                    tally: self.tally.clone(),
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
        documents::write_summary(self.dir, &self.results)?;
        self.summarised = Some(Instant::now());
        Ok(())
    }
}
