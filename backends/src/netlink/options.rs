//! What can be set, each row its part of it, and what the rows say of themselves in the same words.

use super::socket::{BATCH, Filter, Options};
use crate::{
    Family, Kind, Offers, Portrait, Reach, Setting, Settings, Since, priority::SCHEDULING,
    procfs_lookup::Depth,
};

pub const RCVBUF: Setting = Setting {
    name: "rcvbuf",
    help: "receive buffer in bytes as the kernel counts it, bookkeeping included",
    kind: Kind::Number(4608, 1 << 30),
    default: "212992",
    tuned: "8388608",
};

pub const BATCH_SIZE: Setting = Setting {
    name: "batch",
    help: "so many messages are taken with one call at most",
    kind: Kind::Number(1, BATCH as u64),
    default: "1",
    tuned: "64",
};

pub const OVERFLOW: Setting = Setting {
    name: "overflow",
    help: "enobufs: the kernel's way, drop until empty; go-on: queue whenever there is room",
    kind: Kind::Word(&["enobufs", "go-on"]),
    default: "enobufs",
    tuned: "go-on",
};

pub const LOOKUP: Setting = Setting {
    name: "lookup",
    help: "full: every field; path: executed file, arguments, parent; nothing: the event alone",
    kind: Kind::Word(&["full", "path", "nothing"]),
    default: "full",
    tuned: "full",
};

/// What most rows that drop all but execs take.
pub const USUAL: &[Setting] = &[RCVBUF, BATCH_SIZE, OVERFLOW, SCHEDULING, LOOKUP];

/// A socket by these settings. What a row does not let be set is as the kernel has it, and messages are taken one
/// by one.
pub fn socket(settings: &Settings, table: &[Setting], filter: Filter) -> Options {
    let has = |setting: Setting| table.contains(&setting);
    let number = |setting: Setting| {
        usize::try_from(settings.number(setting.name)).expect("bounded by the setting")
    };
    Options {
        buffer: number(RCVBUF),
        keep_queueing: has(OVERFLOW) && settings.word(OVERFLOW.name) == "go-on",
        batch: if has(BATCH_SIZE) {
            number(BATCH_SIZE)
        } else {
            1
        },
        filter,
    }
}

/// Whether to run at real-time priority.
pub fn fifo(settings: &Settings) -> bool {
    settings.word(SCHEDULING.name) == "fifo"
}

/// How much to look up.
pub fn depth(settings: &Settings) -> Depth {
    Depth::from_word(settings.word(LOOKUP.name))
}

/// Since when a row works that reads the socket's counter of drops.
pub const SINCE_COUNTER: Since = Since {
    release: "4.12 (SO_MEMINFO; the connector itself: 2.6.15)",
    series: None,
};

/// The portrait of a row.
pub fn portrait(
    mechanism: &'static str,
    since: Since,
    loss_signals: &'static [&'static str],
) -> Portrait {
    Portrait {
        family: Family::Netlink,
        mechanism,
        needs: &[
            "CONFIG_PROC_EVENTS",
            "root in the initial user, PID and network namespaces",
        ],
        since,
        loss_signals,
        reach: Reach::System,
    }
}

/// What every row changes.
pub const CHANGES: &[&str] = &[
    "before Linux 6.6 a monitor that is killed leaves the kernel making events for nobody, until that is put back",
];

/// What the sightings of every row carry when the lookup comes in time.
pub const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: true,
    loss: true,
};
