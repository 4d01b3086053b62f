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

use execlab_model::sighting::Sighting;

use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Listing, Scan},
};

#[cfg(feature = "look")]
mod look;
mod table;

use table::Table;

/// How often a `cursor` scan lists everything all the same.
const FULL_EVERY_NS: u64 = 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub struct ProcPoll;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "interval-us",
        help: "microseconds from the begin of one scan to the begin of the next",
        kind: Kind::Number(100, 60_000_000),
        default: "100000",
        tuned: "1000",
    },
    Setting {
        name: "scan",
        help: "full: list all processes each time; cursor: list only ids given since the last scan",
        kind: Kind::Word(&["full", "cursor"]),
        default: "full",
        tuned: "cursor",
    },
    Setting {
        name: "lookup",
        help: "full: every field; path: executed file, arguments and parent only",
        kind: Kind::Word(&["full", "path"]),
        default: "full",
        tuned: "full",
    },
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
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: false,
            loss: false,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let (soft, hard) = raise_descriptor_limit()?;
        let mut listing = Listing::open().map_err(AttachError::call("open /proc"))?;
        let mut evidence = listing.prove(settings.word("scan") == "cursor")?;
        evidence.push(table::prove_fork_flag()?);
        let mut table = Table::open(Depth::from_word(settings.word("lookup")))
            .map_err(AttachError::call("open /proc"))?;
        listing
            .scan(Scan::Full)
            .map_err(AttachError::call("getdents64 of /proc"))?;
        table.begin(&listing.found);
        evidence.push(format!(
            "{} processes known at attach; descriptor limit {soft} raised to {hard}",
            listing.found.len()
        ));
        Ok(Box::new(Poller {
            interval_ns: settings.number("interval-us") * 1000,
            cursor: settings.word("scan") == "cursor",
            last_full_ns: monotonic_ns(),
            listing,
            table,
            evidence,
            scans: 0,
            overruns: 0,
            longest_ns: 0,
            scanning_ns: 0,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        look::look(roots)
    }
}

#[derive(Debug)]
struct Poller {
    interval_ns: u64,
    cursor: bool,
    last_full_ns: u64,
    listing: Listing,
    table: Table,
    evidence: Vec<String>,
    scans: u64,
    overruns: u64,
    longest_ns: u64,
    scanning_ns: u64,
}

impl Poller {
    fn scan(&mut self, seam: &mut Seam, now: u64) -> Result<(), MonitorError> {
        let full = !self.cursor || now - self.last_full_ns >= FULL_EVERY_NS;
        if full {
            self.last_full_ns = now;
        }
        self.listing
            .scan(if full { Scan::Full } else { Scan::New })
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        let mut failed = Ok(());
        let mut report = |sighting: Sighting| {
            if failed.is_ok() {
                failed = seam.sighting(sighting);
            }
        };
        self.table.check_known(now, &mut report);
        self.table.add(&self.listing.found, now, &mut report);
        if full {
            self.table.forget_unlisted(&self.listing.found);
        }
        Ok(failed?)
    }
}

impl Monitor for Poller {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let mut due = monotonic_ns();
        loop {
            let begun = monotonic_ns();
            self.scan(seam, begun)?;
            seam.flush()?;
            let ended = monotonic_ns();
            self.scans += 1;
            self.scanning_ns += ended - begun;
            self.longest_ns = self.longest_ns.max(ended - begun);
            self.overruns += u64::from(ended - begun > self.interval_ns);
            // Beats that a long scan covered are skipped, not made up for.
            due = next_beat(due, self.interval_ns, ended);
            if wait_until(stop, due, ended).map_err(MonitorError::call("ppoll"))? {
                break;
            }
        }
        // What came up since the last scan.
        self.scan(seam, monotonic_ns())?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{} scans of {} us on average, the longest took {} us, {} took longer than the interval",
            self.scans,
            self.scanning_ns / 1000 / self.scans.max(1),
            self.longest_ns / 1000,
            self.overruns
        )];
        notes.extend(self.table.notes());
        notes
    }
}

/// The first beat after `now` of a clock that beat at `last`.
fn next_beat(last: u64, interval: u64, now: u64) -> u64 {
    let passed = now.saturating_sub(last) / interval;
    last + (passed + 1) * interval
}

/// Sleeps until the time or the stop; whether it was the stop. In nanoseconds, where
/// [`Stop::wait`] counts milliseconds.
fn wait_until(stop: &Stop, due: u64, now: u64) -> nix::Result<bool> {
    use nix::{
        poll::{PollFd, PollFlags, ppoll},
        sys::time::{TimeSpec, TimeValLike},
    };
    let rest = i64::try_from(due.saturating_sub(now)).unwrap_or(i64::MAX);
    let mut fds = [PollFd::new(stop.fd(), PollFlags::POLLIN)];
    match ppoll(&mut fds, Some(TimeSpec::nanoseconds(rest)), None) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One descriptor for each process is kept. Only this process is affected, so nothing is put back.
fn raise_descriptor_limit() -> Result<(u64, u64), AttachError> {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let (soft, hard) =
        getrlimit(RLIMIT_NOFILE).map_err(AttachError::call("getrlimit RLIMIT_NOFILE"))?;
    setrlimit(RLIMIT_NOFILE, hard, hard).map_err(AttachError::call("setrlimit RLIMIT_NOFILE"))?;
    Ok((soft, hard))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn beats_stay_on_the_grid_and_lie_ahead(
            last in 0u64..1 << 50, interval in 1u64..1 << 30, late in 0u64..1 << 40
        ) {
            let now = last + late;
            let next = next_beat(last, interval, now);
            prop_assert!(next > now && next - now <= interval);
            prop_assert_eq!((next - last) % interval, 0);
        }
    }
}
