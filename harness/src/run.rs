//! The loop: runs the trials of a plan, and has each result on the disk before it tells of it.
//!
//! Workers take trials whose baselines have ended, the longest first, so every line can be scored
//! when its trial ends and none is held back in memory where a cut would lose it. When all have ended,
//! some are run again to see whether they repeat. One thread writes.

mod attempt;
mod batch;
mod end;
mod images;
mod queue;
mod worker;
mod writer;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use execlab_model::{
    repeat::{Repeat, Verdict},
    result::{Status, TrialResult},
};

pub use self::end::{RunEnd, code_of};
pub(crate) use self::{images::Images, worker::Said};
use self::{
    queue::{Queue, Repeats},
    writer::Writer,
};
use crate::{
    cache::ResultCache,
    documents,
    events::{Event, Reporter, Tally},
    lab::{LabError, Laboratory, Start},
    plan::{Plan, TrialSpec},
    registry::Registry,
    store::{RunDir, StoreError},
    verify::{self, Candidate, Chosen, Verify},
};

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
    /// How many trials are run again.
    pub verify: Verify,
    /// What unchanged trials of the exact lab are taken from, in place of running them.
    pub cache: Option<&'a ResultCache>,
    /// How long each trial may take, by position; may be empty.
    pub expected: &'a [Duration],
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
    /// Runs what `done` has no line for, and some of it again.
    ///
    /// One bad trial never ends the run; only a run directory that cannot be written does.
    pub fn go(
        self,
        dir: &mut RunDir,
        done: Done,
        reporter: &mut dyn Reporter,
    ) -> Result<RunEnd, RunError> {
        let lines = self.by_position(done.lines);
        // Where the order of the plan matters, how long trials take does not.
        let pressing = if self.plan.matrix.lab.is_exact() {
            self.expected
        } else {
            &[]
        };
        let queue = Queue::new(self.plan.baselines(), lines, pressing);
        let logs = dir.logs();
        let mut writer = Writer {
            run: self,
            dir,
            reporter,
            tally: Tally {
                total: self.plan.trials.len(),
                ..Tally::default()
            },
            results: queue.results().into_iter().map(|(_, line)| line).collect(),
            repeats: done.repeats,
            to_repeat: 0,
            summarised: None,
            walls: Vec::new(),
            left: queue.left(),
            running: 0,
            told: false,
            panicked: false,
        };
        for line in &writer.results {
            writer.tally.count(line.status);
        }
        writer.reporter.event(&Event::RunStarted {
            directory: writer.dir.path().to_owned(),
            jobs: self.jobs,
            tally: writer.tally.clone(),
        });
        let mut images = Images::default();
        let to_run = writer
            .left
            .iter()
            .copied()
            .filter(|&at| !self.is_cached(at));
        images.warm_up(self, to_run, writer.reporter);

        let slots = AtomicUsize::new(0);
        let worker = |say| worker::Worker {
            run: self,
            queue: &queue,
            logs: &logs,
            slot: slots.fetch_add(1, Ordering::Relaxed),
            say,
        };
        let trials = |say| worker(say).work();
        self.on_all_workers(|said| writer.write_all(said), trials, || queue.stop())?;

        let results = queue.results();
        let chosen = self.left_to_repeat(&results, &writer.repeats, &images);
        writer.to_repeat = writer.repeats.len() + chosen.len();
        let warm = chosen.iter().filter(|c| c.start == Start::Warm);
        images.warm_up(self, warm.map(|c| c.at), writer.reporter);
        let repeats = Repeats::new(chosen, self.expected);
        let again = |say| worker(say).work_again(&repeats);
        self.on_all_workers(|said| writer.write_all(said), again, || repeats.stop())?;

        if let Some(cache) = self.cache {
            // What it holds too much is of no harm to this run.
            let _ = cache.prune();
        }
        let end = RunEnd {
            absent: self.absent(&results),
            results: results.into_iter().map(|(_, line)| line).collect(),
            unverified: writer.to_repeat - writer.repeats.len(),
            repeats: writer.repeats,
            walls: writer.walls,
            interrupted: self.is_interrupted(),
            panicked: writer.panicked,
        };
        documents::write_all(writer.dir, self.plan, &end.results, &end.repeats)?;
        writer.reporter.event(&Event::RunFinished {
            directory: writer.dir.path().to_owned(),
            tally: writer.tally,
            interrupted: end.interrupted,
        });
        Ok(end)
    }

    /// Has all workers do something, and writes what they say, until they have nothing left to do.
    ///
    /// What a worker says is handed over and never queued: nobody runs ahead of the disk, where trials
    /// whose lines are not written yet would take the room of those lines.
    fn on_all_workers(
        &self,
        write_all: impl FnOnce(mpsc::Receiver<Said>) -> Result<(), StoreError>,
        work: impl Fn(mpsc::SyncSender<Said>) + Sync,
        stop: impl FnOnce(),
    ) -> Result<(), StoreError> {
        let (sender, said) = mpsc::sync_channel(0);
        let work = &work;
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let sender = sender.clone();
                scope.spawn(move || work(sender));
            }
            drop(sender);
            // Hangs up when it ends, so that no worker waits for it then.
            let written = write_all(said);
            if written.is_err() {
                stop();
            }
            written
        })
    }

    /// What is run again of a run that is whole: not yet where it was cut off. Where it was
    /// interrupted behind its last trial, what is chosen here is not run and counts as such.
    fn left_to_repeat(
        &self,
        results: &[(usize, TrialResult)],
        done: &[Repeat],
        images: &Images,
    ) -> Vec<Chosen> {
        let cut_off = self.is_interrupted() && results.len() < self.plan.trials.len();
        if cut_off || !self.plan.matrix.lab.is_exact() {
            return Vec::new();
        }
        let lines: Vec<Candidate<'_>> = results
            .iter()
            .filter(|(_, line)| self.verify.samples(line))
            .map(|(at, line)| Candidate {
                at: *at,
                line,
                image: images.of(*self, *at),
            })
            .collect();
        verify::choose(self.verify, &lines, done)
    }

    fn absent(&self, results: &[(usize, TrialResult)]) -> Vec<String> {
        let there: HashSet<usize> = results.iter().map(|(at, _)| *at).collect();
        let trials = self.plan.trials.iter().enumerate();
        trials
            .filter(|(at, _)| !there.contains(at))
            .map(|(_, trial)| trial.id.clone())
            .collect()
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
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

/// What a run that is gone on with has done already.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Lines of `results.jsonl` that stay.
    pub lines: Vec<TrialResult>,
    /// Lines of `verify.jsonl` that stay.
    pub repeats: Vec<Repeat>,
}

/// Which lines of a run that was cut off can stay.
///
/// What broke on the host's side is tried again, and so is what was compared with it: its line was
/// written without a cost. Lines whose inputs have changed since cannot stand beside new ones.
pub fn keep(plan: &Plan, lab: &dyn Laboratory, found: Done) -> Result<Done, RunError> {
    let place = |id: &str| plan.trials.iter().position(|t| t.id == id);
    let mut good: Vec<Option<TrialResult>> = vec![None; plan.trials.len()];
    for line in found.lines {
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
    if !plan.matrix.lab.is_exact() {
        forget_parts_of_seeds(plan, &mut good);
    }
    let there: Vec<bool> = good.iter().map(Option::is_some).collect();
    let lines: Vec<TrialResult> = good
        .into_iter()
        .zip(plan.baselines())
        .filter(|(_, b)| [b.plain, b.boot].into_iter().flatten().all(|at| there[at]))
        .filter_map(|(line, _)| line)
        .collect();
    // What broke is tried again too; what was compared with another line says nothing of this one.
    let mut repeats = found.repeats;
    repeats.retain(|repeat| {
        let same = |l: &TrialResult| l.trial == repeat.trial && l.digest == repeat.digest;
        repeat.verdict != Verdict::Failed && lines.iter().any(same)
    });
    Ok(Done { lines, repeats })
}

/// Where machines drift, a trial is compared with a baseline that ran just before it. What is left of a
/// seed would be compared with one of another day.
fn forget_parts_of_seeds(plan: &Plan, lines: &mut [Option<TrialResult>]) {
    let seed = |trial: &TrialSpec| (trial.kernel.clone(), trial.workload.clone(), trial.seed);
    let cut: HashSet<_> = lines
        .iter()
        .zip(&plan.trials)
        .filter(|(line, _)| line.is_none())
        .map(|(_, trial)| seed(trial))
        .collect();
    for (line, trial) in lines.iter_mut().zip(&plan.trials) {
        if cut.contains(&seed(trial)) {
            *line = None;
        }
    }
}
