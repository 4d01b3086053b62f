//! Parts of a plan, for several machines.
//!
//! What is compared stays together. In the exact lab a trial takes its baselines with it, and several parts may
//! run the same one: it is the same there to the last bit, which `execlab merge` checks. Where machines drift, all of
//! a kernel, workload and seed is one piece.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use execlab_vm::digest::Sha256;
use serde::{Deserialize, Serialize};

use super::{Plan, TrialSpec};

/// By what a plan is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// In turn, in the order of the plan: parts are even.
    Slice,
    /// By a hash of the trial's id: a trial stays in its part when others come or go.
    Hash,
}

impl By {
    const ALL: [Self; 2] = [Self::Slice, Self::Hash];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Slice => "slice",
            Self::Hash => "hash",
        }
    }
}

/// One part of several: `slice:1/4`, `hash:4/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// How the plan is divided.
    pub by: By,
    /// Which part, counted from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.by.as_str(), self.part, self.parts)
    }
}

/// A text that names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write `slice:M/N` or `hash:M/N`, with M from 1 to N, as in `slice:1/4`")]
pub struct BadPartition;

impl FromStr for Partition {
    type Err = BadPartition;

    fn from_str(text: &str) -> Result<Self, BadPartition> {
        let (by, numbers) = text.split_once(':').ok_or(BadPartition)?;
        let (part, parts) = numbers.split_once('/').ok_or(BadPartition)?;
        let by = By::ALL.into_iter().find(|known| known.as_str() == by);
        let number = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| digits)
        };
        match (by, number(part), number(parts)) {
            (Some(by), Some(part), Some(parts)) if (1..=parts).contains(&part) => {
                Ok(Self { by, part, parts })
            }
            _ => Err(BadPartition),
        }
    }
}

/// Of which whole a plan is a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub partition: Partition,
    /// [`Plan::fingerprint`] of the whole.
    pub whole: String,
}

impl Plan {
    /// The part of this plan, which has to be whole, that `partition` names. It may have no trial.
    #[must_use]
    pub fn part(&self, partition: Partition) -> Self {
        let pieces = self.pieces();
        let chosen: BTreeSet<usize> = pieces
            .iter()
            .enumerate()
            .filter(|(at, piece)| partition.takes(*at, &self.trials[piece[0]].id))
            .flat_map(|(_, piece)| piece.iter().copied())
            .collect();
        Self {
            trials: chosen
                .into_iter()
                .map(|at| self.trials[at].clone())
                .collect(),
            shard: Some(Shard {
                partition,
                whole: self.fingerprint(),
            }),
            ..self.clone()
        }
    }

    /// The plan of which this is a part, as this execlab makes it.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self {
            manner: self.manner,
            ..Self::of(&self.matrix)
        }
    }

    /// SHA-256 of all that is run, and by which version; how it is run is no part of it.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(&(self.schema, &self.execlab, &self.matrix, &self.trials));
        Sha256::of(&text.expect("plain data always encodes")).into()
    }

    /// What a plan is divided into: positions, the one that names the piece first.
    fn pieces(&self) -> Vec<Vec<usize>> {
        if self.matrix.lab.is_exact() {
            self.with_their_baselines()
        } else {
            self.by_seed()
        }
    }

    fn with_their_baselines(&self) -> Vec<Vec<usize>> {
        let baselines = self.baselines();
        let behind = |at: usize| {
            [baselines[at].plain, baselines[at].boot]
                .into_iter()
                .flatten()
        };
        let needed: BTreeSet<usize> = (0..self.trials.len()).flat_map(behind).collect();
        (0..self.trials.len())
            .filter(|at| !needed.contains(at))
            .map(|at| [at].into_iter().chain(behind(at)).collect())
            .collect()
    }

    fn by_seed(&self) -> Vec<Vec<usize>> {
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        let mut known = HashMap::new();
        for (at, trial) in self.trials.iter().enumerate() {
            let TrialSpec {
                kernel,
                workload,
                seed,
                ..
            } = trial;
            let piece = *known.entry((kernel, workload, seed)).or_insert_with(|| {
                pieces.push(Vec::new());
                pieces.len() - 1
            });
            pieces[piece].push(at);
        }
        pieces
    }
}

impl Partition {
    fn takes(self, at: usize, id: &str) -> bool {
        let number = match self.by {
            By::Slice => at as u64,
            By::Hash => {
                let hash: String = Sha256::of(id.as_bytes()).into();
                u64::from_str_radix(&hash[..16], 16)
                    .expect("a hash is written in hexadecimal digits")
            }
        };
        number % u64::from(self.parts) == u64::from(self.part - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::tests::matrices;

    #[test]
    fn a_part_is_named_from_1_on() {
        for good in ["slice:1/1", "hash:2/3"] {
            assert_eq!(good.parse::<Partition>().unwrap().to_string(), good);
        }
        for bad in [
            "slice:0/3",
            "hash:4/3",
            "hash:+1/3",
            "count:1/2",
            "slice:1",
            "1/2",
            "",
        ] {
            assert_eq!(bad.parse::<Partition>(), Err(BadPartition), "{bad}");
        }
    }

    fn all(by: By, parts: u32) -> impl Iterator<Item = Partition> {
        (1..=parts).map(move |part| Partition { by, part, parts })
    }

    proptest! {
        #[test]
        fn parts_make_the_whole_and_keep_together_what_is_compared(
            matrix in matrices(), parts in 1u32..5, hash in any::<bool>(),
        ) {
            let whole = Plan::of(&matrix);
            let by = if hash { By::Hash } else { By::Slice };
            let mut seen = BTreeSet::new();
            for partition in all(by, parts) {
                let part = whole.part(partition);
                prop_assert_eq!(part.whole(), whole.clone());
                prop_assert_eq!(part.shard.as_ref().unwrap().whole.clone(), whole.fingerprint());
                // In the order of the plan, each once, each with what it is compared with.
                let place = |id: &str| whole.trials.iter().position(|t| t.id == id).unwrap();
                let places: Vec<usize> = part.trials.iter().map(|t| place(&t.id)).collect();
                prop_assert!(places.is_sorted_by(|a, b| a < b));
                let compared = whole.baselines();
                for at in &places {
                    let needs = [compared[*at].plain, compared[*at].boot];
                    prop_assert!(needs.iter().flatten().all(|b| places.contains(b)));
                }
                let again = places.iter().filter(|at| !seen.insert(**at)).count();
                let baselines = places.iter().filter(|at| whole.trials[**at].backend.is_baseline()).count();
                let may_be_there = if matrix.lab.is_exact() { baselines } else { 0 };
                prop_assert!(again <= may_be_there);
            }
            prop_assert_eq!(seen.len(), whole.trials.len());
        }

        #[test]
        fn slices_are_even(matrix in matrices(), parts in 1u32..5) {
            let whole = Plan::of(&matrix);
            let sizes: Vec<usize> = all(By::Slice, parts)
                .map(|p| whole.pieces().iter().enumerate().filter(|(at, _)| p.takes(*at, "")).count())
                .collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}
