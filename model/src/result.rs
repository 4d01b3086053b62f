//! One line of `results.jsonl`: everything that reports, gates and other programs may know of a trial.
//!
//! Field names are a contract; new fields may be added, none is renamed. `null` means that it was
//! not measured or not offered, never zero.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod completeness;
mod cost;
mod loss;
mod path;
mod status;

pub use self::{
    completeness::{ArgvCounts, Completeness, FieldCounts, LabelCounts, PidCounts},
    cost::{Cost, Latency, Memory, Slope},
    loss::{Honesty, Loss, LossSum},
    path::{PathClass, PathCounts},
    status::Status,
};
pub use crate::lab::{Lab, UnknownLab};
use crate::{
    Bytes,
    plan::BackendSpec,
    record::{Canary, Witness},
    workload::Workload,
};

/// Version of the line format.
pub const SCHEMA: u32 = 1;

/// The kernel that a trial ran on.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct KernelId {
    /// As the user names it.
    pub name: String,
    /// `uname -r`, from the guest once it ran, else from the lock.
    pub release: String,
    /// Of the image that was booted.
    pub sha256: String,
}

/// Counts of truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TruthCounts {
    /// Execs with evidence.
    pub execs: u64,
    /// Calls that did not become an exec.
    pub attempts: u64,
    /// Processes made by the storm.
    pub forks: u64,
}

/// An exec that was missed or reported wrong, as an example for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Example {
    /// `missed`, or the name of the field that is wrong.
    pub what: String,
    /// The exec's id; `null` for a sighting without an exec.
    pub exec: Option<u32>,
    /// Its host pid.
    pub pid: Option<u32>,
    /// What truth says.
    pub expected: Option<Bytes>,
    /// What the sighting says.
    pub reported: Option<Bytes>,
}

/// What makes one trial's figures what they are, beside its own line's other fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Version of execlab.
    pub execlab: String,
    /// Version of QEMU.
    pub qemu: Option<String>,
    /// The command line of QEMU, without paths.
    pub command_line: Vec<String>,
    /// SHA-256 of the initramfs.
    pub initramfs: Option<String>,
    /// SHA-256 of the program that watched.
    #[serde(default)]
    pub monitor: Option<String>,
    /// Where it was somebody else's (`exec:`): its file and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor_command: Option<Vec<String>>,
    /// What compiled the guest's programs.
    #[serde(default)]
    pub toolchain: Option<String>,
}

/// One line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Unique in a plan; holds every dimension of it.
    pub trial: String,
    /// Hash of all inputs; equal digests must give equal results.
    pub digest: String,
    /// SHA-256 of the whole record (sightings and all); `null` where none came back. Equal digests
    /// must give equal records.
    #[serde(default)]
    pub record_sha256: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why, unless it is `completed`.
    pub reason: Option<String>,
    /// Execs seen only after the drain.
    pub late: u64,
    /// What it ran on.
    pub kernel: KernelId,
    /// Options added to the kernel's command line.
    #[serde(default)]
    pub boot: Vec<String>,
    /// Where time came from.
    pub lab: Lab,
    /// Virtual CPUs.
    pub cpus: u32,
    /// What watched.
    pub backend: BackendSpec,
    /// What was watched.
    pub workload: Workload,
    /// Its seed.
    pub seed: u64,
    /// Execs a second that the storm really made, by the guest's clock.
    pub achieved_rate: Option<f64>,
    /// By how much an open-loop storm fell behind its schedule at worst, in nanoseconds.
    #[serde(default)]
    pub worst_lateness_ns: Option<u64>,
    /// Counts of truth; `null` where no record came back.
    pub truth: Option<TruthCounts>,
    /// What the kernel itself counted meanwhile; a trial whose truth it contradicts is `lost`.
    #[serde(default)]
    pub witness: Option<Witness>,
    /// What was seen.
    pub completeness: Option<Completeness>,
    /// How paths were reported.
    pub path: Option<PathCounts>,
    /// How the strings of the calls were reported, beside paths or in their place.
    #[serde(default)]
    pub given: Option<FieldCounts>,
    /// How arguments were reported.
    pub argv: Option<ArgvCounts>,
    /// How process ids were reported.
    pub pid: Option<PidCounts>,
    /// How parents were reported.
    #[serde(default)]
    pub parent: Option<FieldCounts>,
    /// How real user ids were reported.
    #[serde(default)]
    pub credentials: Option<FieldCounts>,
    /// How cgroup and namespaces were reported.
    pub container: Option<FieldCounts>,
    /// Sightings delivered after one of a later exec.
    #[serde(default)]
    pub out_of_order: Option<u64>,
    /// Loss, true and self-reported.
    pub loss: Option<Loss>,
    /// What it cost; `null` where it could not be compared, with the reason in `notes`.
    pub cost: Option<Cost>,
    /// Time from exec to delivery.
    pub latency: Option<Latency>,
    /// Memory of the monitor.
    pub memory: Option<Memory>,
    /// What became of the canaries.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// Some execs that were missed or reported wrong.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// Anything worth telling.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What made the figures what they are.
    #[serde(default)]
    pub provenance: Provenance,
    /// Host facts that differ from run to run (wall time …); never part of a comparison.
    #[serde(default)]
    pub host: BTreeMap<String, serde_json::Value>,
}

impl TrialResult {
    /// Execs seen / execs in truth; `None` where nothing was measured.
    pub fn completeness_share(&self) -> Option<f64> {
        let truth = self.truth.filter(|t| t.execs > 0)?;
        Some(self.completeness.as_ref()?.seen as f64 / truth.execs as f64)
    }

    /// Execs with the best path that the scenario allows / execs seen.
    pub fn path_share(&self) -> Option<f64> {
        let seen = self
            .completeness
            .as_ref()
            .map(|c| c.seen)
            .filter(|&seen| seen > 0)?;
        Some(self.path.as_ref()?.best as f64 / seen as f64)
    }

    /// Whether this is what others are compared with: a trial without a monitor.
    pub fn is_baseline(&self) -> bool {
        self.backend.is_baseline()
    }

    /// Whether this is a baseline once more, compared with the first as if it watched.
    pub fn is_control(&self) -> bool {
        self.backend.is_control()
    }

    /// Whether this is a witness run: nothing watched but the kernel's own counter.
    pub fn is_witness(&self) -> bool {
        self.backend.is_witness()
    }

    /// Whether anything watched.
    pub fn is_watched(&self) -> bool {
        self.backend.watches()
    }

    /// `name+variant`, as in the trial id; a baseline has its boot options in place of a variant.
    pub fn backend_label(&self) -> String {
        if self.is_baseline() {
            [&self.backend.name]
                .into_iter()
                .chain(&self.boot)
                .cloned()
                .collect::<Vec<_>>()
                .join("+")
        } else {
            format!("{}+{}", self.backend.name, self.backend.variant)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_code_and_in_json_agree() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for class in PathClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }
}
