//! What can be set on the rows of this family; what it means is the same for all that have it.

use crate::{Kind, Setting};

/// Of the rows that read what rules record, as audit's owner.
pub const OF_RULES: &[Setting] = &[
    BACKLOG,
    BACKLOG_WAIT,
    RCVBUF,
    EXCLUDE,
    ATTEMPTS,
    BATCH,
    LINGER,
    CONTAINER_LOOKUP,
];

/// Of the rows whose records are made without rules, one for each exec.
pub const OF_SINGLE_RECORDS: &[Setting] = &[
    BACKLOG,
    BACKLOG_WAIT,
    RCVBUF,
    BATCH,
    LINGER,
    CONTAINER_LOOKUP,
];

pub const BACKLOG: Setting = Setting {
    name: "backlog",
    help: "records that may wait in the kernel before processes have to (0: no limit; the \
           kernel starts with 64, distributions set 8192)",
    kind: Kind::Number(0, 1 << 20),
    default: "8192",
    tuned: "32768",
};

pub const BACKLOG_WAIT: Setting = Setting {
    name: "backlog-wait",
    help: "ticks that a process sleeps for room before its record is lost (0: lost at once; \
           the kernel starts with a minute, distributions set 60000)",
    // The kernel takes ten minutes at most, which is this with the slowest tick.
    kind: Kind::Number(0, 60_000),
    default: "60000",
    tuned: "60000",
};

pub const RCVBUF: Setting = Setting {
    name: "rcvbuf",
    help: "bytes of the socket's receive buffer (0: as the kernel gives it); a full one makes \
           kauditd wait",
    kind: Kind::Number(0, 1 << 30),
    default: "4194304",
    tuned: "33554432",
};

pub const EXCLUDE: Setting = Setting {
    name: "exclude",
    help: "records that are not to be made: none, proctitle, unused (proctitle and cwd), or \
           paths (these and all PATH records: no string as passed, no inode)",
    kind: Kind::Word(&["none", "proctitle", "unused", "paths"]),
    default: "none",
    tuned: "unused",
};

pub const ATTEMPTS: Setting = Setting {
    name: "attempts",
    help: "whether calls that fail are recorded and counted (count) or filtered out by the \
           rule (drop)",
    kind: Kind::Word(&["count", "drop"]),
    default: "count",
    tuned: "drop",
};

pub const BATCH: Setting = Setting {
    name: "batch",
    help: "records taken with one system call",
    kind: Kind::Number(1, 1024),
    default: "64",
    tuned: "256",
};

pub const LINGER: Setting = Setting {
    name: "linger",
    help: "milliseconds to let records gather after the first wakes the reader: fewer \
           wake-ups, later sightings",
    kind: Kind::Number(0, 1000),
    default: "0",
    tuned: "10",
};

pub const CONTAINER_LOOKUP: Setting = Setting {
    name: "container-lookup",
    help: "whether /proc/PID/cgroup is asked when an exec's records have arrived; of a process \
           that is gone by then nothing is told",
    kind: Kind::Word(&["on", "off"]),
    default: "on",
    // After the linger a short-lived process is gone.
    tuned: "off",
};
