//! Asks all questions of an experiment at once, round by round, and keeps what comes.
//!
//! A round is all trials that any search wants next; they run side by side, and the searches are told in
//! the order of the questions once all have ended. So neither the number of workers nor a cut changes what is asked.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use execlab_model::{
    exit::ExitCode,
    repeat::Start,
    result::{Status, TrialResult},
};
use execlab_reports::find::{Asked, Find};

use super::{
    document::{Lines, document},
    experiment::Experiment,
    keeper::{FIND, Keeper},
    oracle, row,
};
use crate::{
    documents,
    events::{Event, Reporter, Tally},
    lab::Laboratory,
    plan::{Manner, Plan, TrialSpec},
    registry::Registry,
    run::{Images, Run, RunError, code_of},
    store::{RunDir, StoreError},
    verify::Verify,
};

/// What a search works with.
#[derive(Clone, Copy)]
pub struct Searching<'a> {
    /// What is to be found out.
    pub experiment: &'a Experiment,
    /// What runs trials.
    pub lab: &'a dyn Laboratory,
    /// Which path classes are best for which scenario.
    pub registry: &'a Registry,
    /// How many trials run at once.
    pub jobs: usize,
    /// Set when the user wants the search to end.
    pub interrupted: &'a AtomicBool,
}

impl std::fmt::Debug for Searching<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searching")
            .field("questions", &self.experiment.lines.len())
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// The end of a search.
#[derive(Debug, Clone)]
pub struct End {
    /// What was found.
    pub find: Find,
    /// What became of the trials.
    pub statuses: Vec<Status>,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether execlab itself failed in one of the trials.
    pub panicked: bool,
}

impl End {
    /// The most basic of all codes that apply.
    pub fn exit_code(&self) -> ExitCode {
        let others = [
            (self.panicked, ExitCode::Internal),
            (!self.find.complete, ExitCode::Incomplete),
            (self.find.open_questions() > 0, ExitCode::Incomplete),
        ];
        let statuses = self.statuses.iter().map(|&status| code_of(status));
        others
            .into_iter()
            .filter_map(|(applies, code)| applies.then_some(code))
            .chain(statuses)
            .fold(ExitCode::Ok, ExitCode::and)
    }
}

/// Whether a directory is one of a search.
pub fn is_search(path: &Path) -> bool {
    path.join(FIND).exists()
}

/// What a search in a directory was asked for.
pub fn asked_in(path: &Path) -> Result<Asked, StoreError> {
    let file = path.join(FIND);
    let text = std::fs::read(&file).map_err(|source| StoreError::Read {
        path: file.clone(),
        source,
    })?;
    let found: Find = serde_json::from_slice(&text).map_err(|source| StoreError::Damaged {
        line: source.line(),
        path: file,
        source,
    })?;
    Ok(found.asked)
}

impl Searching<'_> {
    /// A plan without a trial: what is run follows from answers.
    pub fn plan(experiment: &Experiment) -> Plan {
        Plan {
            trials: Vec::new(),
            manner: Manner {
                start: Start::Warm,
                verify: Verify::None,
            },
            ..Plan::of(&experiment.matrix)
        }
    }

    /// Which lines of a search that was cut off can stay: those of trials that did not break on the host's
    /// side, whose baselines did not either, and whose inputs are what they were.
    pub fn keep(
        self,
        plan: &Plan,
        found: Vec<TrialResult>,
    ) -> Result<(Vec<TrialSpec>, Vec<TrialResult>), RunError> {
        let places: HashMap<&str, usize> = plan
            .trials
            .iter()
            .enumerate()
            .map(|(at, trial)| (trial.id.as_str(), at))
            .collect();
        let place = |line: &TrialResult| places.get(line.trial.as_str()).copied();
        let good: Vec<(usize, TrialResult)> = found
            .into_iter()
            .filter(|line| line.status != Status::Infra)
            .filter_map(|line| Some((place(&line)?, line)))
            .collect();
        let there: HashSet<usize> = good.iter().map(|(at, _)| *at).collect();
        let baselines = plan.baselines();
        let mut trials = Vec::new();
        let mut lines = Vec::new();
        for (at, line) in good {
            let trial = &plan.trials[at];
            if self.lab.digest(trial)? != line.digest {
                return Err(RunError::InputsChanged {
                    trial: trial.id.clone(),
                });
            }
            // Scored without its baseline, it would never get its cost.
            let compared = [baselines[at].plain, baselines[at].boot];
            if compared.into_iter().flatten().all(|at| there.contains(&at)) {
                trials.push(trial.clone());
                lines.push(line);
            }
        }
        Ok((trials, lines))
    }

    /// Searches until every question has its answer, or the user wants it to end.
    pub fn go(
        self,
        dir: &mut RunDir,
        mut plan: Plan,
        done: Vec<TrialResult>,
        reporter: &mut dyn Reporter,
    ) -> Result<End, RunError> {
        let mut rows = self.experiment.rows();
        let mut keeper = Keeper {
            dir,
            reporter,
            lines: Lines::new(),
            order: Vec::new(),
            tally: Tally::default(),
            took: (Duration::ZERO, 0),
            panicked: false,
            told: false,
            running: 0,
        };
        for line in done {
            keeper.add(Arc::new(line));
        }
        let mut images = Images::default();
        let mut to_come = self.cost_trials();
        keeper.expect(&rows, to_come.len());
        keeper.reporter.event(&Event::RunStarted {
            directory: keeper.dir.path().to_owned(),
            jobs: self.jobs,
            tally: keeper.tally.clone(),
        });
        loop {
            self.tell(&mut rows, &keeper.lines);
            to_come.extend(self.wanted(&rows));
            keeper.keep_document(&document(self.experiment, &rows, &keeper.lines))?;
            let mut ids: HashSet<String> = keeper.lines.keys().cloned().collect();
            to_come.retain(|trial| ids.insert(trial.id.clone()));
            if to_come.is_empty() || self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            keeper.expect(&rows, 0);
            self.round(
                &mut plan,
                std::mem::take(&mut to_come),
                &mut images,
                &mut keeper,
            )?;
        }
        // What was not come to is no part of what was done.
        plan.trials
            .retain(|trial| keeper.lines.contains_key(&trial.id));
        keeper.keep_plan(&plan)?;
        let find = document(self.experiment, &rows, &keeper.lines);
        let results: Vec<TrialResult> = keeper
            .order
            .iter()
            .map(|line| TrialResult::clone(line))
            .collect();
        documents::write_all(keeper.dir, &plan, &results, &[])?;
        keeper.dir.write("find.md", find.markdown().as_bytes())?;
        let interrupted = self.interrupted.load(Ordering::Relaxed);
        keeper.reporter.event(&Event::RunFinished {
            directory: keeper.dir.path().to_owned(),
            tally: keeper.tally,
            interrupted,
        });
        Ok(End {
            find,
            statuses: results.iter().map(|line| line.status).collect(),
            interrupted,
            panicked: keeper.panicked,
        })
    }

    /// Runs these trials and has their lines kept.
    fn round(
        self,
        plan: &mut Plan,
        trials: Vec<TrialSpec>,
        images: &mut Images,
        keeper: &mut Keeper<'_>,
    ) -> Result<(), RunError> {
        let new = plan.trials.len()..plan.trials.len() + trials.len();
        plan.trials.extend(trials);
        keeper.keep_plan(plan)?;
        let run = Run {
            plan,
            cache: None,
            lab: self.lab,
            registry: self.registry,
            jobs: self.jobs,
            start: plan.manner.start,
            verify: plan.manner.verify,
            expected: &[],
            interrupted: self.interrupted,
        };
        images.warm_up(run, new, keeper.reporter);
        let line = |trial: &TrialSpec| keeper.lines.get(&trial.id).cloned();
        let done: Vec<_> = plan.trials.iter().map(line).collect();
        let logs = keeper.dir.logs();
        run.batch(done, &logs, |said| keeper.hear(said, run))?;
        Ok(())
    }

    /// Tells each search everything that it wants and that is known, until it wants what is not.
    fn tell(self, rows: &mut [row::Row], lines: &Lines) {
        let what = self.experiment.asked.what;
        for (line, row) in self.experiment.lines.iter().zip(rows) {
            loop {
                let wants = row.wants();
                let found: Vec<_> = wants
                    .into_iter()
                    .filter_map(|(seed, value)| {
                        let id = self.experiment.trial(line, seed, value).id;
                        Some((seed, value, lines.get(&id)?))
                    })
                    .collect();
                if found.is_empty() {
                    break;
                }
                for (seed, value, found) in found {
                    row.tell(seed, value, oracle::told(what, line.asking.question, found));
                }
            }
        }
    }

    fn wanted(self, rows: &[row::Row]) -> Vec<TrialSpec> {
        let both = self.experiment.lines.iter().zip(rows);
        both.flat_map(|(line, row)| {
            let wants = row.wants().into_iter();
            wants.map(|(seed, value)| self.experiment.trial(line, seed, value))
        })
        .collect()
    }

    fn cost_trials(self) -> Vec<TrialSpec> {
        let lines = self.experiment.lines.iter();
        lines
            .flat_map(|line| self.experiment.cost_trials(line))
            .collect()
    }
}
