//! What counts as a change: the policy of a gate, with what holds where none is given.

use std::collections::BTreeMap;

use execlab_model::result::Lab;
use glob::Pattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::{Limit, MEASURES, Measure};

/// How something is taken that is neither better nor worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// It has an exit code.
    #[default]
    Fail,
    /// It is told, and the gate stays open.
    Warn,
    /// It is listed.
    Ok,
}

/// Whether figures of different inputs are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Across {
    /// The row says which input changed, and is judged.
    Compare,
    /// The row shows its figures, and cannot be compared.
    Refuse,
}

/// A policy, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Rows of the new run that the baseline does not have, and a baseline that is not there.
    pub missing_baseline: Stance,
    /// Rows of the baseline that the new run does not have.
    pub disappeared: Stance,
    /// Rows whose limits are finer than what so many seeds can tell apart.
    pub unclear: Stance,
    /// In the exact lab: how often seeds alone may look like a change.
    pub false_alarms: f64,
    /// Which inputs may differ.
    pub inputs: Inputs,
    /// What holds in the labs in which time is real.
    pub sampled: Sampled,
    /// Limits by measure.
    pub metrics: BTreeMap<String, Limits>,
    /// What holds for some rows only; a later one goes before an earlier one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cell: Vec<Override>,
}

/// Inputs of a trial that decide whether figures are judged at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inputs {
    /// The kernel's image.
    pub kernel: Across,
    /// QEMU's version.
    pub qemu: Across,
    /// Its command line (CPU model, memory …), the number of CPUs.
    pub machine: Across,
    /// Execs of a trial.
    pub workload: Across,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            kernel: Across::Refuse,
            qemu: Across::Refuse,
            machine: Across::Refuse,
            workload: Across::Refuse,
        }
    }
}

/// What holds in the labs kvm and host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampled {
    /// Boots of each side that a row needs.
    pub boots: usize,
    /// How often chance alone may look like a change.
    pub false_alarms: f64,
    /// What becomes of a change between two runs whose trials were not run in turn: `fail` judges it all the same.
    pub separate_runs: Stance,
    /// Limits by measure.
    pub metrics: BTreeMap<String, Limits>,
}

impl Default for Sampled {
    fn default() -> Self {
        Self {
            boots: 8,
            false_alarms: 0.01,
            separate_runs: Stance::Warn,
            metrics: BTreeMap::new(),
        }
    }
}

/// Limits of one measure; what is left out is as usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Whether it is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<bool>,
    /// A change has to be more than this share of the smaller figure,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// and more than this,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// and, in the exact lab, more than this where the seeds of a side differ among themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub varied: Option<f64>,
    /// In the exact lab, in place of `relative` where the guests were started from another image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<f64>,
    /// The new figure has to be no less than this, whatever the baseline's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The new figure has to be no more than this, whatever the baseline's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// What holds for rows whose name matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// `*` stands for anything: `6.12/netlink+*/*`.
    #[serde(rename = "match")]
    pub cells: String,
    /// Why; it is told with each row.
    pub reason: String,
    /// Whether the row is shown and not judged.
    #[serde(default)]
    pub ignore: bool,
    /// Limits by measure, of both kinds of labs.
    #[serde(default)]
    pub metrics: BTreeMap<String, Limits>,
}

/// A policy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// It is no TOML, or has a key that there is not.
    #[error("{0}")]
    Toml(String),
    /// A measure that there is not.
    #[error("{place}: there is no metric `{name}` (valid: {})", valid())]
    NoMetric {
        /// Where in the policy.
        place: String,
        /// As it was named.
        name: String,
    },
    /// A value that means nothing.
    #[error("{place}: {what}")]
    Value {
        /// Where in the policy.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

fn valid() -> String {
    MEASURES.iter().map(|m| m.id).collect::<Vec<_>>().join(", ")
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            missing_baseline: Stance::Fail,
            disappeared: Stance::Fail,
            unclear: Stance::Warn,
            false_alarms: 1e-5,
            inputs: Inputs::default(),
            sampled: Sampled::default(),
            metrics: BTreeMap::new(),
            cell: Vec::new(),
        }
    }
}

/// Limits of one measure in one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Resolved {
    pub gate: bool,
    pub limit: Limit,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

impl Policy {
    /// Reads a policy file; what it leaves out is as usual.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let policy: Self =
            toml::from_str(text).map_err(|e| BadPolicy::Toml(e.to_string().trim_end().into()))?;
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), BadPolicy> {
        limits("metrics", &self.metrics)?;
        limits("sampled.metrics", &self.sampled.metrics)?;
        for (place, chance) in [
            ("false_alarms", self.false_alarms),
            ("sampled.false_alarms", self.sampled.false_alarms),
        ] {
            if !(chance > 0.0 && chance < 0.5) {
                return Err(bad(place, "a chance between 0 and 0.5 is wanted"));
            }
        }
        for (at, cell) in self.cell.iter().enumerate() {
            let place = format!("cell {} (`{}`)", at + 1, cell.cells);
            limits(&place, &cell.metrics)?;
            if cell.reason.trim().is_empty() {
                return Err(bad(&place, "an exception needs a reason"));
            }
            if Pattern::new(&cell.cells).is_err() {
                return Err(bad(&place, "this is no pattern of names"));
            }
        }
        Ok(())
    }

    /// The whole policy as a file, with every limit written out.
    pub fn print(&self) -> String {
        let mut whole = self.clone();
        whole.metrics = self.written_out(Lab::Exact);
        whole.sampled.metrics = self.written_out(Lab::Kvm);
        toml::to_string(&whole).expect("a policy can be written as TOML")
    }

    fn written_out(&self, lab: Lab) -> BTreeMap<String, Limits> {
        let limits = |measure: &Measure| {
            let found = self.resolve(measure, lab, &[]);
            Limits {
                gate: Some(found.gate),
                relative: Some(found.limit.relative),
                absolute: Some(found.limit.absolute),
                varied: Some(found.limit.varied).filter(|_| lab.is_exact()),
                image: Some(found.limit.image).filter(|_| lab.is_exact()),
                at_least: found.at_least,
                at_most: found.at_most,
            }
        };
        MEASURES
            .iter()
            .map(|m| (m.id.to_owned(), limits(m)))
            .collect()
    }

    /// The exceptions that hold for a row.
    pub(super) fn overrides(&self, cell: &str) -> Vec<&Override> {
        let holds = |o: &&Override| Pattern::new(&o.cells).is_ok_and(|p| p.matches(cell));
        self.cell.iter().filter(holds).collect()
    }

    /// The limits of a measure under some exceptions.
    pub(super) fn resolve(&self, measure: &Measure, lab: Lab, of: &[&Override]) -> Resolved {
        let (usual, named) = if lab.is_exact() {
            (measure.exact, &self.metrics)
        } else {
            (measure.sampled, &self.sampled.metrics)
        };
        let mut found = Resolved {
            gate: measure.usual,
            limit: usual,
            at_least: None,
            at_most: None,
        };
        let overrides = of.iter().filter_map(|o| o.metrics.get(measure.id));
        for limits in named.get(measure.id).into_iter().chain(overrides) {
            // Who names a measure wants it looked at.
            found.gate = limits.gate.unwrap_or(true);
            let limit = &mut found.limit;
            limit.relative = limits.relative.unwrap_or(limit.relative);
            limit.absolute = limits.absolute.unwrap_or(limit.absolute);
            limit.varied = limits.varied.unwrap_or(limit.varied);
            limit.image = limits.image.unwrap_or(limit.image);
            found.at_least = limits.at_least.or(found.at_least);
            found.at_most = limits.at_most.or(found.at_most);
        }
        found
    }
}

fn bad(place: &str, what: &str) -> BadPolicy {
    BadPolicy::Value {
        place: place.to_owned(),
        what: what.to_owned(),
    }
}

fn limits(place: &str, metrics: &BTreeMap<String, Limits>) -> Result<(), BadPolicy> {
    for (name, limits) in metrics {
        if Measure::by_id(name).is_none() {
            return Err(BadPolicy::NoMetric {
                place: place.to_owned(),
                name: name.clone(),
            });
        }
        let sizes = [
            limits.relative,
            limits.absolute,
            limits.varied,
            limits.image,
        ];
        if sizes.into_iter().flatten().any(|n| n.is_nan() || n < 0.0) {
            let place = format!("{place}.{name}");
            return Err(bad(&place, "a limit is a number from 0 up"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_policy_that_holds() {
        let usual = Policy::default();
        let again = Policy::parse(&usual.print()).unwrap();
        assert_eq!(again.print(), usual.print());
        for measure in MEASURES {
            for lab in [Lab::Exact, Lab::Host] {
                assert_eq!(
                    again.resolve(measure, lab, &[]),
                    usual.resolve(measure, lab, &[])
                );
            }
        }
    }

    #[test]
    fn unknown_names_list_the_valid_ones() {
        let said = |text: &str| Policy::parse(text).unwrap_err().to_string();
        let key = said("disapeared = \"warn\"");
        assert!(
            key.contains("disapeared") && key.contains("`disappeared`"),
            "{key}"
        );
        let metric = said("[metrics.cost]\nrelative = 0.1");
        assert!(
            metric.starts_with("metrics: there is no metric `cost` (valid: added_per_exec, "),
            "{metric}"
        );
        let limit = said("[metrics.completeness]\nrelativ = 0.1");
        assert!(
            limit.contains("relativ") && limit.contains("`absolute`"),
            "{limit}"
        );
        assert_eq!(
            said("[metrics.completeness]\nabsolute = -1.0"),
            "metrics.completeness: a limit is a number from 0 up"
        );
        assert!(said("[[cell]]\nmatch = \"*\"\nreason = \" \"").ends_with("needs a reason"));
        assert!(said("[[cell]]\nmatch = \"[\"\nreason = \"r\"").ends_with("no pattern of names"));
        assert!(said("false_alarms = 0.0").starts_with("false_alarms: "));
    }

    #[test]
    fn a_later_exception_goes_before_an_earlier_one() {
        let policy = Policy::parse(
            r#"
            [metrics.added_per_exec]
            relative = 0.02
            [[cell]]
            match = "6.1/*"
            reason = "all of it"
            [cell.metrics.added_per_exec]
            relative = 0.03
            absolute = 7.0
            [[cell]]
            match = "*/netlink+*/relative/*"
            reason = "a race"
            [cell.metrics.added_per_exec]
            relative = 0.04
            "#,
        )
        .unwrap();
        let measure = Measure::by_id("added_per_exec").unwrap();
        let limit = |cell: &str| {
            let limit = policy
                .resolve(measure, Lab::Exact, &policy.overrides(cell))
                .limit;
            (limit.relative, limit.absolute)
        };
        assert_eq!(limit("5.10/ebpf+default/relative/closed"), (0.02, 50.0));
        assert_eq!(limit("6.1/ebpf+default/relative/closed"), (0.03, 7.0));
        assert_eq!(limit("6.1/netlink+tuned/relative/closed"), (0.04, 7.0));
        let sampled = policy.resolve(measure, Lab::Host, &[]).limit;
        assert_eq!((sampled.relative, sampled.absolute), (0.05, 500.0));
    }
}
