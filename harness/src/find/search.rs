//! One search for an edge: where along a line of whole numbers something begins to hold.
//!
//! Nothing is known of it but the answers to questions at single values, and it need not be monotone. So
//! a search keeps every answer, and ends with two bounds that answers prove, not with one number:
//! the lowest value at which it held, and the highest at which it did not. What it asks
//! next follows from the range, the precision and the answers so far, and from nothing else: a search
//! that is begun again with answers from a file takes the same way, and many can be asked at once.
//!
//! A search of the whole range asks in coarse steps first, each some times the last one, so that a
//! second edge far from the first is found too, if it is wider than a step. A search near a bracket that
//! is known from elsewhere asks there first, and goes outward in steps that double where the edge is not
//! there. Both then halve what lies between.

use std::collections::BTreeMap;

/// Each coarse step is so many times the one before.
const STEP: u64 = 4;
/// From this ratio on the middle between two values is taken by their ratio, not by their difference.
const WIDE: u64 = 2;

/// The values that may be asked about, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The lowest.
    pub least: u64,
    /// The first coarse step above it, from 1 up; what lies between is looked into only if an edge lies there.
    pub first: u64,
    /// The highest.
    pub most: u64,
}

impl Range {
    /// Both ends and the coarse steps between them, in order.
    fn steps(self) -> Vec<u64> {
        let steps = std::iter::successors(Some(self.first.max(1)), |step| step.checked_mul(STEP));
        let inside = steps
            .skip_while(|&step| step <= self.least)
            .take_while(|&step| step < self.most);
        let mut all = vec![self.least];
        all.extend(inside);
        all.push(self.most);
        all.dedup();
        all
    }
}

/// How close two values must come, relative to the higher one; 0 is to the last whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision(pub f64);

impl Range {
    /// The widest distance between two values that are close enough, the higher of which is this one. Below the
    /// first step nothing is told apart more finely than there.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a value, rounded down"
    )]
    fn distance(self, precision: Precision, above: u64) -> u64 {
        ((above.max(self.first) as f64 * precision.0) as u64).max(1)
    }
}

/// Where an edge was found: between the highest value at which it did not hold, and the lowest at
/// which it did.
///
/// Where nothing failed there is no `below`, where nothing held no `above`. What is not monotone has
/// `below` at its lowest edge and `above` at its highest, so that both lie between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bracket {
    /// It did not hold here.
    pub below: Option<u64>,
    /// It held here.
    pub above: Option<u64>,
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The lowest value at which it held.
    pub lowest_yes: Option<u64>,
    /// The highest value at which it did not.
    pub highest_no: Option<u64>,
    /// The lowest value from which on it held wherever it was asked.
    pub from_here: Option<u64>,
    /// Where both edges lie.
    pub bracket: Bracket,
    /// How many values were asked about.
    pub asked: usize,
}

impl Answer {
    /// Whether it held nowhere below a value at which it did not.
    pub fn is_monotone(&self) -> bool {
        match (self.lowest_yes, self.highest_no) {
            (Some(yes), Some(no)) => yes > no,
            _ => true,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    range: Range,
    precision: Precision,
    opening: Vec<u64>,
    told: BTreeMap<u64, bool>,
}

impl Search {
    /// Over the whole range.
    pub fn whole(range: Range, precision: Precision) -> Self {
        Self {
            range,
            precision,
            opening: range.steps(),
            told: BTreeMap::new(),
        }
    }

    /// Near the place where another search of the same range found its edges.
    pub fn near(range: Range, precision: Precision, bracket: Bracket) -> Self {
        let Bracket { below, above } = bracket;
        let inside = |value: u64| value.clamp(range.least, range.most);
        // Where nothing failed, and where nothing held, one value tells whether that is so here too.
        let opening = match (below, above) {
            (None, _) => vec![range.least],
            (Some(_), None) => vec![range.most],
            (Some(below), Some(above)) => vec![inside(below), inside(above)],
        };
        Self {
            range,
            precision,
            opening,
            told: BTreeMap::new(),
        }
    }

    /// The values to ask about next, in any order; none where the search has ended.
    pub fn wants(&self) -> Vec<u64> {
        let mut wants: Vec<u64> = self.untold().collect();
        if wants.is_empty() {
            wants.extend(self.outward());
        }
        if wants.is_empty() {
            wants.extend(self.open_edges().map(|(below, above)| middle(below, above)));
        }
        wants.sort_unstable();
        wants.dedup();
        wants
    }

    /// Takes the answer at a value.
    pub fn tell(&mut self, value: u64, holds: bool) {
        self.told.insert(value, holds);
    }

    /// What is known so far; final once it [wants](Self::wants) nothing more.
    pub fn answer(&self) -> Answer {
        let lowest = self.lowest_edge();
        let highest = self.highest_edge();
        Answer {
            lowest_yes: self.lowest_yes(),
            highest_no: self.highest_no(),
            from_here: match self.highest_no() {
                None => self.lowest_yes(),
                Some(no) => self.after(no),
            },
            bracket: Bracket {
                below: lowest.map_or_else(|| self.highest_no(), |(below, _)| Some(below)),
                above: highest.map_or_else(|| self.lowest_yes(), |(_, above)| Some(above)),
            },
            asked: self.told.len(),
        }
    }

    /// About how many values it will still ask about, for the time left.
    pub fn left(&self) -> usize {
        let halvings = |(below, above): (u64, u64)| {
            let widths = (above - below) / self.range.distance(self.precision, above);
            widths.max(1).ilog2() as usize + 1
        };
        let opening = self.untold().count();
        let edges: usize = self.open_edges().map(halvings).sum();
        match opening {
            0 => edges.max(usize::from(!self.wants().is_empty())),
            // A step of the range has still to be halved behind it.
            _ if self.told.is_empty() && self.opening.len() > 2 => {
                opening + halvings((1, STEP)) * 2
            }
            _ => opening + edges,
        }
    }

    fn untold(&self) -> impl Iterator<Item = u64> {
        let untold = |value: &&u64| !self.told.contains_key(value);
        self.opening.iter().filter(untold).copied()
    }

    /// Beyond what was asked about, where it holds at the lowest value of all, or not at the highest.
    fn outward(&self) -> Vec<u64> {
        let mut wants = Vec::new();
        let mut up = self.told.iter();
        if let Some((&lowest, true)) = up.next()
            && lowest > self.range.least
        {
            let gap = up.next().map_or(lowest / STEP, |(&next, _)| next - lowest);
            let step = gap.saturating_mul(2).max(self.range.first);
            wants.push(lowest.saturating_sub(step).max(self.range.least));
        }
        let mut down = self.told.iter().rev();
        if let Some((&highest, false)) = down.next()
            && highest < self.range.most
        {
            let gap = down
                .next()
                .map_or(highest / STEP, |(&next, _)| highest - next);
            let step = gap.saturating_mul(2).max(self.range.first);
            wants.push(highest.saturating_add(step).min(self.range.most));
        }
        wants
    }

    /// The edges that are not close enough yet: the lowest and the highest, which may be one.
    fn open_edges(&self) -> impl Iterator<Item = (u64, u64)> {
        let lowest = self.lowest_edge();
        let highest = self.highest_edge().filter(|edge| Some(*edge) != lowest);
        let distance = |above| self.range.distance(self.precision, above);
        let open = move |(below, above): &(u64, u64)| above - below > distance(*above);
        lowest.into_iter().chain(highest).filter(open)
    }

    fn lowest_yes(&self) -> Option<u64> {
        let mut told = self.told.iter();
        told.find(|(_, holds)| **holds).map(|(&value, _)| value)
    }

    fn highest_no(&self) -> Option<u64> {
        let mut told = self.told.iter().rev();
        told.find(|(_, holds)| !**holds).map(|(&value, _)| value)
    }

    fn after(&self, value: u64) -> Option<u64> {
        self.told.range(value + 1..).next().map(|(&next, _)| next)
    }

    /// The lowest value at which it holds, and the one below it.
    fn lowest_edge(&self) -> Option<(u64, u64)> {
        let yes = self.lowest_yes()?;
        let (&no, _) = self.told.range(..yes).next_back()?;
        Some((no, yes))
    }

    /// The highest value at which it does not hold, and the one above it.
    fn highest_edge(&self) -> Option<(u64, u64)> {
        let no = self.highest_no()?;
        Some((no, self.after(no)?))
    }
}

/// A value between two that are at least 2 apart.
fn middle(below: u64, above: u64) -> u64 {
    if below > 0 && above / below > WIDE {
        let product = u128::from(below) * u128::from(above);
        return u64::try_from(product.isqrt()).expect("between two that fit");
    }
    below + (above - below) / 2
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
