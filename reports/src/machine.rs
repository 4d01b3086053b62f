//! What the machine did beside a trial, as far as it tells ([`TrialResult::host`]).
//!
//! These facts differ from run to run and are no part of any comparison; they say how quiet the machine
//! was on which figures were taken.

use execlab_model::result::TrialResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    matrix::{Cell, Matrix},
    number::{magnitude, share},
    text::{clean, list, plural},
};

/// Facts of one trial. Whatever is not a number where one belongs is not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    /// Time that a hypervisor took from this machine's CPUs during the trial, in nanoseconds.
    pub steal_ns: Option<f64>,
    /// Time that processes of others ran during the storm, in nanoseconds of CPU.
    pub others_busy_ns: Option<f64>,
    /// Lowest and highest frequency that was seen, in kHz.
    pub frequency_khz: Option<(f64, f64)>,
    /// Which meter was read: a path such as `/proc/schedstat`.
    pub meter: Option<String>,
    /// Load average of the last minute.
    pub load_average: Option<f64>,
    /// How long the trial took, in milliseconds.
    pub wall_ms: Option<f64>,
}

impl Facts {
    pub(crate) fn of(trial: &TrialResult) -> Self {
        let number = |value: &Value| value.as_f64().filter(|n| n.is_finite() && *n >= 0.0);
        let get = |name: &str| trial.host.get(name);
        let frequency = get("frequency_khz").and_then(Value::as_array);
        Self {
            steal_ns: get("steal_ns").and_then(number),
            others_busy_ns: get("others_busy_ns").and_then(number),
            frequency_khz: frequency
                .and_then(|range| Some((number(range.first()?)?, number(range.get(1)?)?))),
            meter: get("meter").and_then(Value::as_str).map(clean),
            load_average: get("load_average").and_then(number),
            wall_ms: get("wall_ms").and_then(number),
        }
    }

    /// Steal as a share of all CPU time of the trial.
    fn steal_share(&self, trial: &TrialResult) -> Option<f64> {
        part(self.steal_ns?, self.wall_ms? * 1e6, trial.cpus)
    }

    /// What others ran as a share of all CPU time of the storm.
    fn others_share(&self, trial: &TrialResult) -> Option<f64> {
        let storm_ns = trial.cost.as_ref()?.windows.storm.wall_ns;
        part(self.others_busy_ns?, storm_ns as f64, trial.cpus)
    }
}

fn part(of: f64, wall_ns: f64, cpus: u32) -> Option<f64> {
    let whole = wall_ns * f64::from(cpus);
    (whole > 0.0).then(|| (of / whole).min(1.0))
}

/// The worst that is known of some trials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Largest share of a trial's CPU time that a hypervisor took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_share_max: Option<f64>,
    /// Largest share of a storm's CPU time that processes of others had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_share_max: Option<f64>,
    /// Lowest and highest frequency, in kHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_khz: Option<(f64, f64)>,
    /// Highest load average of the last minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average_max: Option<f64>,
    /// Meters that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<String>,
}

impl Machine {
    /// Of all these trials.
    pub(crate) fn of<'t>(trials: impl IntoIterator<Item = &'t TrialResult>) -> Self {
        let most =
            |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
        let mut machine = Self::default();
        for trial in trials {
            let facts = Facts::of(trial);
            machine.steal_share_max = most(machine.steal_share_max, facts.steal_share(trial));
            machine.others_share_max = most(machine.others_share_max, facts.others_share(trial));
            machine.load_average_max = most(machine.load_average_max, facts.load_average);
            machine.frequency_khz = [machine.frequency_khz, facts.frequency_khz]
                .into_iter()
                .flatten()
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            machine.meters.extend(facts.meter);
        }
        machine.meters.sort();
        machine.meters.dedup();
        machine
    }

    /// Of the trials of a cell.
    pub(crate) fn of_cell(cell: &Cell<'_>) -> Self {
        Self::of(cell.trials.iter().copied())
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// What is known, in words.
    pub(crate) fn line(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(most) = self.steal_share_max {
            parts.push(format!(
                "a hypervisor took up to {} of a trial's CPU time (steal)",
                share(most)
            ));
        }
        if let Some(most) = self.others_share_max {
            parts.push(format!("others had up to {} of a storm's", share(most)));
        }
        if let Some((low, high)) = self.frequency_khz {
            parts.push(format!(
                "frequency {} to {} MHz",
                magnitude((low / 1000.0).round()),
                magnitude((high / 1000.0).round())
            ));
        }
        if let Some(most) = self.load_average_max {
            parts.push(format!("load average up to {}", magnitude(most)));
        }
        if !self.meters.is_empty() {
            parts.push(format!("costs read from {}", list(&self.meters)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// One line for each lab and number of CPUs of which anything is known.
pub(crate) fn lines(matrix: &Matrix<'_>) -> Vec<String> {
    let mut machines: Vec<_> = matrix.setups.iter().map(|s| (s.lab, s.cpus)).collect();
    machines.sort_unstable();
    machines.dedup();
    let line = |machine: (_, u32)| {
        let here = |cell: &&Cell<'_>| {
            let setup = &matrix.setups[cell.at.setup];
            (setup.lab, setup.cpus) == machine
        };
        let trials = matrix.cells().filter(here).flat_map(|c| &c.trials).copied();
        let known = Machine::of(trials).line()?;
        Some(format!(
            "lab {}, {}: {known}",
            machine.0,
            plural(machine.1 as usize, "CPU")
        ))
    };
    machines.into_iter().filter_map(line).collect()
}
