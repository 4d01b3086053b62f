//! perf: events of the kernel, read from perf's rings (`perf_event_open(2)`).
//!
//! One event is opened on each CPU for all processes (`pid` -1), with a ring of memory that the kernel writes
//! and the monitor reads without a call. Each record has process and thread in the opener's PID namespace
//! and, by `use_clockid`, a `CLOCK_MONOTONIC` time. Nothing is formatted and nothing is copied by a read.
//!
//! - **Numbers and layouts** of tracepoints are read from tracefs, which is mounted for the monitor alone
//!   ([`tracepoint`]): a machine without it gets none.
//! - **Cgroup.** `PERF_SAMPLE_CGROUP` (5.7) gives the id of the process's cgroup v2 with each sample. perf is
//!   an implicit controller: where no controller is enabled in the parent's `cgroup.subtree_control`, the id
//!   is that of the nearest group above that has one, down to the root's. It stands in the sighting as the
//!   kernel gives it.
//! - **Loss.** A record that has no room in the ring is dropped and counted. LOST records tell of it, but
//!   only in front of the next record that fits; so where the kernel has it the count is read
//!   (`PERF_FORMAT_LOST`, 6.0, and Debian's 5.10 and 6.1), after each look that found a ring half full or a LOST
//!   record in it, and at the end, when the events are disabled and the rings empty. `LOST_SAMPLES` records (4.2) tell of
//!   samples that never came to the ring; they are added. Paths up to `PATH_MAX` fit into a record: the limit is 8 KiB (`PERF_MAX_TRACE_SIZE`), and a
//!   larger one is dropped without a word.
//! - **Lookup.** With `lookup=full` what an event does not carry (arguments, parent, user, the path where
//!   there is only the string of the call) is read from `/proc`. It is put aside where a later exec of the
//!   same number happened before the lookup ended. A string of the call stands over the executed file where
//!   `/proc` shows it as an interpreter's argument: of a script the script is reported.
//! - **Wake-ups.** The reader is woken for each record, or with `wakeup-bytes` only when so much lies in a
//!   ring; then it looks all the same twenty times a second.
//!
//! What none of them can see: execs on a CPU that came online after the attachment; without `lookup`,
//! arguments, parent and user.
//!
//! Needs: `CONFIG_PERF_EVENTS`; `CAP_PERFMON` or `CAP_SYS_ADMIN` (Debian's `perf_event_paranoid` is 3); rings
//! beyond `perf_event_mlock_kb` need `CAP_IPC_LOCK`.
//!
//! Sources: `perf_event_open(2)`; `kernel/events/core.c`, `kernel/events/ring_buffer.c`,
//! `kernel/trace/trace_event_perf.c`.

pub mod exec;
pub mod sideband;
pub mod syscalls;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "look")]
mod look;
mod monitor;
mod record;
mod resolver;
mod rings;
mod tracepoint;

use crate::{Kind, Offers, Setting, priority::SCHEDULING};

const PAGES: Setting = Setting {
    name: "pages",
    help: "size of each CPU's ring, in pages of 4 KiB",
    kind: Kind::Word(&[
        "1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1024", "2048", "4096",
    ]),
    default: "128",
    tuned: "1024",
};

const WAKEUP: Setting = Setting {
    name: "wakeup-bytes",
    help: "wake the reader when so many bytes lie in a ring, or after 50 ms; 0: for each record",
    kind: Kind::Number(0, 1 << 23),
    default: "0",
    tuned: "0",
};

const LOOKUP: Setting = Setting {
    name: "lookup",
    help: "full: what the event does not carry, from /proc; nothing: the event alone",
    kind: Kind::Word(&["full", "nothing"]),
    default: "nothing",
    tuned: "full",
};

/// What can be set on a row whose events say who and what.
pub const SETTINGS: &[Setting] = &[PAGES, WAKEUP, SCHEDULING, LOOKUP];

/// What can be set on the row whose events do not say what.
pub const SETTINGS_OF_CALLS: &[Setting] = &[
    PAGES,
    WAKEUP,
    SCHEDULING,
    Setting {
        default: "full",
        ..LOOKUP
    },
];

/// What can be set on the row that has several records of each exec, and is woken in its middle.
pub const SETTINGS_OF_RECORDS: &[Setting] = &[
    PAGES,
    Setting {
        tuned: "65536",
        ..WAKEUP
    },
    Setting {
        tuned: "normal",
        ..SCHEDULING
    },
    Setting {
        tuned: "nothing",
        ..LOOKUP
    },
];

/// The same for each row.
const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: true,
    loss: true,
};

const NEEDS: &[&str] = &["CONFIG_PERF_EVENTS", "CAP_PERFMON or CAP_SYS_ADMIN"];
const LOSS_SIGNALS: &[&str] = &[
    "PERF_RECORD_LOST",
    "PERF_RECORD_LOST_SAMPLES",
    "PERF_FORMAT_LOST",
];
