//! `proc-poll-start`: looks into `/proc` again and again, at processes that began since the last look.
//!
//! Each scan lists `/proc` and reads `stat` of each process, and passes by all that began before the
//! scan before: field 22 (`starttime`, proc(5)) counts from the boot, so one number is all that has to be
//! remembered. What is left is looked up and reported once. Field 9 of the same line says whether it has
//! called exec since its fork (`PF_FORKNOEXEC`): one that has not stays on a short list for a second, so
//! a fork is no exec and an exec that comes a scan later is seen all the same. No descriptors are kept,
//! and nothing of processes that have been there for long.
//!
//! Start times come in ticks of `CLOCK_BOOTTIME`, a hundredth of a second each (`USER_HZ`), so one that
//! began in the tick of the last scan is looked at again; numbers and start times of that tick's processes
//! are remembered, lest they are reported twice.
//!
//! Since: any kernel with `/proc`. Needs: root, for `exe` of others.
//!
//! What it cannot see: an exec inside a process that was known before, as an exec does not change the
//! start time (`begin_new_exec`, fs/exec.c; where a thread calls exec it takes over its leader's,
//! `de_thread`). So a shell's `exec`, all execs of a process but the one that it had made when it was
//! looked at, and one that comes later than a second after its fork are missed. And as every poller it
//! misses whatever begins and ends between two scans, knows a zombie by its name alone (cut at 15 bytes),
//! does not know when the exec was, and has no word of losses.
//!
//! # Cost
//!
//! A scan opens and reads `stat` of every process, where `proc-poll` asks descriptors that it holds open. What is
//! bought is that nothing is held of processes; execs inside of known processes are paid for it too. Default is as
//! cheap as that of `proc-poll`, because it looks as seldom and is as blind. Tuned looks twenty times as often, and not
//! a hundred times, as a scan costs so much. It is dearer than `proc-poll` all the same: it buys more of what lives
//! short than default, and less than `proc-poll` does.

use std::{collections::BTreeMap, io, time::Duration};

use execlab_model::sighting::Sighting;
use nix::{
    time::{ClockId, clock_gettime},
    unistd::{SysconfVar, sysconf},
};

use super::{
    beat::{Beat, Woken},
    poller::reporting,
    proc_poll::{INTERVAL, LOOKUP},
    table,
};
use crate::{
    AttachError, Backend, Family, Monitor, MonitorError, Offers, Portrait, Reach, Seam, Setting,
    Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Listing, Procfs, Scan, name_instead_of_path, parse::Stat},
};

/// How long a process that only forked is looked at in every scan.
const YOUNG_NS: u64 = 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub struct ProcPollStart;

/// What can be set. A scan reads a file of each process, which takes a millisecond where `proc-poll` with
/// its cursor takes a hundredth.
pub const SETTINGS: &[Setting] = &[
    Setting {
        tuned: "5000",
        ..INTERVAL
    },
    LOOKUP,
];

impl Backend for ProcPollStart {
    fn name(&self) -> &'static str {
        "proc-poll-start"
    }

    fn about(&self) -> &'static str {
        "scans /proc at an interval for processes that began since the scan before"
    }

    fn program(&self) -> &'static str {
        "polling"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Polling,
            mechanism: "lists /proc at an interval and looks at processes whose start time is new",
            needs: &["root, for exe of others"],
            since: Since {
                release: "2.6 (stat tells a fork from an exec)",
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
        let open = || AttachError::call("open /proc");
        let mut listing = Listing::open().map_err(open())?;
        let mut evidence = listing.prove(false)?;
        evidence.push(table::prove_fork_flag()?);
        let mut recent = Recent::open(Depth::from_word(settings.word("lookup"))).map_err(open())?;
        let now = recent.since;
        listing
            .scan(Scan::Full)
            .map_err(AttachError::call("getdents64 of /proc"))?;
        // Known, not reported.
        recent.look(&listing.found, now, &mut |_| ());
        evidence.push(format!(
            "{} processes at attach; from now on those that begin at tick {now} of the boot or later",
            listing.found.len()
        ));
        Ok(Box::new(ByStart {
            beat: Beat::new(settings.number("interval-us")),
            listing,
            recent,
            evidence,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

/// What is remembered between two scans. Times are ticks of `CLOCK_BOOTTIME`.
#[derive(Debug)]
struct Recent {
    proc: Procfs,
    depth: Depth,
    tick_ns: u64,
    /// The tick in which the last scan began.
    since: u64,
    /// What began in that tick or later and was reported: number and start.
    reported: BTreeMap<u32, u64>,
    /// What forked and had not called exec yet: number, start, and until when it is looked at in
    /// monotonic nanoseconds.
    young: BTreeMap<u32, (u64, u64)>,
}

impl Recent {
    /// Everything that begins from now on is recent.
    fn open(depth: Depth) -> io::Result<Self> {
        let mut recent = Self {
            proc: Procfs::open()?,
            depth,
            tick_ns: tick_ns(),
            since: 0,
            reported: BTreeMap::new(),
            young: BTreeMap::new(),
        };
        recent.since = recent.now();
        Ok(recent)
    }

    /// Looks at those that began since the last scan. `now` is the tick in which this one began, before the
    /// listing was made.
    fn look(&mut self, found: &[(u32, u64)], now: u64, report: &mut dyn FnMut(Sighting)) {
        for &(pid, _) in found {
            let Some(stat) = self.proc.stat_of(pid) else {
                continue;
            };
            let start = stat.start_ticks;
            let young = self.young.get(&pid).is_some_and(|y| y.0 == start);
            if !young && (start < self.since || self.reported.get(&pid) == Some(&start)) {
                continue;
            }
            if only_forked(&stat) {
                if !young && !stat.ended() {
                    self.young.insert(pid, (start, monotonic_ns() + YOUNG_NS));
                }
                continue;
            }
            self.young.remove(&pid);
            self.reported.insert(pid, start);
            if let Some(sighting) = self.sighting(pid, start) {
                report(sighting);
            }
        }
        self.since = now;
        self.reported.retain(|_, &mut start| start >= now);
        if !self.young.is_empty() {
            let now = monotonic_ns();
            self.young.retain(|_, &mut (_, until)| now < until);
        }
    }

    /// `None` where the process that began then is gone.
    fn sighting(&mut self, pid: u32, start: u64) -> Option<Sighting> {
        let process = self.proc.process(pid)?;
        let mut sighting = Sighting {
            pid: Some(pid),
            ..Sighting::default()
        };
        process.perishable(&mut self.proc, self.depth, &mut sighting);
        // Read after the rest: if this is the process that is meant, so was the rest.
        let stat = process.stat(&mut self.proc)?;
        if stat.start_ticks != start {
            return None;
        }
        sighting.ppid = Some(stat.ppid);
        name_instead_of_path(stat.comm, &mut sighting);
        process.lasting(&mut self.proc, self.depth, &mut sighting);
        sighting.received_ns = monotonic_ns();
        Some(sighting)
    }

    /// The tick of `CLOCK_BOOTTIME`, rounded down as start times are.
    fn now(&self) -> u64 {
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has it since 2.6.39");
        let time = u64::try_from(Duration::from(time).as_nanos()).expect("584 years");
        time / self.tick_ns
    }
}

/// Whether it has called no exec yet, or is in the middle of its first: the next scan knows more.
fn only_forked(stat: &Stat<'_>) -> bool {
    stat.forked_only() || stat.unfinished()
}

fn tick_ns() -> u64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    let ticks = ticks.and_then(|n| u64::try_from(n).ok());
    1_000_000_000 / ticks.unwrap_or(100).max(1)
}

#[derive(Debug)]
struct ByStart {
    beat: Beat,
    listing: Listing,
    recent: Recent,
    evidence: Vec<String>,
}

impl ByStart {
    fn scan(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = self.recent.now();
        self.listing
            .scan(Scan::Full)
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        reporting(seam, |report| {
            self.recent.look(&self.listing.found, now, report);
        })?;
        Ok(seam.flush()?)
    }
}

impl Monitor for ByStart {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.beat.begin();
            self.scan(seam)?;
            self.beat.end();
            if self.beat.wait(stop, None)? == Woken::Stopped {
                break;
            }
        }
        // What came up since the last scan.
        self.scan(seam)
    }

    fn notes(&self) -> Vec<String> {
        vec![self.beat.note()]
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::{super::held::Held, *};

    fn cat() -> Child {
        let mut command = Command::new("/bin/cat");
        command.stdin(Stdio::piped()).spawn().unwrap()
    }

    /// Looks until something is reported.
    fn looks(recent: &mut Recent, pid: u32) -> Vec<Sighting> {
        let mut seen = Vec::new();
        while seen.is_empty() {
            let now = recent.now();
            recent.look(&[(pid, 0)], now, &mut |s| seen.push(s));
        }
        seen
    }

    #[test]
    fn what_begins_later_is_reported_once_and_what_was_there_is_not() {
        let mut there = cat();
        let mut recent = Recent::open(Depth::Full).unwrap();
        // Beyond the tick in which the first one began.
        recent.since += 1;
        let mut seen = Vec::new();
        recent.look(&[(there.id(), 0)], recent.since, &mut |s| seen.push(s));
        while recent.now() < recent.since {
            std::thread::yield_now();
        }
        let mut new = cat();
        let own = looks(&mut recent, new.id());
        for _ in 0..3 {
            let now = recent.now();
            recent.look(&[(there.id(), 0), (new.id(), 0)], now, &mut |s| {
                seen.push(s);
            });
        }
        for child in [&mut there, &mut new] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(seen, []);
        assert_eq!(own.len(), 1);
        assert_eq!(
            (own[0].pid, own[0].ppid),
            (Some(new.id()), Some(std::process::id()))
        );
        assert!(own[0].path.is_some() && own[0].argv.is_some());
    }

    /// It is on the short list then, and its start is that of an earlier scan.
    #[test]
    fn a_fork_is_reported_in_the_scan_after_its_exec() {
        let mut recent = Recent::open(Depth::Full).unwrap();
        let mut command = Command::new("/bin/cat");
        command.stdin(Stdio::piped());
        let mut held = Held::fork(command);
        let pid = held.pid;
        let mut early = Vec::new();
        let later = recent.now() + 2;
        recent.look(&[(pid, 0)], later, &mut |s| early.push(s));
        held.go();
        let own = looks(&mut recent, pid);
        let mut child = held.child();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(early, []);
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].pid, Some(pid));
    }
}
