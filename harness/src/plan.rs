//! The list of trials that a matrix means, in the order in which they are run.
//!
//! A comparison needs its baseline, so for each kernel × workload × seed there is a trial of `none`,
//! and one more for each set of boot options that a selected backend needs. A baseline comes before
//! what is compared with it, which can then be scored as it ends. Where figures do not repeat, the
//! baseline is run a second time as the control (A/A), and all of a seed stands together.

mod id;
mod order;
mod partition;

use std::collections::HashMap;

use execlab_model::{
    plan::BackendSpec,
    repeat::Start,
    result::Lab,
    workload::{Spawn, Workload},
};
use serde::{Deserialize, Serialize};

pub use self::partition::{BadPartition, By, Partition, Shard};
use crate::{matrix::Matrix, program::Program, verify::Verify};
pub use execlab_reports::log_name as file_name;

/// Version of `plan.json`.
pub const SCHEMA: u32 = 1;

/// One trial: one backend × one workload × one kernel × one seed, in one fresh guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialSpec {
    /// Unique in a plan; holds every dimension of it.
    pub id: String,
    /// As the user names it.
    pub kernel: String,
    /// What watches.
    pub backend: BackendSpec,
    /// Where somebody else's program watches: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Options added to the kernel's command line, sorted.
    pub boot: Vec<String>,
    /// What is watched.
    pub workload: Workload,
    /// Where time comes from.
    pub lab: Lab,
    /// CPUs of the machine, virtual or not.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Perturbs what real life perturbs.
    pub seed: u64,
}

impl TrialSpec {
    /// The same with the id that follows from everything else in it.
    #[must_use]
    pub fn with_id(self) -> Self {
        Self {
            id: id::of(&self),
            ..self
        }
    }
}

fn one() -> u32 {
    1
}

/// `plan.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of execlab that made it.
    pub execlab: String,
    /// What it was made from.
    pub matrix: Matrix,
    /// What is run, in this order.
    pub trials: Vec<TrialSpec>,
    /// How; a run that goes on does so in the same way.
    #[serde(default)]
    pub manner: Manner,
    /// Of which whole this is a part, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

/// How trials are run. No part of what they are: two plans may differ in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// How guests come to where trials begin.
    pub start: Start,
    /// Which trials are run again.
    pub verify: Verify,
}

/// Positions in a plan of what a trial is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Baselines {
    /// Without any monitor and without its boot options.
    pub plain: Option<usize>,
    /// Without any monitor, with the same boot options; `None` where there are none.
    pub boot: Option<usize>,
}

/// What a baseline shares with the trials that are compared with it.
type Key<'a> = (&'a str, &'a Workload, Lab, u64, &'a [String]);

impl Plan {
    /// The trials of a matrix.
    pub fn of(matrix: &Matrix) -> Self {
        let trials = if matrix.lab.is_exact() {
            order::baselines_first(matrix)
        } else {
            order::interleaved(matrix)
        };
        Self {
            schema: SCHEMA,
            execlab: env!("CARGO_PKG_VERSION").to_owned(),
            matrix: matrix.clone(),
            trials,
            manner: Manner::default(),
            shard: None,
        }
    }

    /// Where another plan differs from this one, in words; `None` where they are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.schema != other.schema || self.execlab != other.execlab {
            return Some(format!(
                "its plan was made by execlab {} (schema {}), this is {} (schema {})",
                self.execlab, self.schema, other.execlab, other.schema
            ));
        }
        if self.shard != other.shard {
            let part = |plan: &Self| match &plan.shard {
                Some(shard) => format!("part {} of a plan", shard.partition),
                None => "a whole plan".to_owned(),
            };
            return Some(format!("it is {}, and this is {}", part(self), part(other)));
        }
        if self.trials.len() != other.trials.len() {
            return Some(format!(
                "its plan has {} trials, not {}",
                self.trials.len(),
                other.trials.len()
            ));
        }
        let mut pairs = self.trials.iter().zip(&other.trials);
        let (a, b) = pairs.find(|(a, b)| a != b)?;
        Some(if a.id == b.id {
            format!("{} has other settings there", a.id)
        } else {
            format!("it has {} where this has {}", a.id, b.id)
        })
    }

    /// For each trial, by position, what it is compared with.
    pub fn baselines(&self) -> Vec<Baselines> {
        fn key<'a>(trial: &'a TrialSpec, boot: &'a [String]) -> Key<'a> {
            (&trial.kernel, &trial.workload, trial.lab, trial.seed, boot)
        }
        let known: HashMap<Key<'_>, usize> = self
            .trials
            .iter()
            .enumerate()
            .filter(|(_, t)| t.backend.is_baseline())
            .map(|(at, t)| (key(t, &t.boot), at))
            .collect();
        let of = |(at, trial): (usize, &TrialSpec)| {
            let other = |boot| known.get(&key(trial, boot)).copied().filter(|&b| b != at);
            let plain = other(&[]);
            let boot = if trial.boot.is_empty() {
                None
            } else {
                other(&trial.boot)
            };
            Baselines { plain, boot }
        };
        self.trials.iter().enumerate().map(of).collect()
    }
}

/// Whether a spawn is the one that ids do not mention.
fn is_usual(spawn: Spawn) -> bool {
    spawn == Spawn::default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use execlab_model::workload::Load;
    use proptest::{collection::btree_set, prelude::*};

    use super::*;
    use crate::matrix::SelectedBackend;

    fn backend(name: &str, variant: &str, boot: &[&str]) -> SelectedBackend {
        SelectedBackend {
            spec: BackendSpec {
                name: name.into(),
                variant: variant.into(),
                settings: BTreeMap::new(),
            },
            boot: boot.iter().map(|&o| o.to_owned()).collect(),
            program: None,
        }
    }

    pub(crate) fn small() -> Matrix {
        Matrix {
            kernels: vec!["6.1".into()],
            backends: vec![
                backend("none", "default", &[]),
                backend("netlink", "default", &[]),
                backend("audit", "tuned", &["audit=1"]),
            ],
            workloads: vec!["relative".into()],
            loads: vec![Load::Closed],
            execs: 10,
            lifetimes_ns: vec![0, 1_000_000],
            spawns: vec![Spawn::Vfork, Spawn::Fork],
            populations: vec![0],
            seeds: (3, 4),
            lab: Lab::Exact,
            cpus: 1,
            baselines: true,
            own: BTreeMap::new(),
        }
    }

    #[test]
    fn a_trial_is_compared_with_the_baselines_of_its_own_kernel_workload_and_seed() {
        let plan = Plan::of(&small());
        for (trial, baselines) in plan.trials.iter().zip(plan.baselines()) {
            for (at, boot) in [(baselines.plain, &[][..]), (baselines.boot, &trial.boot)] {
                let Some(baseline) = at.map(|at| &plan.trials[at]) else {
                    continue;
                };
                assert!(baseline.backend.is_baseline());
                assert_eq!(baseline.workload, trial.workload);
                assert_eq!(baseline.boot, boot);
            }
            let plain_itself = trial.backend.is_baseline() && trial.boot.is_empty();
            assert_eq!(baselines.plain.is_none(), plain_itself);
            let with_options = trial.backend.watches() && !trial.boot.is_empty();
            assert_eq!(baselines.boot.is_some(), with_options);
        }
    }

    prop_compose! {
        pub(super) fn matrices()(
            kernels in btree_set("[a-z0-9.:/+%,=@~]{1,6}", 1..3),
            backends in btree_set(("[a-c]", "[d-f]"), 1..4),
            boots in proptest::collection::vec(btree_set("[a-b=1+/.]{1,3}", 0..2), 4),
            workloads in btree_set("[a-c]", 1..3),
            loads in btree_set(prop_oneof![Just(Load::Closed), (1u32..3).prop_map(Load::Rate), (1u32..3).prop_map(Load::Burst)], 1..3),
            lifetimes_ns in btree_set(prop_oneof![Just(0), Just(1000), Just(1001)], 1..3),
            fork in any::<bool>(),
            populations in btree_set(0u32..3, 1..3),
            seeds in (0u64..3, 1u64..3),
            lab in prop::sample::select(Lab::ALL.to_vec()),
            cpus in 1u32..4,
        ) -> Matrix {
            Matrix {
                kernels: kernels.into_iter().collect(),
                backends: backends.into_iter().zip(boots).map(|((n, v), b)| {
                    let boot: Vec<_> = b.iter().map(String::as_str).collect();
                    backend(&n, &v, &boot)
                }).collect(),
                workloads: workloads.into_iter().collect(),
                loads: loads.into_iter().collect(),
                execs: 5,
                lifetimes_ns: lifetimes_ns.into_iter().collect(),
                spawns: if fork { vec![Spawn::Vfork, Spawn::Fork] } else { vec![Spawn::Vfork] },
                populations: populations.into_iter().collect(),
                seeds: (seeds.0, seeds.0 + seeds.1),
                lab,
                cpus,
                baselines: true,
                own: BTreeMap::new(),
            }
        }
    }

    proptest! {
        #[test]
        fn ids_and_log_names_are_unique(matrix in matrices()) {
            let plan = Plan::of(&matrix);
            let ids: BTreeSet<_> = plan.trials.iter().map(|t| &t.id).collect();
            prop_assert_eq!(ids.len(), plan.trials.len());
            let files: BTreeSet<_> = plan.trials.iter().map(|t| file_name(&t.id)).collect();
            prop_assert_eq!(files.len(), plan.trials.len());
            prop_assert!(plan.trials.iter().all(|t| t.id.split('/').count() == 6));
            prop_assert!(files.iter().all(|f| f.len() < 240 && !f.contains(['/', ':', '\0'])));
        }

        #[test]
        fn a_plan_survives_its_file(matrix in matrices()) {
            let plan = Plan::of(&matrix);
            let json = serde_json::to_string(&plan).unwrap();
            prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        }
    }
}
