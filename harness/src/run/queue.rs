//! Which trial is next: of those whose baselines have ended, the one behind which most time waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use execlab_model::{repeat::Start, result::TrialResult};

use crate::{plan::Baselines, results::BaselineLines, verify::Chosen};

/// Shared by all workers.
pub(super) struct Queue {
    baselines: Vec<Baselines>,
    /// Positions, the most pressing first.
    order: Vec<usize>,
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
    /// `expected` is how long each trial may take; where it says nothing, the order is the plan's.
    pub(super) fn new(
        baselines: Vec<Baselines>,
        lines: Vec<Option<Arc<TrialResult>>>,
        expected: &[Duration],
    ) -> Self {
        let trials = lines
            .into_iter()
            .map(|line| line.map_or(Trial::Waiting, |line| Trial::Ended(Some(line))))
            .collect();
        Self {
            order: most_pressing_first(&baselines, expected),
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
            let ready = self.order.iter().copied().filter(waiting).find(|&at| {
                needs(self.baselines[at]).all(|b| matches!(state.trials[b], Trial::Ended(_)))
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
    pub(super) fn left(&self) -> Vec<usize> {
        let state = self.lock();
        let waiting = |at: &usize| matches!(state.trials[*at], Trial::Waiting);
        (0..state.trials.len()).filter(waiting).collect()
    }

    /// The lines so far with their positions, in the order of the plan.
    pub(super) fn results(&self) -> Vec<(usize, TrialResult)> {
        let state = self.lock();
        let line = |(at, trial): (usize, &Trial)| match trial {
            Trial::Ended(line) => Some((at, line.as_deref()?.clone())),
            Trial::Waiting | Trial::Running => None,
        };
        state.trials.iter().enumerate().filter_map(line).collect()
    }

    /// The line of a trial and what it was compared with.
    pub(super) fn ended(&self, at: usize) -> Option<(Arc<TrialResult>, BaselineLines)> {
        let state = self.lock();
        let Trial::Ended(Some(line)) = &state.trials[at] else {
            return None;
        };
        Some((Arc::clone(line), self.lines_for(&state, at)))
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

fn needs(Baselines { plain, boot }: Baselines) -> impl Iterator<Item = usize> {
    plain.into_iter().chain(boot)
}

/// A trial presses as long as it takes itself and with the longest of those that wait for it: so long
/// ones come early and their baselines before them, and no worker is left alone with one in the end.
fn most_pressing_first(baselines: &[Baselines], expected: &[Duration]) -> Vec<usize> {
    let own = |at: usize| expected.get(at).copied().unwrap_or_default();
    let mut pressing: Vec<Duration> = (0..baselines.len()).map(own).collect();
    // The plain baseline is waited for by those with boot options, and they by others: two steps.
    for _ in 0..2 {
        for (at, &of) in baselines.iter().enumerate() {
            for baseline in needs(of) {
                pressing[baseline] = pressing[baseline].max(own(baseline) + pressing[at]);
            }
        }
    }
    let mut order: Vec<usize> = (0..baselines.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(pressing[at]), at));
    order
}

/// Trials that are run again, shared by all workers.
pub(super) struct Repeats(Mutex<VecDeque<Chosen>>);

impl Repeats {
    /// Those that boot first, since a boot takes longer than most trials; then the longest.
    pub(super) fn new(mut chosen: Vec<Chosen>, expected: &[Duration]) -> Self {
        let own = |at: usize| expected.get(at).copied().unwrap_or_default();
        chosen.sort_by_key(|c| (c.start == Start::Warm, std::cmp::Reverse(own(c.at)), c.at));
        Self(Mutex::new(chosen.into()))
    }

    pub(super) fn take(&self) -> Option<Chosen> {
        self.lock().pop_front()
    }

    /// Nothing more is handed out.
    pub(super) fn stop(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Chosen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(baselines: &[(Option<usize>, Option<usize>)], seconds: &[u64]) -> Vec<usize> {
        let baselines: Vec<Baselines> = baselines
            .iter()
            .map(|&(plain, boot)| Baselines { plain, boot })
            .collect();
        let expected: Vec<Duration> = seconds.iter().map(|&s| Duration::from_secs(s)).collect();
        most_pressing_first(&baselines, &expected)
    }

    #[test]
    fn long_trials_come_early_and_their_baselines_before_them() {
        // Two baselines, a short trial of the first and a long one of the second.
        let of = [(None, None), (None, None), (Some(0), None), (Some(1), None)];
        assert_eq!(order(&of, &[1, 1, 2, 9]), [1, 3, 0, 2]);
        assert_eq!(order(&of, &[]), [0, 1, 2, 3]);
    }

    #[test]
    fn a_baseline_waits_for_a_baseline() {
        // plain <- with options <- a long trial; and a trial of another kernel that is not so long.
        let of = [
            (None, None),
            (Some(0), None),
            (Some(0), Some(1)),
            (None, None),
        ];
        assert_eq!(order(&of, &[1, 1, 5, 6]), [0, 1, 3, 2]);
    }
}
