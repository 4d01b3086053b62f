//! What a metric says of all seeds of a cell: median and spread, or words.
//!
//! Never one seed for all of them, and never a mean that a single seed which lost is lost in: what is
//! shown is the middle with the least and the most beside it.

use std::collections::BTreeMap;

use execlab_model::result::Honesty;

use crate::{
    interval::Interval,
    metric::{Metric, Polarity},
};

/// What a metric says of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// Over the seeds with a number.
    pub numbers: Option<Spread>,
    /// Where the median lies, where each seed is a sample and there are enough of them.
    pub interval: Option<Interval>,
    /// How many seeds say which word.
    pub words: BTreeMap<&'static str, usize>,
}

/// Middle, extremes, and how the rest lies between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Standard deviation, of a sample; `None` of one, and where it is beyond any number (JSON has none for
    /// that).
    pub sd: Option<f64>,
    /// Of so many.
    pub count: usize,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let count = sorted.len();
        let (below, above) = (sorted[(count - 1) / 2], sorted[count / 2]);
        // Sums can leave the mean of equal numbers beside them.
        let mean = (sorted.iter().sum::<f64>() / count as f64).clamp(min, max);
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            median: f64::midpoint(below, above).clamp(below, above),
            mean,
            min,
            max,
            sd: (count > 1)
                .then(|| (squares / (count - 1) as f64).sqrt())
                .filter(|sd| sd.is_finite()),
            count,
        })
    }

    /// The seed that speaks most against the backend.
    pub fn worst(&self, metric: &Metric) -> f64 {
        if metric.polarity == Polarity::Higher {
            self.min
        } else {
            self.max
        }
    }

    /// Whether there is anything to spread.
    pub fn varies(&self) -> bool {
        self.min < self.max
    }
}

impl Figure {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_none() && self.words.is_empty()
    }

    /// The median and the words, for people; empty where nothing was measured.
    pub fn print(&self, metric: &Metric) -> String {
        self.print_words(metric, |word| word)
    }

    /// As [`Self::print`], with other words.
    pub fn print_words(&self, metric: &Metric, say: impl Fn(&str) -> &str) -> String {
        let alone = self.words.len() == 1 && self.numbers.is_none();
        let mut parts: Vec<String> = Vec::new();
        if let Some(numbers) = &self.numbers {
            parts.push(metric.print(numbers.median));
        }
        parts.extend(self.words.iter().map(|(word, count)| {
            if alone {
                say(word).to_owned()
            } else {
                format!("{count}x {}", say(word))
            }
        }));
        parts.join(", ")
    }

    /// The interval of the median as `[low … high]`; where there is none `min..max`, where the seeds
    /// differ.
    pub fn print_spread(&self, metric: &Metric) -> Option<String> {
        if let Some(interval) = &self.interval {
            return Some(print_interval(metric, interval));
        }
        let spread = self.numbers.filter(Spread::varies)?;
        let (min, max) = (metric.print(spread.min), metric.print(spread.max));
        if min == max {
            return None;
        }
        Some(format!("{}..{max}", once(&min, &max)))
    }
}

/// `[low … high]` in the unit of a metric.
pub fn print_interval(metric: &Metric, interval: &Interval) -> String {
    let (low, high) = (metric.print(interval.low), metric.print(interval.high));
    format!("[{} … {high}]", once(&low, &high))
}

/// The lower of two ends: a unit that the upper one says is not said twice.
fn once<'t>(low: &'t str, high: &str) -> &'t str {
    if high.ends_with('%') {
        low.trim_end_matches('%')
    } else {
        low
    }
}

/// Whether a word of [`Honesty`] means that nobody was told of a loss.
pub fn is_silent(word: &str) -> bool {
    word == Honesty::DidNotKnow.as_str() || word == Honesty::KnewTooLittle.as_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_seed_that_lost_is_seen_beside_the_median() {
        let metric = Metric::by_id("completeness").expect("a metric of the table");
        let numbers = Spread::of(&[1.0, 1.0, 0.4, 1.0, 1.0]);
        let figure = Figure {
            numbers,
            ..Figure::default()
        };
        assert_eq!(figure.print(metric), "100%");
        assert_eq!(figure.print_spread(metric).unwrap(), "40.00..100%");
        assert_eq!(numbers.unwrap().worst(metric).to_string(), "0.4");
    }

    #[test]
    fn of_one_seed_nothing_spreads() {
        let spread = Spread::of(&[7.5]).unwrap();
        assert_eq!(
            (spread.median, spread.sd, spread.varies()),
            (7.5, None, false)
        );
        assert_eq!(Spread::of(&[]), None);
        let even = Spread::of(&[4.0, 1.0, 2.0, 9.0]).unwrap();
        assert_eq!((even.median, even.mean), (3.0, 4.0));
        assert_eq!(even.sd.unwrap().to_string(), "3.559026084010437");
    }

    #[test]
    fn figures_that_no_square_holds_have_no_deviation() {
        let spread = Spread::of(&[-1e300, 1.0, 1e300]).unwrap();
        assert_eq!((spread.median, spread.sd), (1.0, None));
    }

    proptest! {
        #[test]
        fn middle_and_mean_lie_between_the_extremes(values in prop::collection::vec(-1e9..1e9, 1..40)) {
            let spread = Spread::of(&values).unwrap();
            for middle in [spread.median, spread.mean] {
                prop_assert!((spread.min..=spread.max).contains(&middle));
            }
            let below = values.iter().filter(|&&v| v < spread.median).count();
            let above = values.iter().filter(|&&v| v > spread.median).count();
            prop_assert!(2 * below <= values.len() && 2 * above <= values.len());
            prop_assert!(spread.sd.unwrap_or(0.0) <= spread.max - spread.min + 1e-6);
        }
    }
}
