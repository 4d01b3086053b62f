//! One run beside a run of another lab: are backends in the same order of cost?
//!
//! Their figures are in different units and come from different machines, so they are never subtracted
//! or divided; only the order of the backends within each lab is compared.

mod pair;
mod show;
mod words;
mod workloads;

use execlab_model::result::{Lab, TrialResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bound::bounded,
    interval::Interval,
    matrix::{Apart, Matrix},
    rank::Agreement,
};

/// Version of the format.
pub const SCHEMA: u32 = 1;

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Across {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run that was named first.
    pub base: Side,
    /// The one that was named second.
    pub new: Side,
    /// One for each workload and each pair of kernels.
    pub comparisons: Vec<Comparison>,
    /// All of them together; `null` where there is but one, or where less than two backends are in all.
    pub pooled: Option<Pooled>,
    /// Backends that one of the two has no cost of, and workloads that have no counterpart, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What it means and what it does not, in sentences for people.
    pub words: Vec<String>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// Where time came from.
    pub lab: Lab,
    /// CPUs, virtual or not.
    pub cpus: u32,
    /// What cost is counted in.
    pub unit: String,
    /// Kernels that were compared, each with its release.
    pub kernels: Vec<(String, String)>,
    /// Versions of QEMU, where there was any.
    pub qemu: Vec<String>,
}

/// One workload on one kernel of each run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Scenario and load, with whatever else is not as usual.
    pub workload: String,
    /// The base's kernel.
    pub base_kernel: String,
    /// The other one's.
    pub new_kernel: String,
    /// Execs of a trial, in the base and in the other.
    pub execs: (u32, u32),
    /// Backends that have a cost in both, the cheapest of the base first.
    pub rows: Vec<Row>,
    /// How well the two orders agree; `null` where there is no order.
    pub agreement: Option<Agreement>,
    /// Pairs of backends that the intervals of a run do not tell apart: their order there may be chance.
    pub doubtful: Vec<String>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// `name+variant`.
    pub backend: String,
    /// In the base.
    pub base: Measured,
    /// In the other.
    pub new: Measured,
}

/// What watching costs in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Median over the seeds of what is added per exec.
    pub added_per_exec: f64,
    /// Smallest of a seed.
    pub min: f64,
    /// Largest of a seed.
    pub max: f64,
    /// Where the median lies, in a lab where each trial is one sample and there are enough of them.
    pub interval: Option<Interval>,
    /// Whether it can be told from nothing, in such a lab.
    pub apart: Option<Apart>,
    /// Of so many.
    pub seeds: usize,
    /// From 1 for the cheapest; equals share the mean of theirs.
    pub rank: f64,
    /// Share of the execs that its worst seed saw: who does less costs less.
    pub completeness: Option<f64>,
}

/// All comparisons together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pooled {
    /// How many.
    pub comparisons: usize,
    /// Backends that are in all of them: name, mean of the ranks in the base, and in the other.
    pub backends: Vec<(String, f64, f64)>,
    /// How well the orders of these means agree.
    pub agreement: Option<Agreement>,
}

/// What cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// `name+variant`, or `every backend`.
    pub backend: String,
    /// Workload and kernels, or the workload alone.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// Why two runs cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComparable {
    /// There is nothing in one of them.
    #[error("{which} has no results")]
    Empty {
        /// Which one.
        which: &'static str,
    },
    /// They are of one lab.
    #[error("both runs are of the lab {lab}, and the order of costs is compared across labs")]
    SameLab {
        /// Of which one.
        lab: Lab,
    },
    /// One of them is of several.
    #[error("{which} holds figures of several labs or machines ({})", machines.join("; "))]
    SeveralMachines {
        /// Which one.
        which: &'static str,
        /// Which ones.
        machines: Vec<String>,
    },
    /// A kernel that was named is not there.
    #[error("{which} has no kernel `{kernel}` (it has: {})", has.join(", "))]
    NoSuchKernel {
        /// Which one.
        which: &'static str,
        /// As it was named.
        kernel: String,
        /// Its kernels.
        has: Vec<String>,
    },
    /// The two have several kernels each, and none in common.
    #[error(
        "the runs have no kernel in common (the first has {}, the second has {}), and which is to be compared with which is not said",
        base.join(", "),
        new.join(", ")
    )]
    NoKernelsInCommon {
        /// Kernels of the first.
        base: Vec<String>,
        /// Kernels of the second.
        new: Vec<String>,
    },
    /// Nothing was run in both.
    #[error("no backend completed the same workload in both runs")]
    NothingInCommon,
}

/// Compares the order of costs in two runs of different labs. `kernels` says which kernel of the base is
/// compared with which of the other; where it is empty, those of one name are, and where there are none, a
/// single one with each of the other run.
pub fn across(
    base: &[TrialResult],
    new: &[TrialResult],
    kernels: &[(String, String)],
) -> Result<Across, NotComparable> {
    let (base, new) = (bounded(base), bounded(new));
    let (base, new) = (Matrix::new(&base), Matrix::new(&new));
    let (mut base_side, mut new_side) = (
        pair::side(&base, "the first run")?,
        pair::side(&new, "the second run")?,
    );
    if base_side.lab == new_side.lab {
        return Err(NotComparable::SameLab { lab: base_side.lab });
    }
    let kernels = pair::kernels(&base, &new, kernels)?;
    for &(one, other) in &kernels {
        pair::name_kernel(&base, one, &mut base_side);
        pair::name_kernel(&new, other, &mut new_side);
    }
    let mut left_out = Vec::new();
    let comparisons = pair::comparisons(&base, &new, &kernels, &mut left_out);
    if comparisons.is_empty() {
        return Err(NotComparable::NothingInCommon);
    }
    left_out.sort();
    let mut across = Across {
        schema: SCHEMA,
        base: base_side,
        new: new_side,
        pooled: pair::pooled(&comparisons),
        comparisons,
        left_out,
        words: Vec::new(),
    };
    across.words = words::words(&across);
    Ok(across)
}
