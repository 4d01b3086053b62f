//! One run out of the parts of a plan that were run apart, on several machines perhaps.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

use execlab_model::{
    repeat::{self, Repeat, Start, Verdict},
    result::{Status, TrialResult},
};
use execlab_reports::{Compared, cached_since, compare};

use crate::plan::{Partition, Plan, Shard};

/// A run of one part.
#[derive(Debug)]
pub struct Part {
    /// Its directory, for messages.
    pub path: PathBuf,
    /// Its `plan.json`.
    pub plan: Plan,
    /// Its lines.
    pub results: Vec<TrialResult>,
    /// What it ran again.
    pub repeats: Vec<Repeat>,
}

/// All parts together.
#[derive(Debug)]
pub struct Merged {
    /// The whole plan.
    pub plan: Plan,
    /// Every line, in the order of the plan.
    pub results: Vec<TrialResult>,
    /// What the parts ran again; and trials that several parts ran, because they are compared with them.
    pub repeats: Vec<Repeat>,
    /// Parts that are not there.
    pub missing: Vec<Partition>,
    /// How many trials the parts were to run again and did not.
    pub unverified: usize,
}

/// Why runs are not the parts of one whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("no run to merge was given")]
    Nothing,
    /// A whole run.
    #[error("{} is a whole run and no part of one", path.display())]
    NoPart {
        /// Its directory.
        path: PathBuf,
    },
    /// A part of a plan that this execlab would not make.
    #[error("{} was planned by {}, and this is {}, which plans otherwise", path.display(), planner(version), env!("CARGO_PKG_VERSION"))]
    OtherVersion {
        /// Its directory.
        path: PathBuf,
        /// Which made its plan.
        version: String,
    },
    /// A part of another whole.
    #[error("{} and {} are parts of different plans", one.display(), other.display())]
    OtherPlan {
        /// One.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A part of another division.
    #[error("{} is part {first} and {} is part {second}: they were not divided in the same way", one.display(), other.display())]
    OtherDivision {
        /// One.
        one: PathBuf,
        /// Its part.
        first: Partition,
        /// The other.
        other: PathBuf,
        /// Its part.
        second: Partition,
    },
    /// One part twice.
    #[error("{} and {} are both part {partition}", one.display(), other.display())]
    Twice {
        /// One.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// Which part.
        partition: Partition,
    },
    /// Parts that were not run from the same inputs.
    #[error("{} and {} were run from different inputs: {what}", one.display(), other.display())]
    OtherInputs {
        /// One.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// Which input differs, in words.
        what: String,
    },
    /// One trial of two parts.
    #[error("{trial} was run from different inputs in two parts")]
    OtherDigests {
        /// The trial.
        trial: String,
    },
    /// A line that the part's own plan does not have.
    #[error("{} has a result of {trial}, which is not in its plan", path.display())]
    Stranger {
        /// The directory.
        path: PathBuf,
        /// The trial.
        trial: String,
    },
}

/// Who made a plan that this execlab would not make.
fn planner(version: &str) -> String {
    if version == env!("CARGO_PKG_VERSION") {
        format!("another build of execlab {version} or was changed since")
    } else {
        format!("execlab {version}")
    }
}

/// Puts parts together.
pub fn merge(parts: Vec<Part>) -> Result<Merged, MergeError> {
    let shards = shards(&parts)?;
    same_inputs(&parts)?;
    let plan = parts[0].plan.whole();
    let divided = shards[0].partition;
    let missing = (1..=divided.parts)
        .map(|part| Partition { part, ..divided })
        .filter(|wanted| shards.iter().all(|shard| shard.partition != *wanted))
        .collect();
    // Each part has its own sample: a trial that is in two of them counts in both.
    let left = |part: &Part| part.plan.manner.verify.left(&part.results, &part.repeats);
    let unverified = parts.iter().map(left).sum();
    let mut lines: HashMap<String, TrialResult> = HashMap::new();
    let mut repeats = Vec::new();
    for part in parts {
        let without = without_baseline(&part);
        repeats.extend(part.repeats);
        for (line, without) in part.results.into_iter().zip(without) {
            if without {
                continue;
            }
            match lines.remove(&line.trial) {
                None => lines.insert(line.trial.clone(), line),
                Some(first) => {
                    if first.digest != line.digest && ran(&first) && ran(&line) {
                        return Err(MergeError::OtherDigests { trial: line.trial });
                    }
                    repeats.extend(again(&first, &line));
                    // What broke in one part and not in the other did not break in the whole.
                    let better = if line.status < first.status {
                        line
                    } else {
                        first
                    };
                    lines.insert(better.trial.clone(), better)
                }
            };
        }
    }
    let in_order = plan.trials.iter().filter_map(|t| lines.remove(&t.id));
    Ok(Merged {
        results: in_order.collect(),
        plan,
        repeats,
        missing,
        unverified,
    })
}

/// That these are parts of one plan, each once.
fn shards(parts: &[Part]) -> Result<Vec<&Shard>, MergeError> {
    let mut shards: Vec<&Shard> = Vec::new();
    let first = parts.first().ok_or(MergeError::Nothing)?;
    for part in parts {
        let path = || part.path.clone();
        let Some(shard) = &part.plan.shard else {
            return Err(MergeError::NoPart { path: path() });
        };
        let whole = part.plan.whole();
        if whole.fingerprint() != shard.whole || whole.part(shard.partition) != part.plan {
            let version = part.plan.execlab.clone();
            return Err(MergeError::OtherVersion {
                path: path(),
                version,
            });
        }
        if let Some(of_first) = shards.first() {
            let (one, other) = (first.path.clone(), path());
            if of_first.whole != shard.whole {
                return Err(MergeError::OtherPlan { one, other });
            }
            let (a, b) = (of_first.partition, shard.partition);
            if (a.by, a.parts) != (b.by, b.parts) {
                return Err(MergeError::OtherDivision {
                    one,
                    first: a,
                    other,
                    second: b,
                });
            }
        }
        if let Some(at) = shards.iter().position(|s| s.partition == shard.partition) {
            return Err(MergeError::Twice {
                one: parts[at].path.clone(),
                other: path(),
                partition: shard.partition,
            });
        }
        let known = |line: &&TrialResult| part.plan.trials.iter().all(|t| t.id != line.trial);
        if let Some(line) = part.results.iter().find(known) {
            return Err(MergeError::Stranger {
                path: path(),
                trial: line.trial.clone(),
            });
        }
        shards.push(shard);
    }
    Ok(shards)
}

/// That one kernel's trials had one image, one guest and one QEMU in all parts.
fn same_inputs(parts: &[Part]) -> Result<(), MergeError> {
    let mut seen: BTreeMap<(&str, String), (&str, &PathBuf)> = BTreeMap::new();
    for part in parts {
        for line in &part.results {
            let kernel = || line.kernel.name.clone();
            let backend = || format!("{} on {}", line.backend_label(), line.kernel.name);
            let of = &line.provenance;
            let inputs = [
                (
                    "the kernel's image",
                    kernel(),
                    Some(line.kernel.sha256.as_str()),
                ),
                ("the guest's image", kernel(), of.initramfs.as_deref()),
                ("QEMU's version", kernel(), of.qemu.as_deref()),
                ("the guest's compiler", kernel(), of.toolchain.as_deref()),
                ("the monitor's program", backend(), of.monitor.as_deref()),
            ];
            for (what, whose, value) in inputs {
                let Some(value) = value.filter(|value| !value.is_empty()) else {
                    continue;
                };
                let (first, path) = *seen
                    .entry((what, whose.clone()))
                    .or_insert((value, &part.path));
                if first != value {
                    return Err(MergeError::OtherInputs {
                        one: path.clone(),
                        other: part.path.clone(),
                        what: format!("{what} of {whose} is {first} and {value}"),
                    });
                }
            }
        }
    }
    Ok(())
}

/// Which lines were scored without a baseline that broke in their part. In another part it did not, perhaps, and then
/// nothing would tell that their costs are missing: they are run again.
fn without_baseline(part: &Part) -> Vec<bool> {
    let broke: HashSet<&str> = part
        .results
        .iter()
        .filter(|line| !ran(line))
        .map(|line| line.trial.as_str())
        .collect();
    let trials = &part.plan.trials;
    let broken = |at: Option<usize>| at.is_some_and(|at| broke.contains(trials[at].id.as_str()));
    let compared: HashSet<&str> = part
        .plan
        .baselines()
        .into_iter()
        .zip(trials)
        .filter(|(needs, _)| broken(needs.plain) || broken(needs.boot))
        .map(|(_, trial)| trial.id.as_str())
        .collect();
    let lines = part.results.iter();
    lines
        .map(|line| compared.contains(line.trial.as_str()))
        .collect()
}

/// Whether a guest said anything.
fn ran(line: &TrialResult) -> bool {
    line.status != Status::Infra
}

/// Two parts have the same trial: whether it repeats. That a cache gave the same twice says nothing; that it gave something
/// else does.
fn again(first: &TrialResult, second: &TrialResult) -> Option<Repeat> {
    if !first.lab.is_exact() || !ran(first) || !ran(second) {
        return None;
    }
    let was_run = [first, second]
        .iter()
        .all(|line| cached_since(line).is_none());
    let (verdict, difference) = match compare(first, second) {
        Compared::Same | Compared::Rescored(_) if !was_run => return None,
        Compared::Same => (Verdict::Same, None),
        Compared::Rescored(difference) => (Verdict::Same, Some(difference)),
        Compared::Differs(difference) => (Verdict::Differs, Some(difference)),
    };
    let host = |name: &str| second.host.get(name);
    let start = host("start").and_then(|start| serde_json::from_value(start.clone()).ok());
    Some(Repeat {
        schema: repeat::SCHEMA,
        trial: first.trial.clone(),
        digest: first.digest.clone(),
        start: start.unwrap_or(Start::Warm),
        verdict,
        difference,
        reason: None,
        record_sha256: second.record_sha256.clone(),
        wall_ms: host("wall_ms")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0),
    })
}
