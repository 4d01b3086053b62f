//! One question over all seeds: the first seed searches the whole range, the others near what it found.
//!
//! Like a single search, it knows nothing of trials: it names seeds and values, and is told what came
//! of each. Which seed leads does not depend on which trial ended first, so the same answers lead to
//! the same questions.

use super::search::{Answer, Precision, Range, Search};

/// What a later seed takes beyond the two values at which it begins, for the time left.
const USUAL: usize = 3;

/// What came of one trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It answers the question.
    Holds(bool),
    /// Nothing of this row can be had, and why.
    Unsupported(String),
    /// The trial says nothing, and why; its seed is not gone on with.
    Broke(String),
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Row {
    range: Range,
    precision: Precision,
    /// In the order in which they would lead.
    pub seeds: Vec<Seed>,
    /// Why there is no answer at all.
    pub unsupported: Option<String>,
}

/// The search of one seed.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Its number.
    pub seed: u64,
    search: Option<Search>,
    /// What ended it early.
    pub broke: Option<String>,
}

impl Seed {
    /// What is known of it.
    pub fn answer(&self) -> Option<Answer> {
        Some(self.search.as_ref()?.answer())
    }

    /// Whether its bounds are as close as was asked for.
    pub fn is_done(&self) -> bool {
        let ended = |search: &Search| search.wants().is_empty();
        self.broke.is_none() && self.search.as_ref().is_some_and(ended)
    }
}

impl Row {
    /// A search by each of these seeds.
    pub fn new(range: Range, precision: Precision, seeds: impl Iterator<Item = u64>) -> Self {
        let seed = |seed| Seed {
            seed,
            search: None,
            broke: None,
        };
        let mut row = Self {
            range,
            precision,
            seeds: seeds.map(seed).collect(),
            unsupported: None,
        };
        row.lead();
        row
    }

    /// Seeds and values to ask about next; none where all that can be known is known.
    pub fn wants(&self) -> Vec<(u64, u64)> {
        if self.unsupported.is_some() {
            return Vec::new();
        }
        let searching = self.seeds.iter().filter(|seed| seed.broke.is_none());
        searching
            .filter_map(|seed| Some((seed.seed, seed.search.as_ref()?)))
            .flat_map(|(seed, search)| search.wants().into_iter().map(move |value| (seed, value)))
            .collect()
    }

    /// Takes what came of a trial.
    pub fn tell(&mut self, seed: u64, value: u64, told: Told) {
        let Some(seed) = self.seeds.iter_mut().find(|s| s.seed == seed) else {
            return;
        };
        match (told, &mut seed.search) {
            (Told::Holds(holds), Some(search)) => search.tell(value, holds),
            (Told::Holds(_), None) => {}
            (Told::Unsupported(reason), _) => self.unsupported = Some(reason),
            (Told::Broke(reason), _) => {
                seed.broke.get_or_insert(reason);
            }
        }
        self.lead();
    }

    /// Has the first seed that is not broken search the whole range, and those behind it follow once it
    /// has ended.
    fn lead(&mut self) {
        let Some(at) = self.seeds.iter().position(|seed| seed.broke.is_none()) else {
            return;
        };
        let (range, precision) = (self.range, self.precision);
        let whole = || Search::whole(range, precision);
        let leader = self.seeds[at].search.get_or_insert_with(whole);
        if !leader.wants().is_empty() {
            return;
        }
        let bracket = leader.answer().bracket;
        for seed in &mut self.seeds[at + 1..] {
            let near = || Search::near(range, precision, bracket);
            seed.search.get_or_insert_with(near);
        }
    }

    /// About how many trials are still to come.
    pub fn left(&self) -> usize {
        if self.unsupported.is_some() {
            return 0;
        }
        let searching = self.seeds.iter().filter(|seed| seed.broke.is_none());
        searching
            .map(|seed| match &seed.search {
                Some(search) => search.left(),
                None => 2 + USUAL,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const RANGE: Range = Range {
        least: 0,
        first: 1_000,
        most: 1_000_000,
    };

    fn run(row: &mut Row, oracle: impl Fn(u64, u64) -> Told) -> BTreeMap<u64, usize> {
        let mut asked = BTreeMap::new();
        loop {
            let wants = row.wants();
            if wants.is_empty() {
                return asked;
            }
            for (seed, value) in wants {
                *asked.entry(seed).or_default() += 1;
                row.tell(seed, value, oracle(seed, value));
            }
        }
    }

    #[test]
    fn the_first_seed_searches_the_whole_range_and_the_others_near_its_edge() {
        let mut row = Row::new(RANGE, Precision(0.05), 0..4);
        let first: Vec<u64> = row.wants().iter().map(|(seed, _)| *seed).collect();
        assert!(first.len() > 5 && first.iter().all(|&seed| seed == 0));
        // Each seed's edge lies a little further up.
        let asked = run(&mut row, |seed, value| {
            Told::Holds(value >= 50_000 + 1_000 * seed)
        });
        assert!(asked[&0] > 8);
        assert!((1..4).all(|seed| asked[&seed] <= 5), "{asked:?}");
        for seed in &row.seeds {
            let answer = seed.answer().unwrap();
            let edge = 50_000 + 1_000 * seed.seed;
            assert!(seed.is_done());
            assert!(answer.highest_no.unwrap() < edge && edge <= answer.lowest_yes.unwrap());
        }
        assert_eq!(row.left(), 0);
    }

    #[test]
    fn where_the_first_seed_breaks_the_next_one_leads() {
        let mut row = Row::new(RANGE, Precision(0.0), 0..3);
        run(&mut row, |seed, value| match seed {
            0 if value > 10_000 => Told::Broke("lost".to_owned()),
            _ => Told::Holds(value >= 77),
        });
        assert_eq!(row.seeds[0].broke.as_deref(), Some("lost"));
        assert!(!row.seeds[0].is_done());
        for seed in &row.seeds[1..] {
            let answer = seed.answer().unwrap();
            assert_eq!((answer.highest_no, answer.lowest_yes), (Some(76), Some(77)));
        }
    }

    #[test]
    fn what_is_unsupported_ends_all_seeds_and_what_breaks_ends_its_own() {
        let mut row = Row::new(RANGE, Precision(0.0), 0..3);
        let asked = run(&mut row, |_, _| {
            Told::Unsupported("no such thing".to_owned())
        });
        assert!(asked.keys().eq([&0]));
        assert_eq!(row.unsupported.as_deref(), Some("no such thing"));

        let mut row = Row::new(RANGE, Precision(0.0), 0..3);
        let asked = run(&mut row, |_, _| Told::Broke("lost".to_owned()));
        assert_eq!(asked.len(), 3);
        assert!(row.wants().is_empty() && row.seeds.iter().all(|s| !s.is_done()));
    }
}
