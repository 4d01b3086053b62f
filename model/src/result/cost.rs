//! What watching costs: instructions or time, delay, memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Costs;

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
