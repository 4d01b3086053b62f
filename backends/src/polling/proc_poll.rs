//! `proc-poll`: looks into `/proc` again and again.
//!
//! How an exec is found. A process that the last scan did not know is new; field 9 of its `stat`
//! holds the kernel's own word on whether it has called exec since it was forked (`PF_FORKNOEXEC`).
//! One that has not is *young* and is looked at in every scan until it has, so neither a fork nor a
//! `vfork` child that has not come to its exec yet is mistaken for an exec. A process that has is
//! reported, and from then on an open `/proc/PID/mem` watches it: that descriptor belongs to the
//! address space, not to the process, and a one-byte `pread` of an address that nobody maps says
//! `EIO` while the address space is in use and end-of-file once it is gone: the process called exec
//! or ended. That is a fraction of the cost of reading `stat` (no formatting, no path walk), needs no
//! randomised addresses and also notices an exec of the same file. Start times then tell an exec
//! inside the process from another process with its number.
//!
//! Two ways to find the new ones ([`SETTINGS`]`.scan`):
//! - `full` lists every process in every scan, as agents do. The inode number that `getdents64`
//!   gives for a process directory belongs to that one process while it lives, so a reused number
//!   shows in the listing itself.
//! - `cursor` first asks `/proc/loadavg` for the id that was given last. Ids are given in a circle,
//!   so only the ids between the last scan's and this one's can be new, and a position in the
//!   directory is an id plus a constant, so just those are listed. Ids that were given but not
//!   visible yet are covered by listing the range of the previous scan again; processes restored
//!   under a chosen id (`clone3` with `set_tid`) by a full listing once a second.
//!
//! Both properties, and the flag, are proved on this kernel when the backend attaches.
//!
//! Since: any kernel with `/proc`; the flag is as old as Linux 2.6, `/proc/PID/mem` behaves so since
//! 3.2 (`mem_open` takes the address space at open; fs/proc/base.c). Needs: root, for `exe` and `mem`
//! of others. Where `mem` may not be opened (Yama scope 3) or descriptors run out, the image's layout
//! in `stat` is compared instead, which misses an exec of the same file where addresses are not
//! randomised.
//!
//! What it cannot see: whatever begins and ends between two scans, which is most of a storm; of
//! several execs of one process between two scans all but the last; the file of a process that
//! already ended (a zombie has its name only, and that is reported as the path, cut at 15 bytes); the
//! time of the exec. An exec that a `vfork` child makes later than a second after its fork can be
//! missed, because it was watched through the address space of its parent by then. It does not know
//! what it missed: there are no loss reports, only notes on scans that took too long.
//!
//! # Cost
//!
//! The cheapest of the family where all of them look often: no process is started, and a known process is asked by one
//! `pread` of a descriptor that is open. Default costs next to nothing because it looks so seldom that it is nearly
//! blind: of programs that end at once it sees those alone that are there at a scan. Tuned looks a hundred times as
//! often. That is dearer, and buys more of what lives short; `cursor` keeps it affordable, as a scan then lists new ids
//! alone.

use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    polling::poller::Poller,
};

/// See the module.
#[derive(Debug)]
pub struct ProcPoll;

/// How often a poller looks.
pub const INTERVAL: Setting = Setting {
    name: "interval-us",
    help: "microseconds from the begin of one scan to the begin of the next",
    kind: Kind::Number(100, 60_000_000),
    default: "100000",
    tuned: "1000",
};

/// How much a poller looks up.
pub const LOOKUP: Setting = Setting {
    name: "lookup",
    help: "full: every field; path: executed file, arguments and parent only",
    kind: Kind::Word(&["full", "path"]),
    default: "full",
    tuned: "full",
};

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    INTERVAL,
    Setting {
        name: "scan",
        help: "full: list all processes each time; cursor: list only ids given since the last scan",
        kind: Kind::Word(&["full", "cursor"]),
        default: "full",
        tuned: "cursor",
    },
    LOOKUP,
];

impl Backend for ProcPoll {
    fn name(&self) -> &'static str {
        "proc-poll"
    }

    fn about(&self) -> &'static str {
        "scans /proc at an interval and compares with the scan before"
    }

    fn program(&self) -> &'static str {
        "polling"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Polling,
            mechanism: "lists /proc at an interval and compares with the scan before",
            needs: &["root, for exe and mem of others"],
            since: Since {
                release: "3.2 (/proc/PID/mem holds the address space from its open on)",
                series: None,
            },
            loss_signals: &[],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        super::OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        Ok(Box::new(Poller::attach(settings, None)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
