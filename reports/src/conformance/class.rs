//! Claims in the words of a facet, and the class of a cell, which is one claim for each facet.
//!
//! A claim is a set of words. Plain (`exact|stale`) it says that these are what is seen, all of them
//! and no other. With `varies` before it, it says that any of them may be seen: the technique is a race
//! there, and what a run shows of it is chance.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::facet::{Facet, NOTHING_TO_SEE};

/// A set of words of one facet: bit N is the word N of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Words(u16);

impl Words {
    /// Of words of the facet; `None` where one is not in its list.
    pub fn of<'w>(facet: Facet, words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let at = |word: &str| facet.words().iter().position(|known| *known == word);
        words
            .into_iter()
            .try_fold(0, |bits, word| Some(bits | 1 << at(word)?))
            .map(Self)
    }

    /// One word, which must be in the facet's list.
    fn one(facet: Facet, word: &'static str) -> Self {
        Self::of(facet, [word]).expect("a word of the facet")
    }

    /// Those that are in either.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of the facet's list.
    fn list(self, facet: Facet) -> Vec<&'static str> {
        let words = facet.words().iter().enumerate();
        words
            .filter(|(at, _)| self.0 & 1 << at != 0)
            .map(|(_, word)| *word)
            .collect()
    }
}

/// What is held of one facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    words: Words,
    varies: bool,
    /// Whether there may be nothing to say it of, because nothing may be seen.
    or_nothing: bool,
}

/// The word [`NOTHING`](super::NOTHING), which is the first of every facet of sightings.
const NO_SIGHTING: Words = Words(1);

/// Before the words of a claim that holds for any of them.
const VARIES: &str = "varies ";

impl Claim {
    /// That these words are what is seen.
    pub const fn exactly(words: Words) -> Self {
        Self {
            words,
            varies: false,
            or_nothing: false,
        }
    }

    /// Reads what [`Self::text`] writes.
    pub fn parse(facet: Facet, text: &str) -> Result<Self, BadClass> {
        let (varies, words) = match text.strip_prefix(VARIES) {
            Some(words) => (true, words),
            None => (false, text),
        };
        let words = Words::of(facet, words.split('|')).ok_or_else(|| BadClass::Words {
            facet,
            text: text.to_owned(),
        })?;
        if varies && words.0.count_ones() < 2 {
            return Err(BadClass::OneVaries { facet });
        }
        Ok(Self {
            words,
            varies,
            or_nothing: false,
        })
    }

    /// As documents have it.
    pub fn text(self, facet: Facet) -> String {
        let varies = if self.varies { VARIES } else { "" };
        format!("{varies}{}", self.words.list(facet).join("|"))
    }

    /// As people read it: `exact and stale`, or `exact, stale or absent` where it varies.
    fn shown(self, facet: Facet) -> String {
        let words = self.words.list(facet);
        let last = if self.varies { " or " } else { " and " };
        match words.split_last() {
            Some((end, rest)) if !rest.is_empty() => format!("{}{last}{end}", rest.join(", ")),
            _ => words.concat(),
        }
    }

    /// Whether what was measured is as it says.
    pub fn holds(self, measured: Words) -> bool {
        let measured = if self.or_nothing {
            // Another seed of the cell may have seen something.
            measured.without(NO_SIGHTING)
        } else {
            measured
        };
        if self.or_nothing && measured.is_empty() {
            true
        } else if self.varies {
            measured.is_within(self.words)
        } else {
            measured == self.words
        }
    }

    /// Whether it is a race.
    pub const fn varies(self) -> bool {
        self.varies
    }

    fn resting(facet: Facet) -> Self {
        Self::exactly(Words::one(facet, facet.resting()))
    }
}

/// One claim for each facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class([Claim; Facet::ALL.len()]);

impl Class {
    /// Nothing to say in any facet; where prediction and reading start.
    pub fn resting() -> Self {
        Self(Facet::ALL.map(Claim::resting))
    }

    /// Of one word or more for each facet.
    pub fn measured(words: &Measured) -> Self {
        Self(words.0.map(Claim::exactly))
    }

    /// What it says of a facet.
    pub fn of(&self, facet: Facet) -> Claim {
        self.0[facet as usize]
    }

    /// With another claim for a facet.
    #[must_use]
    pub fn with(mut self, facet: Facet, claim: Claim) -> Self {
        self.0[facet as usize] = claim;
        self
    }

    /// As it is if this is what is said of [`Facet::Seen`]: of a cell without a measurement nothing
    /// else is said, nothing is said of the fields of sightings where there are none, and where there
    /// may be none, that may be what is said.
    #[must_use]
    pub fn given(self, seen: Claim) -> Self {
        let seen_words = |words: &[&'static str]| {
            let all = Words::of(Facet::Seen, words.iter().copied());
            all.expect("words of the facet")
        };
        let sightings = seen_words(&["all", "some"]);
        let none = seen_words(&["none", NOTHING_TO_SEE]);
        let mut class = self.with(Facet::Seen, seen);
        for facet in &Facet::ALL[1..] {
            let facet = *facet;
            let measured = seen.words.meets(sightings.and(none));
            let some = !facet.is_of_sightings() || seen.words.meets(sightings);
            let claim = if !measured || !some {
                Claim::resting(facet)
            } else if facet.is_of_sightings() {
                let had = class.of(facet);
                let rest = had.words.without(NO_SIGHTING);
                Claim {
                    words: if rest.is_empty() { had.words } else { rest },
                    or_nothing: seen.words.meets(none),
                    ..had
                }
            } else {
                class.of(facet)
            };
            class = class.with(facet, claim);
        }
        class
    }

    /// As [`Self::given`] of what it says of itself.
    #[must_use]
    pub fn settled(self) -> Self {
        self.given(self.of(Facet::Seen))
    }

    /// What it says of a facet, as it is written; `None` where there is nothing to say. That nothing
    /// may be seen follows from [`Facet::Seen`] and is not said again.
    pub fn words(&self, facet: Facet) -> Option<String> {
        Some(self.said(facet)?.text(facet))
    }

    fn said(&self, facet: Facet) -> Option<Claim> {
        let claim = self.of(facet);
        if facet == Facet::Seen {
            return Some(claim);
        }
        (claim.words != Claim::resting(facet).words).then_some(claim)
    }

    /// What stands out, for people: whether execs are seen, and every facet that is not the best it can
    /// be.
    pub fn brief(&self) -> String {
        let said = |facet: Facet| {
            let words = self.said(facet)?.shown(facet);
            match facet {
                Facet::Seen if words == NOTHING_TO_SEE => Some("nothing to see".into()),
                Facet::Seen if self.is_measured() => Some(format!("sees {words}")),
                Facet::Seen => Some(words),
                _ if words == facet.best() => None,
                Facet::Phantoms | Facet::Duplicates | Facet::Late if words == "yes" => {
                    Some(facet.to_string())
                }
                _ => Some(format!("{facet} {words}")),
            }
        };
        let parts: Vec<String> = Facet::ALL.into_iter().filter_map(said).collect();
        parts.join("; ")
    }

    /// Whether it says what was seen, and not why nothing was measured.
    pub fn is_measured(&self) -> bool {
        self.of(Facet::Loss) != Claim::resting(Facet::Loss)
    }
}

/// As `seen all; path exact; loss knew`, without what rests.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = Facet::ALL.into_iter().filter_map(|facet| {
            let words = self.words(facet)?;
            Some(format!("{facet} {words}"))
        });
        f.pad(&said.collect::<Vec<_>>().join("; "))
    }
}

impl FromStr for Class {
    type Err = BadClass;

    fn from_str(text: &str) -> Result<Self, BadClass> {
        let mut said = BTreeMap::new();
        for part in text.split("; ") {
            let (name, words) = part.split_once(' ').unwrap_or((part, ""));
            let facet = Facet::by_name(name).ok_or_else(|| BadClass::facet(name))?;
            if said.insert(facet, Claim::parse(facet, words)?).is_some() {
                return Err(BadClass::Twice { facet });
            }
        }
        let class = said
            .into_iter()
            .fold(Self::resting(), |class, (facet, claim)| {
                class.with(facet, claim)
            });
        Ok(class.settled())
    }
}

/// What trials of a cell showed, facet by facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured([Words; Facet::ALL.len()]);

impl Measured {
    /// Of one trial; `None` where it is no measurement.
    pub fn of(trial: &execlab_model::result::TrialResult) -> Option<Self> {
        let mut words = [Words(0); Facet::ALL.len()];
        for facet in Facet::ALL {
            words[facet as usize] = Words::of(facet, facet.measure(trial)?)?;
        }
        Some(Self(words))
    }

    /// What it shows of a facet.
    pub fn facet(&self, facet: Facet) -> Words {
        self.0[facet as usize]
    }

    /// Together with another trial of the cell: all that was seen.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine = mine.and(its);
        }
        self
    }
}

/// A text that is no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClass {
    /// The name of a facet.
    #[error("`{name}` is no facet (valid: {valid})")]
    Facet {
        /// As written.
        name: String,
        /// All names.
        valid: String,
    },
    /// The words of a facet.
    #[error("`{text}` is nothing that is said of {facet} (valid, joined by `|`: {})", facet.words().join(", "))]
    Words {
        /// Whose.
        facet: Facet,
        /// As written.
        text: String,
    },
    /// One word that varies.
    #[error("{facet}: one word alone does not vary")]
    OneVaries {
        /// Whose.
        facet: Facet,
    },
    /// Said twice.
    #[error("{facet} is said twice")]
    Twice {
        /// Which.
        facet: Facet,
    },
}

impl BadClass {
    pub(super) fn facet(name: &str) -> Self {
        Self::Facet {
            name: name.to_owned(),
            valid: Facet::ALL.map(Facet::as_str).join(", "),
        }
    }
}
