//! What a monitor says: sightings of execs, and its own word that it lost something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Bytes;

/// Arguments as a backend reports them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Argv {
    /// One byte string each.
    List(Vec<Bytes>),
    /// One string with the boundaries lost.
    Joined(Bytes),
}

/// Where a sighting says that the exec ran. Whatever the backend does not offer is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerHint {
    /// Path below the root of the cgroup v2 hierarchy.
    #[serde(default)]
    pub cgroup: Option<Bytes>,
    /// Inode of the cgroup directory.
    #[serde(default)]
    pub cgroup_id: Option<u64>,
    /// Inode of the mount namespace.
    #[serde(default)]
    pub mnt_ns: Option<u32>,
    /// Inode of the PID namespace.
    #[serde(default)]
    pub pid_ns: Option<u32>,
}

/// One report of one exec. Times are `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    /// Process id (tgid) in the initial PID namespace.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Process id in the exec's own namespace.
    #[serde(default)]
    pub ns_pid: Option<u32>,
    /// Parent's process id.
    #[serde(default)]
    pub ppid: Option<u32>,
    /// Real user id.
    #[serde(default)]
    pub uid: Option<u32>,
    /// When the exec happened by the source's own clock; `None` where the source has none.
    #[serde(default)]
    pub time_ns: Option<u64>,
    /// How far `time_ns` may be off in either direction (audit stamps whole ticks).
    #[serde(default)]
    pub time_tolerance_ns: u64,
    /// When the monitor had the sighting in its hands; 0, where a program does not say so, is taken for the time at
    /// which it was read.
    #[serde(default)]
    pub received_ns: u64,
    /// The executed file, as fully as the backend knows it.
    #[serde(default)]
    pub path: Option<Bytes>,
    /// The string that was passed to the call, where the backend reports it beside `path`.
    #[serde(default)]
    pub given: Option<Bytes>,
    /// Arguments.
    #[serde(default)]
    pub argv: Option<Argv>,
    /// Whether the backend says that it cut path or arguments.
    #[serde(default)]
    pub truncated: bool,
    /// Device and inode of the executed file.
    #[serde(default)]
    pub file: Option<(u64, u64)>,
    /// Cgroup and namespaces.
    #[serde(default)]
    pub container: ContainerHint,
}

/// What a loss report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LossUnit {
    /// Whole execs.
    Exec,
    /// Kernel events, of which an exec may be one or several.
    Event,
    /// Records, several of which make up an exec.
    Record,
    /// The source does not say.
    Unknown,
}

/// A backend's own word that it lost something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossReport {
    /// Where it was read: `ENOBUFS`, `audit_status.lost`, `ringbuf reserve failed` …
    pub source: String,
    /// What is counted.
    pub unit: LossUnit,
    /// How many, if the source has a number.
    pub count: Option<u64>,
    /// The loss happened between these two times.
    pub window_ns: (u64, u64),
}
