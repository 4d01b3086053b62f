//! What numbers count, and how they are printed.

use crate::number;

/// What the number of a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A part of a whole: `100%` only when it is all.
    Share,
    /// Things.
    Count,
    /// The unit of cost of the trial's lab (instructions, CPU nanoseconds), for each exec.
    CostPerExec,
    /// As [`Unit::CostPerExec`], a difference.
    AddedCostPerExec,
    /// The unit of cost, for each second, a difference.
    AddedCostPerSecond,
    /// A difference in percent.
    AddedPercent,
    /// A plain percentage that may be above a hundred.
    Percent,
    /// Times a second.
    PerSecond,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// No number at all.
    Word,
}

impl Unit {
    /// A number in this unit, for people.
    pub fn print(self, value: f64) -> String {
        match self {
            Self::Share => number::share(value),
            Self::Count | Self::CostPerExec | Self::PerSecond | Self::Word => {
                number::magnitude(value)
            }
            Self::AddedCostPerExec | Self::AddedCostPerSecond => number::signed(value),
            Self::AddedPercent => format!("{}%", number::signed(value)),
            Self::Percent => format!("{value:.1}%"),
            Self::Nanoseconds => number::duration(value),
            Self::Bytes => number::bytes(value),
        }
    }

    /// Whether it counts a difference against the baseline.
    pub const fn is_difference(self) -> bool {
        matches!(
            self,
            Self::AddedCostPerExec | Self::AddedCostPerSecond | Self::AddedPercent
        )
    }

    /// Whether a clock or a meter was read for it, so that in a lab that is not exact each trial is one
    /// sample of it. Shares and counts of execs are no such samples: the seed that lost must be seen.
    pub const fn is_sampled(self) -> bool {
        self.is_difference()
            || matches!(
                self,
                Self::CostPerExec | Self::Percent | Self::PerSecond | Self::Nanoseconds
            )
    }

    /// Its name; `cost` is the unit of cost of the results at hand.
    pub fn name(self, cost: &str) -> String {
        match self {
            Self::Share => "share".into(),
            Self::Count => "count".into(),
            Self::CostPerExec | Self::AddedCostPerExec => format!("{cost} per exec"),
            Self::AddedCostPerSecond => format!("{cost} per second"),
            Self::AddedPercent | Self::Percent => "percent".into(),
            Self::PerSecond => "per second".into(),
            Self::Nanoseconds => "nanoseconds".into(),
            Self::Bytes => "bytes".into(),
            Self::Word => "word".into(),
        }
    }
}
