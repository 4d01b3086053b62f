//! Whether a difference can be told from nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Cell, Matrix, Role};
use crate::{
    interval::Interval,
    metric::{Metric, Unit},
};

/// What an interval says of a difference, beside that of the control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Apart {
    /// More than nothing, and more than the control shows.
    Above,
    /// Less than nothing, and less than the control shows.
    Below,
    /// The interval holds 0, or overlaps the control's.
    NotToldApart,
    /// It does not hold 0, but there is no control with an interval to show what the lab makes of
    /// nothing.
    NoControl,
}

impl Apart {
    /// What stands below a figure that must not be taken at its word; nothing for the others. Short
    /// enough for a narrow column, and explained below the tables. It claims no equivalence: an interval
    /// that holds 0 may be a wide one.
    pub const fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Above | Self::Below => None,
            Self::NotToldApart => Some("unclear"),
            Self::NoControl => Some("no control to compare with"),
        }
    }

    fn of(own: &Interval, control: Option<&Interval>) -> Self {
        match control {
            _ if own.holds(0.0) => Self::NotToldApart,
            None => Self::NoControl,
            Some(control) if own.overlaps(control) => Self::NotToldApart,
            Some(control) if own.low > control.high => Self::Above,
            Some(_) => Self::Below,
        }
    }
}

impl Matrix<'_> {
    /// Whether a cell's difference can be told from nothing; `None` for what is no difference, has no
    /// interval, or is the control itself.
    pub fn apart(&self, cell: &Cell<'_>, metric: &Metric) -> Option<Apart> {
        if self.role(cell.at) != Role::Watcher || !metric.is_difference() {
            return None;
        }
        let own = cell.figure(metric).interval?;
        let control = self.control_interval(cell.at, metric);
        Some(Apart::of(&own, control.as_ref()))
    }

    /// What stands below a figure in a table. A percentage is the difference that stands beside it once
    /// more, and needs no second word.
    pub fn caveat(&self, cell: &Cell<'_>, metric: &Metric) -> Option<&'static str> {
        if metric.unit == Unit::AddedPercent {
            return None;
        }
        self.apart(cell, metric)?.caveat()
    }

    /// What the control shows in a metric, or where it has none of it (it has no boot option) in the
    /// cost of the whole exec.
    fn control_interval(&self, at: At, metric: &Metric) -> Option<Interval> {
        let control = self.control(at)?;
        let whole = Metric::by_id("added_per_exec").filter(|whole| whole.unit == metric.unit);
        [Some(metric), whole]
            .into_iter()
            .flatten()
            .find_map(|metric| control.figure(metric).interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_only_beside_nothing_and_the_control() {
        let of = |low, high| Interval {
            low,
            high,
            coverage: 0.99,
        };
        let control = of(-20.0, 30.0);
        let told = |low, high| Apart::of(&of(low, high), Some(&control));
        assert_eq!(told(31.0, 90.0), Apart::Above);
        assert_eq!(told(30.0, 90.0), Apart::NotToldApart);
        assert_eq!(told(-1.0, 90.0), Apart::NotToldApart);
        assert_eq!(told(-90.0, -21.0), Apart::Below);
        assert_eq!(told(-90.0, -20.0), Apart::NotToldApart);
        assert_eq!(Apart::of(&of(1.0, 2.0), None), Apart::NoControl);
        assert_eq!(Apart::of(&of(0.0, 2.0), None), Apart::NotToldApart);
        // A control beside nothing does not make a backend that costs nothing cost something.
        let odd = of(5.0, 6.0);
        assert_eq!(Apart::of(&of(-1.0, 1.0), Some(&odd)), Apart::NotToldApart);
    }
}
