//! What comes back from a guest: truth, sightings, loss reports and costs, not yet judged.

use serde::{Deserialize, Serialize};

use crate::{
    seam::Ready,
    sighting::{LossReport, Sighting},
    truth::Truth,
};

/// Bytes that are no whole record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Not in the record's encoding, or cut.
    #[error("cannot be read: {0}")]
    Encoding(#[from] postcard::Error),
    /// A record, and more.
    #[error("is followed by {0} bytes")]
    Followed(usize),
    /// It tells of an exec that was made in a way that it does not tell of.
    #[error(
        "says that exec {exec} was made in way {site}, and tells of {sites} ways, counted from 0"
    )]
    Site {
        /// The exec's id.
        exec: u32,
        /// Its [`Exec::site`](crate::truth::Exec::site).
        site: u32,
        /// How many there are.
        sites: usize,
    },
}

/// How the trial went, as seen from inside the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuestStatus {
    /// Everything ran.
    Completed,
    /// The backend cannot work on this kernel, with the evidence.
    Unsupported(String),
    /// The monitor died, hung or spoke garbage; truth is whole and misses are scored.
    BackendFailed(String),
}

/// What one window of a trial cost, in nanoseconds of CPU time (in the exact lab: instructions).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct WindowCost {
    /// Length of the window by `CLOCK_MONOTONIC`.
    pub wall_ns: u64,
    /// Run time of all tasks but the idle one (`/proc/schedstat`, seventh field of a CPU).
    pub busy_ns: u64,
    /// Run time of the storm's cgroups, in whole microseconds (`cpu.stat`).
    pub storm_ns: u64,
    /// Run time of the monitor's cgroup, in whole microseconds (`cpu.stat`).
    pub monitor_ns: u64,
    /// Run time of the kernel threads that work for the monitor by its own word
    /// ([`Ready::kernel_threads`]), in nanoseconds.
    #[serde(default)]
    pub monitor_kernel_ns: u64,
    /// How often a task was given a CPU (`/proc/schedstat`, ninth field of a CPU). A monitor that is
    /// woken changes who runs when, and with that what the workload pays: see it here first.
    #[serde(default)]
    pub switches: u64,
}

/// How far a storm was at one moment, counted from its start.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Checkpoint {
    /// Execs that were made; in a closed storm and between bursts, all of them were reaped too.
    pub execs: u32,
    /// By `CLOCK_MONOTONIC`, in nanoseconds, less what the checkpoints themselves took.
    pub wall_ns: u64,
    /// As [`WindowCost::busy_ns`], less what the checkpoints themselves took.
    pub busy_ns: u64,
}

/// The three windows of a trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Costs {
    /// Monitor attached, nothing happens.
    pub idle: WindowCost,
    /// The storm.
    pub storm: WindowCost,
    /// After the storm, as long as `idle`: what is above `idle` here is work left over.
    pub catch_up: WindowCost,
    /// In trials without a monitor: some execs again by a bare `vfork`, `execve` and `wait` of a
    /// payload that only exits, after everything else. What truth and its evidence cost the storm
    /// shows against it.
    #[serde(default)]
    pub bare: Option<WindowCost>,
    /// How many execs the bare loop made; 0 stands for as many as the storm.
    #[serde(default)]
    pub bare_execs: u32,
    /// The storm in parts, from its start to its end: how cost per exec settled shows in them.
    #[serde(default)]
    pub progress: Vec<Checkpoint>,
}

/// What became of the canary execs.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Canary {
    /// Canaries before the storm until one was seen; 0 where there was no monitor.
    pub tries_before: u32,
    /// Whether the canary after the storm was seen before the deadline.
    pub seen_after: bool,
}

/// What the kernel itself counted from just before the storm to the end of the window after it. No part
/// of execlab has a hand in it, so truth can be held against it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Witness {
    /// Tasks that were made on the whole machine, threads and kernel threads included (`processes` of
    /// `/proc/stat`, see `proc_stat(5)`).
    pub forks: u64,
    /// Kernel threads that were made meanwhile and are still there: they are among `forks`.
    pub kernel_threads: u64,
    /// Execs on the whole machine, by a counting perf event on the tracepoint
    /// `sched:sched_process_exec`. `null` but in a witness run.
    pub execs: Option<u64>,
}

/// One whole trial as the guest tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `uname -r`.
    pub release: String,
    /// How it went.
    pub status: GuestStatus,
    /// By what the monitor knew that it was attached.
    pub ready: Option<Ready>,
    /// What the canaries showed.
    pub canary: Canary,
    /// What really happened.
    pub truth: Truth,
    /// What the monitor saw, in the order in which it said so; canaries taken out.
    pub sightings: Vec<Sighting>,
    /// What the monitor said it lost.
    pub losses: Vec<LossReport>,
    /// Sightings received after this time are late.
    pub drained_ns: u64,
    /// What it cost.
    pub costs: Costs,
    /// Highest resident set of the monitor's processes, in bytes.
    pub monitor_peak_bytes: u64,
    /// What the host took from the guest's CPUs while the trial ran, in nanoseconds: the kernel's own
    /// account of steal. `None` where nobody asked, as in the exact lab, where nothing can be taken.
    #[serde(default)]
    pub steal_ns: Option<u64>,
    /// What the kernel counted; `None` where there was no storm.
    #[serde(default)]
    pub witness: Option<Witness>,
    /// Anything worth telling: the monitor's notes, the tail of its stderr, oddities.
    pub notes: Vec<String>,
}

impl Record {
    /// The record that these bytes are, in postcard encoding: all of them, and what it refers to is in it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (record, rest) = Self::take_from_bytes(bytes)?;
        if !rest.is_empty() {
            return Err(BadRecord::Followed(rest.len()));
        }
        Ok(record)
    }

    /// The record that these bytes begin with, and what follows it.
    pub fn take_from_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), BadRecord> {
        let (record, rest) = postcard::take_from_bytes::<Self>(bytes)?;
        let sites = record.truth.sites.len();
        match record.truth.execs.iter().find(|e| e.site as usize >= sites) {
            None => Ok((record, rest)),
            Some(exec) => Err(BadRecord::Site {
                exec: exec.id,
                site: exec.site,
                sites,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{Exec, Outcome, Site};

    fn record(site: u32) -> Record {
        let exec = Exec {
            id: 7,
            site,
            pid: 100,
            ns_pid: 100,
            parent: 1,
            uid: 0,
            lifetime_ns: 0,
            spawned_ns: 1,
            started_ns: 2,
            ended_ns: 3,
            outcome: Outcome::Exited(0),
        };
        Record {
            release: String::new(),
            status: GuestStatus::Completed,
            ready: None,
            canary: Canary::default(),
            truth: Truth {
                sites: vec![Site::default()],
                execs: vec![exec],
                ..Truth::default()
            },
            sightings: Vec::new(),
            losses: Vec::new(),
            drained_ns: 4,
            costs: Costs::default(),
            monitor_peak_bytes: 0,
            steal_ns: None,
            witness: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_read_whole_or_not_at_all() {
        let bytes = postcard::to_allocvec(&record(0)).unwrap();
        assert_eq!(Record::from_bytes(&bytes), Ok(record(0)));
        let more = [bytes.as_slice(), b"xy"].concat();
        assert_eq!(Record::from_bytes(&more), Err(BadRecord::Followed(2)));
        let (taken, rest) = Record::take_from_bytes(&more).unwrap();
        assert_eq!((taken, rest), (record(0), &b"xy"[..]));
        let less = Record::from_bytes(&bytes[..bytes.len() - 1]);
        assert!(matches!(less, Err(BadRecord::Encoding(_))), "{less:?}");
    }

    #[test]
    fn a_way_that_is_not_in_the_record_is_told() {
        let bytes = postcard::to_allocvec(&record(1)).unwrap();
        let error = Record::from_bytes(&bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "says that exec 7 was made in way 1, and tells of 1 ways, counted from 0"
        );
    }
}
