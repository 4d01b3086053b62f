//! Which trial is next: the first of the plan whose baselines have ended.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use execlab_model::result::TrialResult;

use crate::{plan::Baselines, results::BaselineLines};

/// Shared by all workers.
pub(super) struct Queue {
    baselines: Vec<Baselines>,
    state: Mutex<State>,
    /// Something ended.
    ended: Condvar,
}

struct State {
    trials: Vec<Trial>,
    running: usize,
    stopped: bool,
}

enum Trial {
    Waiting,
    Running,
    /// With its line, or without one where it was abandoned.
    Ended(Option<Arc<TrialResult>>),
}

impl Queue {
    pub(super) fn new(baselines: Vec<Baselines>, lines: Vec<Option<Arc<TrialResult>>>) -> Self {
        let trials = lines
            .into_iter()
            .map(|line| line.map_or(Trial::Waiting, |line| Trial::Ended(Some(line))))
            .collect();
        Self {
            baselines,
            state: Mutex::new(State {
                trials,
                running: 0,
                stopped: false,
            }),
            ended: Condvar::new(),
        }
    }

    /// The next trial and what it is compared with. Waits for baselines; `None` when nothing is left.
    pub(super) fn take(&self) -> Option<(usize, BaselineLines)> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let waiting = |at: &usize| matches!(state.trials[*at], Trial::Waiting);
            let ready = (0..state.trials.len()).filter(waiting).find(|&at| {
                self.needs(at)
                    .all(|b| matches!(state.trials[b], Trial::Ended(_)))
            });
            if let Some(at) = ready {
                state.trials[at] = Trial::Running;
                state.running += 1;
                return Some((at, self.lines_for(&state, at)));
            }
            if state.running == 0 {
                return None;
            }
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A trial that was taken has ended.
    pub(super) fn end(&self, at: usize, line: Option<Arc<TrialResult>>) {
        let mut state = self.lock();
        state.trials[at] = Trial::Ended(line);
        state.running -= 1;
        self.ended.notify_all();
    }

    /// Nothing more is handed out.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.ended.notify_all();
    }

    /// Trials that were not taken yet, by position.
    pub(super) fn left(&self) -> impl Iterator<Item = usize> {
        let waiting = |(at, trial): (usize, &Trial)| matches!(trial, Trial::Waiting).then_some(at);
        let state = self.lock();
        let left: Vec<usize> = state
            .trials
            .iter()
            .enumerate()
            .filter_map(waiting)
            .collect();
        left.into_iter()
    }

    /// The lines so far, in the order of the plan.
    pub(super) fn results(&self) -> Vec<TrialResult> {
        let state = self.lock();
        let line = |trial: &Trial| match trial {
            Trial::Ended(line) => line.as_deref().cloned(),
            Trial::Waiting | Trial::Running => None,
        };
        state.trials.iter().filter_map(line).collect()
    }

    fn needs(&self, at: usize) -> impl Iterator<Item = usize> {
        let Baselines { plain, boot } = self.baselines[at];
        plain.into_iter().chain(boot)
    }

    fn lines_for(&self, state: &State, at: usize) -> BaselineLines {
        let line = |at: Option<usize>| match state.trials.get(at?)? {
            Trial::Ended(line) => line.clone(),
            Trial::Waiting | Trial::Running => None,
        };
        let Baselines { plain, boot } = self.baselines[at];
        BaselineLines {
            plain: line(plain),
            boot: line(boot),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Workers run foreign code outside the lock only, so the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
