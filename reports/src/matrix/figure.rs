//! What a metric says of all seeds of a cell: mean and spread, or words.

use std::collections::BTreeMap;

use execlab_model::result::Honesty;

use crate::metric::Metric;

/// What a metric says of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// Over the seeds with a number.
    pub numbers: Option<Spread>,
    /// How many seeds say which word.
    pub words: BTreeMap<&'static str, usize>,
}

/// Mean and extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Of so many.
    pub count: usize,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        // Summing can leave the mean of equal numbers beside them.
        let mean = (values.iter().sum::<f64>() / values.len() as f64).clamp(min, max);
        Some(Self {
            mean,
            min,
            max,
            count: values.len(),
        })
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

    /// The mean and the words, for people; empty where nothing was measured.
    pub fn print(&self, metric: &Metric) -> String {
        self.print_words(metric, |word| word)
    }

    /// As [`Self::print`], with other words.
    pub fn print_words(&self, metric: &Metric, say: impl Fn(&str) -> &str) -> String {
        let alone = self.words.len() == 1 && self.numbers.is_none();
        let mut parts: Vec<String> = Vec::new();
        if let Some(numbers) = &self.numbers {
            parts.push(metric.print(numbers.mean));
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

    /// `min..max`, where the seeds differ.
    pub fn print_spread(&self, metric: &Metric) -> Option<String> {
        let spread = self.numbers.filter(Spread::varies)?;
        let (min, max) = (metric.print(spread.min), metric.print(spread.max));
        if min == max {
            return None;
        }
        // The unit is not said twice.
        let min = if max.ends_with('%') {
            min.trim_end_matches('%')
        } else {
            &min
        };
        Some(format!("{min}..{max}"))
    }
}

/// Whether a word of [`Honesty`] means that nobody was told of a loss.
pub fn is_silent(word: &str) -> bool {
    word == Honesty::DidNotKnow.as_str() || word == Honesty::KnewTooLittle.as_str()
}
