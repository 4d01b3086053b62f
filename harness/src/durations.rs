//! How long trials take, as far as earlier runs show: for their order and for the time left, and for
//! nothing else. No figure depends on it.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use execlab_model::{
    repeat::Start,
    workload::{Spawn, Workload},
};
use serde::{Deserialize, Serialize};

use crate::plan::TrialSpec;

/// Version of the file.
const SCHEMA: u32 = 1;
/// So many kinds of trials are remembered; those that were not seen for longest are forgotten.
const MOST: usize = 4_096;

/// What earlier runs took, by kind of trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    schema: u32,
    /// How often something was learned.
    runs: u64,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kind {
    ms: u64,
    /// When it was seen last, counted in runs.
    run: u64,
}

impl Durations {
    /// Reads a file; one that is not there, is damaged or is of another version says nothing.
    pub fn read(path: &Path) -> Self {
        fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|found| found.schema == SCHEMA)
            .unwrap_or_default()
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// How long each trial will take. What was never run is estimated, on the scale of the rest.
    pub fn expect(&self, trials: &[TrialSpec], start: Start) -> Vec<Duration> {
        let known: Vec<Option<f64>> = trials
            .iter()
            .map(|trial| Some(self.kinds.get(&kind(trial, start))?.ms as f64 / 1_000.0))
            .collect();
        let both = known.iter().zip(trials);
        let (took, estimated) = both
            .filter_map(|(known, trial)| Some(((*known)?, estimate(trial))))
            .fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        let scale = if took > 0.0 { took / estimated } else { 1.0 };
        known
            .into_iter()
            .zip(trials)
            .map(|(known, trial)| known.unwrap_or_else(|| scale * estimate(trial)))
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default())
            .collect()
    }

    /// Takes in what a run took, and replaces the file whole. Runs that end at the same time wait for
    /// each other at a second file, so what each of them learned is kept.
    pub fn learn<'a>(
        path: &Path,
        start: Start,
        took: impl Iterator<Item = (&'a TrialSpec, Duration)>,
    ) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Not the file itself: whoever waited for that would hold one that is replaced.
        let lock = fs::File::create(path.with_extension("lock"))?;
        lock.lock()?;
        let mut all = Self::read(path);
        all.add(start, took);
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&all)?)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    fn add<'a>(&mut self, start: Start, took: impl Iterator<Item = (&'a TrialSpec, Duration)>) {
        self.schema = SCHEMA;
        self.runs = self.runs.saturating_add(1);
        // Seeds share a kind: the longest of them counts, since order and ends depend on that.
        let mut longest = BTreeMap::<String, u64>::new();
        for (trial, took) in took {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let known = longest.entry(kind(trial, start)).or_default();
            *known = ms.max(*known);
        }
        let run = self.runs;
        let seen = longest.into_iter().map(|(k, ms)| (k, Kind { ms, run }));
        self.kinds.extend(seen);
        let mut ages: Vec<u64> = self.kinds.values().map(|kind| kind.run).collect();
        if ages.len() > MOST {
            ages.sort_unstable_by(|a, b| b.cmp(a));
            let oldest = ages[MOST];
            self.kinds
                .retain(|_, kind| kind.run > oldest || kind.run == run);
            while self.kinds.len() > MOST {
                self.kinds.pop_last();
            }
        }
    }
}

/// All that makes a trial long; execs by their power of two.
fn kind(trial: &TrialSpec, start: Start) -> String {
    let Workload {
        scenario,
        load,
        execs,
        lifetime_ns,
        spawn,
        population,
    } = &trial.workload;
    let execs = execs.checked_next_power_of_two().unwrap_or(u32::MAX);
    format!(
        "{} {start} {} {} {}+{} {scenario} {load} {execs} {lifetime_ns} {spawn} {population}",
        trial.lab,
        trial.kernel,
        trial.boot.join("+"),
        trial.backend.name,
        trial.backend.variant,
    )
}

/// A guess in seconds for what was never run; only the proportions matter.
fn estimate(trial: &TrialSpec) -> f64 {
    const SETTLE: f64 = 1.0;
    const EXEC: f64 = 1e-3;
    const SLEEPER: f64 = 1e-3;
    let watched = if trial.backend.watches() { 2.0 } else { 1.0 };
    let fork = if trial.workload.spawn == Spawn::Fork {
        1.5
    } else {
        1.0
    };
    SETTLE
        + f64::from(trial.workload.execs) * EXEC * watched * fork
        + f64::from(trial.workload.population) * SLEEPER
}

/// How long the rest of a run takes, once one trial has ended: what is expected of it, corrected by
/// how wrong that was so far, dealt to all workers.
pub fn time_left(
    expected: &[Duration],
    took: &[(usize, Duration)],
    left: &[usize],
    jobs: usize,
) -> Option<Duration> {
    let of = |at: usize| {
        expected
            .get(at)
            .map_or(1.0, Duration::as_secs_f64)
            .max(1e-3)
    };
    let took_whole: f64 = took.iter().map(|(_, wall)| wall.as_secs_f64()).sum();
    let took_expected: f64 = took.iter().map(|&(at, _)| of(at)).sum();
    if took.is_empty() {
        return None;
    }
    let correction = took_whole / took_expected;
    let longest = left.iter().map(|&at| of(at)).fold(0.0, f64::max);
    let shared = left.iter().map(|&at| of(at)).sum::<f64>() / jobs.max(1) as f64;
    Duration::try_from_secs_f64(shared.max(longest) * correction).ok()
}

#[cfg(test)]
#[path = "durations_tests.rs"]
mod tests;
