//! What a gate looks at: the one table of measures, with the limits that hold where a policy says nothing.

use execlab_model::{
    exit::ExitCode,
    result::{Honesty, PathClass, TrialResult},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Reading, Unit};

/// What kind of change a measure shows, and so which exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// What watching costs.
    Cost,
    /// What is seen, and how well.
    Accuracy,
}

impl Group {
    /// What a regression ends with.
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Self::Cost => ExitCode::CostRegressed,
            Self::Accuracy => ExitCode::AccuracyRegressed,
        }
    }
}

/// From where on a difference counts: it has to exceed all of these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// As a share of the smaller one of the two figures, so that a change counts in both directions alike.
    pub relative: f64,
    /// In the measure's unit.
    pub absolute: f64,
    /// In the measure's unit, where the trials of a side differ among themselves: a race that is won by turns.
    pub varied: f64,
    /// In place of `relative` where the guests were started from another image: what lies elsewhere in memory shifts all
    /// seeds together, and no number of seeds shows by how much.
    pub image: f64,
}

/// What is taken for the standard deviation over seeds where there are too few of them to see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumed {
    /// As a share of the figure.
    pub relative: f64,
    /// At least, in the measure's unit.
    pub absolute: f64,
}

/// One thing that a gate looks at.
#[derive(Clone, Copy)]
pub struct Measure {
    /// Name in a policy and in documents; that of a metric where it is one.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What kind of change it shows.
    pub group: Group,
    /// How it is printed.
    pub unit: Unit,
    /// Whether it is gated where a policy does not name it.
    pub usual: bool,
    /// Limits in the exact lab.
    pub exact: Limit,
    /// Limits in the others.
    pub sampled: Limit,
    /// In the exact lab, with few seeds.
    pub assumed: Assumed,
    higher: bool,
    /// Of what is no metric.
    own: Option<fn(&TrialResult) -> Option<f64>>,
}

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Measure").field(&self.id).finish()
    }
}

const NOTHING: Limit = Limit {
    relative: 0.0,
    absolute: 0.0,
    varied: 0.0,
    image: 0.0,
};

const fn metric(id: &'static str, title: &'static str, group: Group, unit: Unit) -> Measure {
    Measure {
        id,
        title,
        group,
        unit,
        usual: true,
        exact: NOTHING,
        sampled: NOTHING,
        assumed: Assumed {
            relative: 0.0,
            absolute: 0.0,
        },
        higher: false,
        own: None,
    }
}

/// A share of execs: in the exact lab one exec is a change, unless the race for it is won by turns anyway. From one image
/// to another one exec in a thousand is none: of 96 seeds on four images one lost the containers of two execs, where
/// nothing but the image had changed.
const fn share(id: &'static str, title: &'static str) -> Measure {
    Measure {
        higher: true,
        exact: Limit {
            varied: 0.02,
            image: 0.001,
            ..NOTHING
        },
        sampled: Limit {
            absolute: 0.001,
            ..NOTHING
        },
        assumed: Assumed {
            relative: 0.0,
            absolute: 0.02,
        },
        ..metric(id, title, Group::Accuracy, Unit::Share)
    }
}

/// A count of each trial that is best 0.
const fn faults(id: &'static str, title: &'static str) -> Measure {
    Measure {
        exact: Limit {
            varied: 1.0,
            ..NOTHING
        },
        sampled: Limit {
            absolute: 1.0,
            ..NOTHING
        },
        assumed: Assumed {
            relative: 0.1,
            absolute: 1.0,
        },
        ..metric(id, title, Group::Accuracy, Unit::Count)
    }
}

impl Measure {
    const fn exact(self, relative: f64, absolute: f64, image: f64) -> Self {
        Self {
            exact: Limit {
                relative,
                absolute,
                image,
                ..NOTHING
            },
            ..self
        }
    }

    const fn sampled(self, relative: f64, absolute: f64) -> Self {
        Self {
            sampled: Limit {
                relative,
                absolute,
                ..NOTHING
            },
            ..self
        }
    }

    const fn assumed(self, relative: f64, absolute: f64) -> Self {
        Self {
            assumed: Assumed { relative, absolute },
            ..self
        }
    }

    /// Gated only where a policy names it.
    const fn on_demand(self) -> Self {
        Self {
            usual: false,
            ..self
        }
    }

    const fn own(self, read: fn(&TrialResult) -> Option<f64>) -> Self {
        Self {
            own: Some(read),
            ..self
        }
    }

    /// What it is for a trial; `None` where it was not measured.
    pub fn of(&self, trial: &TrialResult) -> Option<f64> {
        if !trial.is_watched() {
            return None;
        }
        if let Some(read) = self.own {
            return read(trial);
        }
        match Metric::by_id(self.id)?.of(trial)? {
            Reading::Number(number) => Some(number),
            // Who no longer offers a field has lost all of it.
            Reading::Word(_) if self.unit == Unit::Share => Some(0.0),
            Reading::Word(_) => None,
        }
    }

    /// 1 where a larger figure is worse, -1 where a smaller one is.
    pub const fn worse(&self) -> f64 {
        if self.higher { -1.0 } else { 1.0 }
    }

    /// Whether nothing can be better.
    pub fn is_ideal(&self, value: f64) -> bool {
        let ideal = if self.higher { 1.0 } else { 0.0 };
        self.group == Group::Accuracy && (value - ideal).abs() < f64::EPSILON
    }

    /// Whether all execs of a trial fared alike, so that no race was won by turns in it.
    pub fn is_pure(&self, value: f64) -> bool {
        let counts_execs = self.unit == Unit::Share || self.id == "path_rank";
        self.is_ideal(value) || (counts_execs && value.fract() == 0.0)
    }

    /// The measure with an id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        MEASURES.iter().find(|m| m.id == id)
    }
}

/// All measures. What the limits of the exact lab rest on stands in `docs/gate.md`.
#[rustfmt::skip]
pub const MEASURES: &[Measure] = &[
    metric("added_per_exec", "added per exec", Group::Cost, Unit::AddedCostPerExec)
        .exact(0.005, 50.0, 0.015).sampled(0.05, 500.0).assumed(0.01, 200.0),
    metric("monitor_per_exec", "the monitor's own, per exec", Group::Cost, Unit::CostPerExec)
        .exact(0.005, 50.0, 0.015).sampled(0.05, 500.0).assumed(0.01, 200.0),
    metric("idle_added", "added per idle second", Group::Cost, Unit::AddedCostPerSecond)
        .exact(0.02, 20_000.0, 0.05).sampled(0.10, 50_000.0).assumed(0.02, 20_000.0),
    metric("memory_peak", "memory of the monitor", Group::Cost, Unit::Bytes)
        .exact(0.05, 262_144.0, 0.05).sampled(0.10, 1_048_576.0).assumed(0.02, 131_072.0),
    metric("latency_p50", "latency, median", Group::Cost, Unit::Nanoseconds)
        .exact(0.05, 1_000.0, 0.10).sampled(0.10, 20_000.0).assumed(0.05, 2_000.0).on_demand(),
    metric("latency_p99", "latency, 99th percentile", Group::Cost, Unit::Nanoseconds)
        .exact(0.10, 5_000.0, 0.20).sampled(0.20, 100_000.0).assumed(0.10, 10_000.0).on_demand(),
    // An exec that is lost is one, wherever things lie.
    Measure {
        exact: Limit { varied: 0.02, ..NOTHING },
        ..share("completeness", "completeness")
    },
    share("path_accuracy", "right paths"),
    Measure {
        exact: Limit { varied: 0.2, ..NOTHING },
        sampled: Limit { absolute: 0.01, ..NOTHING },
        assumed: Assumed { relative: 0.0, absolute: 0.2 },
        ..faults("path_rank", "rank of path class").own(path_rank)
    },
    share("container", "right container"),
    share("argv_exact", "right arguments"),
    share("pid_host", "right PID"),
    share("given", "string of the call"),
    share("parent", "right parent"),
    share("credentials", "right user"),
    faults("duplicates", "duplicates"),
    faults("phantoms", "phantoms"),
    faults("honesty", "honesty").own(honesty),
];

/// The mean place of the paths' classes in the list of them: 0 where all are `exact`.
fn path_rank(trial: &TrialResult) -> Option<f64> {
    let mut counts = trial.path.clone()?;
    let ranked = PathClass::ALL
        .iter()
        .enumerate()
        .map(|(rank, class)| (rank as f64, *counts.of(*class) as f64));
    let (sum, seen) = ranked.fold((0.0, 0.0), |(sum, seen), (rank, count)| {
        (sum + rank * count, seen + count)
    });
    (seen > 0.0).then(|| sum / seen)
}

/// 0 where the monitor knew what it lost, 2 where it lost something and says nothing.
fn honesty(trial: &TrialResult) -> Option<f64> {
    Some(match trial.loss.as_ref()?.honesty {
        Honesty::Knew => 0.0,
        Honesty::KnewTooLittle | Honesty::KnewTooMuch | Honesty::KnewWithoutANumber => 1.0,
        Honesty::DidNotKnow => 2.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Polarity;

    #[test]
    fn what_has_the_name_of_a_metric_is_that_metric() {
        for measure in MEASURES.iter().filter(|m| m.own.is_none()) {
            let metric = Metric::by_id(measure.id).unwrap_or_else(|| panic!("{measure:?}"));
            assert_eq!(metric.unit, measure.unit, "{measure:?}");
            assert_eq!(
                metric.polarity == Polarity::Higher,
                measure.higher,
                "{measure:?}"
            );
        }
        for measure in MEASURES.iter().filter(|m| m.own.is_some()) {
            let taken = Metric::by_id(measure.id).map(|m| m.unit);
            assert!(taken.is_none_or(|unit| unit == Unit::Word), "{measure:?}");
        }
    }
}
