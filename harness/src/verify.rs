//! Which trials are run a second time, to see whether they repeat.

use std::{collections::BTreeMap, str::FromStr};

use execlab_model::{
    repeat::Start,
    result::{Status, TrialResult},
};
use serde::{Deserialize, Serialize};

/// How many of the completed trials are run again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// None.
    None,
    /// One in [`ONE_IN`], at least one and at most [`MOST`].
    #[default]
    Sample,
    /// All.
    All,
}

/// Of so many trials one is in the sample.
pub const ONE_IN: usize = 32;
/// A larger sample says no more and takes its time.
pub const MOST: usize = 8;

impl Verify {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Sample, Self::All];

    /// The name used in flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sample => "sample",
            Self::All => "all",
        }
    }
}

impl FromStr for Verify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|v| v.as_str() == text)
            .ok_or_else(|| crate::matrix::unknown("sample", text, Self::ALL.map(Self::as_str)))
    }
}

/// A trial that is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Its position in the plan.
    pub at: usize,
    /// How its guest is started.
    pub start: Start,
}

/// Chooses among lines, which come with their positions.
///
/// The choice follows from the digests alone, so a run that is gone on with chooses the same trials;
/// it takes one of each backend before it takes a second one of any. Of guests that start warm the
/// first in [`ONE_IN`] is started cold: an image that is not what a boot leads to would repeat itself
/// for ever.
pub fn choose<'a>(
    verify: Verify,
    lines: impl Iterator<Item = (usize, &'a TrialResult)>,
    warm: bool,
) -> Vec<Chosen> {
    let mut of_backends = BTreeMap::<String, Vec<(&str, usize)>>::new();
    for (at, line) in lines.filter(|(_, l)| l.status == Status::Completed) {
        let backend = of_backends.entry(line.backend_label()).or_default();
        backend.push((&line.digest, at));
    }
    let mut ranked = Vec::new();
    for backend in of_backends.values_mut() {
        backend.sort_unstable();
        ranked.extend(backend.iter().enumerate());
    }
    ranked.sort_unstable();
    let count = match verify {
        Verify::None => 0,
        Verify::Sample => ranked.len().div_ceil(ONE_IN).min(MOST),
        Verify::All => ranked.len(),
    };
    let start = |place: usize| {
        if warm && !place.is_multiple_of(ONE_IN) {
            Start::Warm
        } else {
            Start::Cold
        }
    };
    let chosen = ranked.into_iter().take(count).enumerate();
    chosen
        .map(|(place, (_, &(_, at)))| Chosen {
            at,
            start: start(place),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use execlab_model::{plan::BackendSpec, workload::Workload};

    use super::*;
    use crate::{plan::TrialSpec, results};

    fn lines(count: usize) -> Vec<TrialResult> {
        let line = |at: usize| {
            let trial = TrialSpec {
                id: format!("t{at}"),
                kernel: "6.1".into(),
                backend: BackendSpec {
                    name: format!("b{}", at % 5),
                    variant: "default".into(),
                    settings: BTreeMap::default(),
                },
                boot: Vec::new(),
                workload: Workload {
                    scenario: "absolute".into(),
                    load: "closed".parse().unwrap(),
                    execs: 1,
                    lifetime_ns: 0,
                    spawn: execlab_model::workload::Spawn::Vfork,
                    population: 0,
                },
                lab: execlab_model::result::Lab::Exact,
                seed: 0,
            };
            // Digests in another order than positions.
            let mut line = results::blank(&trial, &format!("{:04}", at * 7919 % 10_007));
            line.status = Status::Completed;
            line
        };
        (0..count).map(line).collect()
    }

    fn of(verify: Verify, lines: &[TrialResult]) -> Vec<Chosen> {
        choose(verify, lines.iter().enumerate(), true)
    }

    #[test]
    fn a_sample_is_one_in_so_many_and_never_none() {
        let sizes = [0, 1, 32, 33, 240, 10_000].map(|n| of(Verify::Sample, &lines(n)).len());
        assert_eq!(sizes, [0, 1, 1, 2, 8, 8]);
        assert_eq!(of(Verify::All, &lines(70)).len(), 70);
        assert!(of(Verify::None, &lines(70)).is_empty());
    }

    #[test]
    fn a_sample_has_every_backend_before_one_has_two() {
        let lines = lines(240);
        let mut backends: Vec<String> = of(Verify::Sample, &lines)[..5]
            .iter()
            .map(|c| lines[c.at].backend_label())
            .collect();
        backends.sort();
        backends.dedup();
        assert_eq!(backends.len(), 5);
    }

    #[test]
    fn what_is_chosen_follows_from_the_digests_and_not_from_the_order() {
        let lines = lines(240);
        let forward = of(Verify::Sample, &lines);
        let backward = choose(Verify::Sample, lines.iter().enumerate().rev(), true);
        assert_eq!(forward, backward);
    }

    #[test]
    fn one_in_so_many_is_cold_and_all_are_where_nothing_is_warm() {
        let cold = |chosen: &[Chosen]| chosen.iter().filter(|c| c.start == Start::Cold).count();
        let lines = lines(70);
        assert_eq!(cold(&of(Verify::Sample, &lines)), 1);
        assert_eq!(cold(&of(Verify::All, &lines)), 3);
        assert_eq!(
            cold(&choose(Verify::All, lines.iter().enumerate(), false)),
            70
        );
    }

    #[test]
    fn only_completed_trials_are_run_again() {
        let mut lines = lines(3);
        for (line, status) in lines.iter_mut().zip([Status::Lost, Status::Unsupported]) {
            line.status = status;
        }
        let chosen = of(Verify::All, &lines);
        assert_eq!(chosen.iter().map(|c| c.at).collect::<Vec<_>>(), [2]);
    }
}
