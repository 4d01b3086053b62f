//! The one list of metrics: what can be read from a trial, and how it is shown.
//!
//! Columns of the terminal and of Markdown, the switch of the heat map, the fields of
//! `summary.json`, the properties in `junit.xml` and the table in the documentation are all made by
//! walking [`METRICS`]; its order is theirs. A new metric is one entry here and one line in
//! `read.rs`. Ids are names that other programs rely on and are never changed.

mod read;
mod table;
mod unit;

use execlab_model::result::TrialResult;

pub use table::METRICS;
pub use unit::Unit;

/// What a metric says of one trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// A number in the metric's unit.
    Number(f64),
    /// What is said in place of a number, or where there is none to have.
    Word(&'static str),
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It is neither; it is there to understand the others.
    Neutral,
}

impl Polarity {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
            Self::Neutral => "neither better nor worse",
        }
    }
}

/// Where a metric is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A column of every matrix.
    Column,
    /// A column where any cell has something else than zero.
    ColumnIfAny,
    /// Among all the figures of a trial only.
    Detail,
}

/// How a metric becomes a heat map.
#[derive(Clone, Copy)]
pub struct Heat {
    /// 0 (best) to 5 (worst) for a number.
    pub level: fn(f64) -> u8,
    /// The same for a word; `None` for one that says that there is nothing to judge.
    pub word: fn(&str) -> Option<u8>,
    /// What the levels mean, in order.
    pub legend: [&'static str; 6],
    /// The metric that is shown small beside it.
    pub beside: Option<&'static str>,
}

/// One thing that can be read from a trial.
#[derive(Clone, Copy)]
pub struct Metric {
    /// Name in `summary.json`, properties of `junit.xml` and, later, gates; never changed.
    pub id: &'static str,
    /// For headings and lists.
    pub title: &'static str,
    /// For a column of a terminal: at most two short lines.
    pub short: &'static str,
    /// What the number counts, and so how it is printed.
    pub unit: Unit,
    /// Which way is better.
    pub polarity: Polarity,
    /// Where it is shown.
    pub place: Place,
    /// Whether a trial without a monitor has it as well.
    pub of_baseline: bool,
    /// How it becomes a heat map, if it does.
    pub heat: Option<Heat>,
    /// One sentence for the documentation and for tooltips.
    pub help: &'static str,
    read: fn(&TrialResult) -> Option<Reading>,
}

impl Metric {
    /// What it says of a trial; `None` where it was not measured or cannot be.
    pub fn of(&self, trial: &TrialResult) -> Option<Reading> {
        if !self.is_of(trial) {
            return None;
        }
        match (self.read)(trial)? {
            Reading::Number(n) if !n.is_finite() => None,
            reading => Some(reading),
        }
    }

    /// Whether it says anything of such a trial: where nothing watches, nothing can be seen or lost,
    /// and the control can only differ from the baseline.
    fn is_of(&self, trial: &TrialResult) -> bool {
        trial.is_watched() || self.of_baseline || (trial.is_control() && self.is_difference())
    }

    /// Whether it is a difference against the baseline of the same seed.
    pub fn is_difference(&self) -> bool {
        self.unit.is_difference()
    }

    /// A number of it, for people.
    pub fn print(&self, number: f64) -> String {
        self.unit.print(number)
    }

    /// The metric with an id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        METRICS.iter().find(|m| m.id == id)
    }

    /// Those with a heat map.
    pub fn heats() -> impl Iterator<Item = (&'static Self, Heat)> {
        METRICS.iter().filter_map(|m| Some((m, m.heat?)))
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Metric").field(&self.id).finish()
    }
}

impl std::fmt::Debug for Heat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Heat").field(&self.legend).finish()
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::result::Honesty;

    use super::*;

    #[test]
    fn ids_are_unique_and_plain() {
        for (at, metric) in METRICS.iter().enumerate() {
            assert!(
                metric
                    .id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
                "{metric:?}"
            );
            assert!(
                METRICS[..at].iter().all(|m| m.id != metric.id),
                "{metric:?}"
            );
        }
    }

    #[test]
    fn every_metric_is_explained() {
        for metric in METRICS {
            assert!(metric.help.ends_with('.'), "{metric:?}");
            assert!(metric.short.lines().count() <= 2, "{metric:?}");
            assert!(metric.short.lines().all(|l| l.len() <= 10), "{metric:?}");
        }
    }

    #[test]
    fn heat_goes_from_best_to_worst() {
        for (metric, heat) in Metric::heats() {
            assert!(
                heat.beside.is_none_or(|id| Metric::by_id(id).is_some()),
                "{metric:?}"
            );
            if metric.unit == Unit::Word {
                continue;
            }
            let scale = match metric.unit {
                Unit::Share => 1.0,
                Unit::Nanoseconds => 1e9,
                _ => 100.0,
            };
            let steps = (-100..=300_000).map(|n| (heat.level)(f64::from(n) / 100_000.0 * scale));
            let mut levels: Vec<u8> = steps.collect();
            if metric.polarity == Polarity::Higher {
                levels.reverse();
            }
            assert!(levels.is_sorted(), "{metric:?}");
            assert!(levels.contains(&0) && levels.contains(&5), "{metric:?}");
        }
    }

    #[test]
    fn every_word_of_honesty_has_its_level() {
        let (_, heat) = Metric::heats()
            .find(|(m, _)| m.id == "honesty")
            .expect("a heat map of honesty");
        let levels = [
            Honesty::Knew,
            Honesty::KnewTooMuch,
            Honesty::KnewWithoutANumber,
            Honesty::KnewTooLittle,
            Honesty::DidNotKnow,
        ]
        .map(|word| (heat.word)(word.as_str()).expect("a level"));
        assert!(levels.is_sorted(), "{levels:?}");
        assert_eq!((levels[0], levels[4]), (0, 5));
    }
}
