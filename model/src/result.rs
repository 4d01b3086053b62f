//! One line of `results.jsonl`: everything that reports, gates and other programs may know of a trial.
//!
//! Field names are a contract; new fields may be added, none is renamed. `null` means that it was
//! not measured or not offered, never zero.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::lab::{Lab, UnknownLab};
use crate::{
    Bytes,
    plan::BackendSpec,
    record::{Canary, Costs, Witness},
    sighting::LossReport,
    workload::Workload,
};

/// Version of the line format.
pub const SCHEMA: u32 = 1;

/// What became of a trial.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A whole record came back and was scored.
    Completed,
    /// The backend cannot work on this kernel; `reason` is the evidence.
    Unsupported,
    /// The monitor died or hung; truth is whole, misses are scored.
    BackendFailed,
    /// The guest panicked, hung or stopped short.
    Lost,
    /// The host's side broke.
    Infra,
}

impl Status {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::Unsupported,
        Self::BackendFailed,
        Self::Lost,
        Self::Infra,
    ];

    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unsupported => "unsupported",
            Self::BackendFailed => "backend-failed",
            Self::Lost => "lost",
            Self::Infra => "infra",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How well a seen exec's path was reported. Exactly one for each, best first (DESIGN §5).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PathClass {
    /// Canonical, from the root of the exec's own mount namespace.
    Exact,
    /// By which the initial mount namespace reaches the same file.
    Host,
    /// Right, but from the exec's own root directory.
    InRoot,
    /// The string passed to the call, where that is none of the above.
    AsGiven,
    /// Only a last component or a `comm`.
    Basename,
    /// The interpreter instead of the script, or the reverse.
    Interpreter,
    /// Right before or after this exec.
    Stale,
    /// A proper prefix or suffix of the right one.
    Truncated,
    /// Another file.
    Wrong,
    /// No path in the sighting.
    Absent,
}

impl PathClass {
    /// All classes, best first.
    pub const ALL: [Self; 10] = [
        Self::Exact,
        Self::Host,
        Self::InRoot,
        Self::AsGiven,
        Self::Basename,
        Self::Interpreter,
        Self::Stale,
        Self::Truncated,
        Self::Wrong,
        Self::Absent,
    ];

    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Host => "host",
            Self::InRoot => "in_root",
            Self::AsGiven => "as_given",
            Self::Basename => "basename",
            Self::Interpreter => "interpreter",
            Self::Stale => "stale",
            Self::Truncated => "truncated",
            Self::Wrong => "wrong",
            Self::Absent => "absent",
        }
    }
}

/// How many seen execs are in each path class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields are the classes of PathClass")]
pub struct PathCounts {
    pub exact: u64,
    pub host: u64,
    pub in_root: u64,
    pub as_given: u64,
    pub basename: u64,
    pub interpreter: u64,
    pub stale: u64,
    pub truncated: u64,
    pub wrong: u64,
    pub absent: u64,
    /// Execs whose class is the best one that the scenario allows.
    #[serde(default)]
    pub best: u64,
    /// Reported paths from which a suffix of the kernel (` (deleted)`) was taken.
    #[serde(default)]
    pub suffixed: u64,
}

impl PathCounts {
    /// The counter of a class.
    pub fn of(&mut self, class: PathClass) -> &mut u64 {
        match class {
            PathClass::Exact => &mut self.exact,
            PathClass::Host => &mut self.host,
            PathClass::InRoot => &mut self.in_root,
            PathClass::AsGiven => &mut self.as_given,
            PathClass::Basename => &mut self.basename,
            PathClass::Interpreter => &mut self.interpreter,
            PathClass::Stale => &mut self.stale,
            PathClass::Truncated => &mut self.truncated,
            PathClass::Wrong => &mut self.wrong,
            PathClass::Absent => &mut self.absent,
        }
    }
}

/// How many seen execs have their arguments reported how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArgvCounts {
    /// Every argument, byte for byte.
    pub exact: u64,
    /// A proper prefix of them.
    pub truncated: u64,
    /// All bytes, with the boundaries lost.
    pub joined: u64,
    /// Others.
    pub wrong: u64,
    /// None in the sighting.
    pub absent: u64,
}

/// How many seen execs have their process id reported how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PidCounts {
    /// As in the initial PID namespace.
    pub host: u64,
    /// As in the exec's own namespace only.
    pub in_namespace: u64,
    /// Neither.
    pub wrong: u64,
    /// None in the sighting.
    pub absent: u64,
}

/// How many seen execs have a field reported right, wrong, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldCounts {
    /// As in truth.
    pub right: u64,
    /// Otherwise.
    pub wrong: u64,
    /// Not in the sighting.
    pub absent: u64,
}

/// What was seen of the execs of the sites of one label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelCounts {
    /// Execs in truth.
    pub execs: u64,
    /// Execs seen in time.
    pub seen: u64,
    /// Execs that were not seen, in time or late.
    pub missed: u64,
    /// Seen execs whose path is in the best class that the scenario allows.
    pub best_path: u64,
}

/// What was seen of all execs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Execs seen in time.
    pub seen: u64,
    /// Execs that were not seen, in time or late.
    pub missed: u64,
    /// Further sightings of execs that were already seen.
    pub duplicates: u64,
    /// Sightings attributed to the storm for which there was no exec.
    pub phantoms: u64,
    /// Sightings of anything else on the machine.
    pub foreign: u64,
    /// By label, where the scenario makes execs in several ways that have names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_label: BTreeMap<String, LabelCounts>,
}

/// Whether the monitor knew what it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Honesty {
    /// What it reports and what it lost agree, in execs; nothing lost and nothing reported agree too.
    Knew,
    /// It reports fewer than it lost.
    KnewTooLittle,
    /// It reports more than it lost.
    KnewTooMuch,
    /// It says that it lost something, without a number of execs.
    KnewWithoutANumber,
    /// It lost execs and says nothing.
    DidNotKnow,
}

impl Honesty {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Knew => "knew",
            Self::KnewTooLittle => "knew-too-little",
            Self::KnewTooMuch => "knew-too-much",
            Self::KnewWithoutANumber => "knew-without-a-number",
            Self::DidNotKnow => "did-not-know",
        }
    }
}

/// Loss, true and self-reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Execs missed, by truth.
    #[serde(rename = "true")]
    pub actual: u64,
    /// Execs lost by the backend's own word, where it gives a number of execs; 0 where it reports
    /// no loss at all; `null` where it reports loss in another unit or without a number.
    pub self_reported: Option<u64>,
    /// How the two compare.
    pub honesty: Honesty,
    /// Every loss report, summed by source and unit.
    pub reports: Vec<LossSum>,
}

/// All loss reports of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossSum {
    /// As in [`LossReport::source`].
    pub source: String,
    /// As in [`LossReport::unit`].
    pub unit: crate::sighting::LossUnit,
    /// Sum of the counts; `null` where none had one.
    pub count: Option<u64>,
    /// How many reports there were.
    pub reports: u64,
}

impl LossSum {
    /// Sums reports by source and unit, in order of first appearance.
    pub fn sum(reports: &[LossReport]) -> Vec<Self> {
        let mut sums: Vec<Self> = Vec::new();
        for report in reports {
            let known = sums
                .iter()
                .position(|s| s.source == report.source && s.unit == report.unit);
            let at = known.unwrap_or_else(|| {
                sums.push(Self {
                    source: report.source.clone(),
                    unit: report.unit,
                    count: None,
                    reports: 0,
                });
                sums.len() - 1
            });
            let sum = &mut sums[at];
            sum.reports += 1;
            if let Some(count) = report.count {
                sum.count = Some(sum.count.unwrap_or(0).saturating_add(count));
            }
        }
        sums
    }
}

/// What watching costs, per exec, against the baseline trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// `instructions` in the exact lab.
    pub unit: String,
    /// Whole system, without any monitor and without its boot options.
    pub baseline_per_exec: Option<f64>,
    /// Whole system, in this trial.
    pub per_exec: f64,
    /// The difference of the two.
    pub added_per_exec: Option<f64>,
    /// The difference in percent of the baseline.
    pub added_percent: Option<f64>,
    /// What the workload itself pays more than in the baseline (its own processes).
    pub inline_per_exec: Option<f64>,
    /// What the monitor uses: its own processes, and the kernel threads that work for it.
    pub monitor_per_exec: f64,
    /// The share of `monitor_per_exec` that those kernel threads use
    /// ([`crate::seam::Ready::kernel_threads`]).
    #[serde(default)]
    pub monitor_kernel_per_exec: f64,
    /// The rest of the difference: other kernel threads, the idle task's softirqs charged to others.
    pub rest_per_exec: Option<f64>,
    /// The share of `added_per_exec` that a boot option of the backend alone costs.
    pub boot_option_per_exec: Option<f64>,
    /// Nanoseconds of the storm in which nothing ran at all; not a part of any cost.
    #[serde(default)]
    pub stall_per_exec: f64,
    /// How often a task was given the CPU during the storm. Without a monitor it is about four times
    /// an exec: to the child, back to its parent at the exec, to the child again, and back at its end.
    #[serde(default)]
    pub switches_per_exec: f64,
    /// The same less the baseline's. Below the two that a monitor's wake-up takes, watching made the
    /// kernel switch less between parent and child, and `inline_per_exec` holds that saving.
    #[serde(default)]
    pub added_switches_per_exec: Option<f64>,
    /// What one more exec costs once that has settled.
    #[serde(default)]
    pub slope: Option<Slope>,
    /// What watching costs a second while nothing happens.
    pub idle_added_per_second: Option<f64>,
    /// Busy time per exec of the storm (its slope, where it has one) against that of a bare loop whose
    /// payload only exits, which runs after it: what truth and its evidence cost. Only in trials
    /// without a monitor, with load `closed`.
    #[serde(default)]
    pub truth_ratio: Option<f64>,
    /// The windows from which all this was computed.
    pub windows: Costs,
}

/// What one more exec costs, from the storm's own [progress](Costs::progress): unlike a mean, it does
/// not depend on how many execs there were, nor on what the first ones found cold. What a monitor puts
/// off until after the storm is not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slope {
    /// Busy time per exec of the whole system, over the settled part of the storm, in the unit of
    /// [`Cost::unit`].
    pub per_exec: f64,
    /// The same less the baseline's, both over the part in which both are settled.
    pub added_per_exec: Option<f64>,
    /// Execs before the settled part; `null` where it never settled, and the second half was taken.
    pub settled_after: Option<u32>,
    /// Largest distance of a part of the settled storm from `per_exec`, in percent of it. Timer ticks
    /// and grace periods of RCU alone make 1 to 4 percent between parts of 60 execs.
    pub spread_percent: f64,
}

/// Time from exec to delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "percentiles name themselves")]
pub struct Latency {
    pub unit: String,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

/// Memory of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Highest resident set of its processes.
    pub monitor_peak_bytes: u64,
}

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
    use crate::sighting::LossUnit;

    #[test]
    fn loss_reports_are_summed_by_source() {
        let report = |source: &str, count| LossReport {
            source: source.into(),
            unit: LossUnit::Event,
            count,
            window_ns: (0, 1),
        };
        let sums = LossSum::sum(&[
            report("a", Some(2)),
            report("b", None),
            report("a", Some(3)),
        ]);
        assert_eq!(sums.len(), 2);
        assert_eq!((sums[0].count, sums[0].reports), (Some(5), 2));
        assert_eq!((sums[1].count, sums[1].reports), (None, 1));
    }

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
