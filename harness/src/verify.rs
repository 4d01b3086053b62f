//! Which trials are run a second time, to see whether they repeat.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use execlab_model::{
    repeat::{Repeat, Start},
    result::{Status, TrialResult},
};
use execlab_reports::cached_since;
use serde::{Deserialize, Serialize};

/// How many trials are run again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// None.
    None,
    /// One in [`ONE_IN`] of those that were completed, at least one and at most [`MOST`].
    #[default]
    Sample,
    /// All of which a guest says anything: those with a record, and those whose guest was lost.
    All,
}

/// Of so many trials one is in the sample.
pub const ONE_IN: usize = 32;
/// A larger sample says no more and takes its time.
pub const MOST: usize = 8;
/// Of a sample so many guests are booted at most: a boot takes longer than most trials.
pub const MOST_COLD: usize = 2;

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

/// A line that may be chosen.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Its position in the plan.
    pub at: usize,
    /// The line.
    pub line: &'a TrialResult,
    /// What its guest is restored from; `None` where it is booted in any case.
    pub image: Option<Image>,
}

/// An image that guests are restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Told apart by it.
    pub name: String,
    /// Whether it was made during this run.
    pub made: bool,
}

/// Chooses what is left to be run again, once `done` was.
///
/// Which trials a sample holds follows from their digests, so a run that is gone on with chooses the
/// rest of them; it takes one of each backend before it takes a second one of any.
///
/// An image that is not what a boot leads to would repeat itself for ever, so some of the guests that
/// start warm are booted here. Of all trials it is the first one of each image. Of a sample it is
/// one of up to [`MOST_COLD`] images that were made during this run, or else one of a single image: the
/// digests say which, so one plan looks at the same image each time and another plan at another.
/// A sample does not vouch for the images of a run; all trials do.
pub fn choose(verify: Verify, lines: &[Candidate<'_>], done: &[Repeat]) -> Vec<Chosen> {
    let lines: Vec<&Candidate<'_>> = lines.iter().filter(|c| verify.is_for(c.line)).collect();
    let digests = lines.iter().map(|c| c.line.digest.as_bytes());
    let turn: usize = digests.flatten().map(|&byte| usize::from(byte)).sum();
    let count = verify.of(lines.len());
    let before = |c: &Candidate<'_>| done.iter().find(|r| r.trial == c.line.trial);
    let (repeated, left): (Vec<_>, Vec<_>) =
        ranked(lines).into_iter().partition(|c| before(c).is_some());
    let booted: Vec<&Candidate<'_>> = repeated
        .iter()
        .filter(|c| before(c).is_some_and(|r| r.start == Start::Cold))
        .copied()
        .collect();
    let count = count.saturating_sub(repeated.len());

    let mut cold = unchecked(&left, &booted);
    if verify == Verify::Sample && !cold.is_empty() {
        let turn = turn % cold.len();
        cold.rotate_left(turn);
        cold.sort_by_key(|&(_, made)| !made);
        let made = cold.iter().filter(|&&(_, made)| made).count();
        let most = if made > 0 {
            MOST_COLD.min(made + booted.len())
        } else {
            1
        };
        cold.truncate(most.saturating_sub(booted.len()));
    }
    cold.truncate(count);
    let cold: BTreeSet<usize> = cold.into_iter().map(|(place, _)| place).collect();
    let warm = (0..left.len()).filter(|place| !cold.contains(place));
    let places: BTreeSet<usize> = warm.take(count - cold.len()).chain(cold.clone()).collect();
    places
        .into_iter()
        .map(|place| Chosen {
            at: left[place].at,
            start: match left[place].image {
                Some(_) if !cold.contains(&place) => Start::Warm,
                _ => Start::Cold,
            },
        })
        .collect()
}

impl Verify {
    /// How many of `lines` have still to be run again, once `done` was: 0 in a run whose sample is whole. A sample is of what
    /// was run; what came from the cache is no news of any machine.
    pub fn left(self, lines: &[TrialResult], done: &[Repeat]) -> usize {
        let wanted = lines
            .iter()
            .filter(|line| line.lab.is_exact() && self.is_for(line) && self.samples(line));
        let (mut all, mut again) = (0, 0);
        for line in wanted {
            all += 1;
            again += usize::from(done.iter().any(|repeat| repeat.trial == line.trial));
        }
        self.of(all).saturating_sub(again)
    }

    /// Whether a line may be in the sample.
    pub fn samples(self, line: &TrialResult) -> bool {
        self == Self::All || cached_since(line).is_none()
    }

    /// How many of so many lines are run again.
    fn of(self, lines: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Sample => lines.div_ceil(ONE_IN).min(MOST),
            Self::All => lines,
        }
    }

    fn is_for(self, line: &TrialResult) -> bool {
        match self {
            Self::None => false,
            Self::Sample => line.status == Status::Completed,
            Self::All => line.record_sha256.is_some() || line.status == Status::Lost,
        }
    }
}

/// The smallest digest of each backend, then the second one of each, and so on.
fn ranked<'c, 'a>(lines: Vec<&'c Candidate<'a>>) -> Vec<&'c Candidate<'a>> {
    let mut of_backends = BTreeMap::<String, Vec<&Candidate<'_>>>::new();
    for candidate in lines {
        let backend = of_backends
            .entry(candidate.line.backend_label())
            .or_default();
        backend.push(candidate);
    }
    let key = |c: &Candidate<'_>| (c.line.digest.clone(), c.at);
    let mut ranked = Vec::new();
    for mut backend in of_backends.into_values() {
        backend.sort_by_key(|c| key(c));
        ranked.extend(backend.into_iter().enumerate());
    }
    ranked.sort_by_key(|&(rank, c)| (rank, key(c)));
    ranked.into_iter().map(|(_, c)| c).collect()
}

/// The places of the first trial of each image of which none was booted yet, and whether the image was
/// made during this run; by the names of the images.
fn unchecked(left: &[&Candidate<'_>], booted: &[&Candidate<'_>]) -> Vec<(usize, bool)> {
    let name = |c: &&Candidate<'_>| Some(c.image.as_ref()?.name.clone());
    let checked: BTreeSet<String> = booted.iter().filter_map(name).collect();
    let mut first = BTreeMap::new();
    for (place, candidate) in left.iter().enumerate() {
        if let Some(image) = &candidate.image
            && !checked.contains(&image.name)
        {
            first.entry(&image.name).or_insert((place, image.made));
        }
    }
    first.into_values().collect()
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
