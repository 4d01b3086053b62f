//! One try of one trial, with all that may break in it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use execlab_model::{repeat::Start, result::TrialResult};

use super::Run;
use crate::{
    lab::{Outcome, Ran},
    plan::TrialSpec,
    results::{self, BaselineLines},
};

/// One try.
pub(super) struct Try {
    digest: String,
    pub(super) ran: Ran,
    panicked: bool,
}

impl Run<'_> {
    /// Tries a trial; where the host's side broke, says so and tries it once more. With it comes why
    /// the first try broke.
    pub(super) fn attempt(
        &self,
        trial: &TrialSpec,
        start: Start,
        log: &Path,
        broke: impl FnOnce(&str),
    ) -> (Try, Option<String>) {
        let first = self.try_once(trial, start, log);
        match &first.ran.outcome {
            Outcome::Infra { reason } if !self.was_cut_off(&first.ran) => {
                broke(reason);
                let reason = reason.clone();
                (self.try_once(trial, start, log), Some(reason))
            }
            _ => (first, None),
        }
    }

    /// What the cache has of a trial.
    pub(super) fn recall(&self, trial: &TrialSpec) -> Option<Try> {
        let cache = self.cache?;
        let digest = self.digest(trial)?;
        let ran = cache.get(trial, &digest)?;
        Some(Try {
            digest,
            ran,
            panicked: false,
        })
    }

    /// Whether the cache has something of a trial.
    pub(super) fn is_cached(&self, at: usize) -> bool {
        self.cache.is_some_and(|cache| {
            let digest = self.digest(&self.plan.trials[at]);
            digest.is_some_and(|digest| cache.has(&digest))
        })
    }

    /// What a trial is known by; a laboratory that fails in it is told of when the trial is run.
    fn digest(&self, trial: &TrialSpec) -> Option<String> {
        catch_unwind(AssertUnwindSafe(|| self.lab.digest(trial).ok())).ok()?
    }

    /// Keeps what came of a try, for other runs. A full disk is no trouble of this one.
    pub(super) fn remember(&self, tried: &Try) {
        if let Some(cache) = self.cache {
            let _ = cache.put(&tried.digest, &tried.ran);
        }
    }

    /// Has nobody take again what did not repeat, or is not whole as its line says.
    pub(super) fn forget(&self, digest: &str) {
        if let Some(cache) = self.cache {
            let _ = cache.forget(digest);
        }
    }

    /// Whether an interrupt took a try. It may have reached the machine too, or the one on which its
    /// image was made: what they did not finish says nothing about them.
    pub(super) fn was_cut_off(&self, ran: &Ran) -> bool {
        self.is_interrupted() && !matches!(ran.outcome, Outcome::Record(_))
    }

    fn try_once(&self, trial: &TrialSpec, start: Start, log: &Path) -> Try {
        let attempt = || match self.lab.digest(trial) {
            Ok(digest) => {
                let ran = self.lab.run(trial, start, &digest, log);
                (digest, ran)
            }
            Err(error) => (
                String::new(),
                Ran::broke(trial, format!("no digest: {error}")),
            ),
        };
        match catch_unwind(AssertUnwindSafe(attempt)) {
            Ok((digest, ran)) => Try {
                digest,
                ran,
                panicked: false,
            },
            Err(panic) => Try {
                digest: String::new(),
                ran: Ran::broke(trial, defect(&*panic)),
                panicked: true,
            },
        }
    }

    /// The line of a try, and whether execlab itself failed on the way to it.
    pub(super) fn score(
        &self,
        trial: &TrialSpec,
        tried: Try,
        baselines: &BaselineLines,
    ) -> (TrialResult, bool) {
        let best = self
            .registry
            .scenario(&trial.workload.scenario)
            .map_or(&[][..], |s| &s.best);
        let digest = tried.digest;
        let scored = catch_unwind(AssertUnwindSafe(|| {
            results::line(trial, &digest, tried.ran, best, baselines)
        }));
        match scored {
            Ok(line) => (line, tried.panicked),
            Err(panic) => {
                let mut line = results::blank(trial, &digest);
                line.reason = Some(defect(&*panic));
                (line, true)
            }
        }
    }
}

pub(super) fn millis(wall: Duration) -> u64 {
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

fn defect(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("a defect of execlab itself: {text}")
}
