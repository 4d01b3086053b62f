//! What the scheduler did during a trial, as the kernel's own tracer recorded it: `execlab replay --sched`.
//!
//! The guest sends the tracer's buffers home as they are; what is in them is read on the host. It travels
//! behind the [`Record`](crate::record::Record) and is no part of it, so that no ordinary record knows of it.

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// Setting of a trial, not of its monitor: the trial runner records the scheduler's events, in an instance of the
/// tracer with a buffer of so many KiB for each CPU. That perturbs the trial; only a replay asks for it.
pub const SCHED_TRACE: &str = "sched-trace";

/// Which events are recorded, as tracefs names them below `events/`.
pub const SCHED_EVENTS: [&str; 4] = [
    "sched/sched_switch",
    "sched/sched_waking",
    "sched/sched_wakeup",
    "sched/sched_wakeup_new",
];

/// The buffer of one CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTrace {
    /// Its number.
    pub cpu: u32,
    /// The text of `per_cpu/cpuN/stats` once nothing was recorded any more.
    pub stats: String,
    /// What each read of `trace_pipe_raw` gave: a page.
    pub pages: Vec<Bytes>,
    /// Further pages, for which there was no room on the way home.
    pub left_out: u64,
}

/// All that the kernel recorded, and what it takes to read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedTrace {
    /// Why there is nothing, or not all; `None` where nothing went wrong.
    pub problem: Option<String>,
    /// The text of `events/header_page`.
    pub header_page: String,
    /// The text of `events/header_event`.
    pub header_event: String,
    /// Each of [`SCHED_EVENTS`] with the text of its file `format`.
    pub formats: Vec<(String, String)>,
    /// The buffers.
    pub cpus: Vec<CpuTrace>,
    /// Thread ids of the monitor, in the initial PID namespace: those that it had before the storm and after it.
    pub monitor: Vec<u32>,
}
