//! From events to sightings: the lookup in `/proc`, and what of it may be believed.

use std::{collections::BTreeMap, io};

use execlab_model::sighting::Sighting;

use super::{search::Search, wire::Event};
use crate::{
    Seam,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Process, Procfs, name_instead_of_path, parse::Image},
    seam::SeamWriteError,
};

/// An exec that was reported, or a process that was there before.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    pub time_ns: u64,
    /// All zeros where it was not known.
    pub image: Image,
}

/// A sighting that is not handed over yet.
#[derive(Debug)]
struct Held {
    pid: u32,
    time_ns: u64,
    /// When the lookup ended; `None` before that.
    looked_ns: Option<u64>,
    image: Image,
    process: Option<Process>,
    sighting: Sighting,
}

impl Held {
    /// Nothing that `/proc` said is of this event.
    fn forget(&mut self) {
        self.image = Image::default();
        self.sighting = Sighting {
            pid: self.sighting.pid,
            time_ns: self.sighting.time_ns,
            received_ns: self.sighting.received_ns,
            ..Sighting::default()
        };
    }
}

#[derive(Debug)]
pub struct Resolver {
    pub proc: Procfs,
    pub depth: Depth,
    clock: Clock,
    held: Vec<Held>,
    /// The last of `held` for each process.
    latest: BTreeMap<u32, usize>,
    /// Whether somebody asks for [`Self::reported`].
    pub remembers: bool,
    /// The last exec that was reported for each process. Pruned to those that live.
    pub reported: BTreeMap<u32, Reported>,
    prune_at: usize,
    superseded: u64,
    reused: u64,
    too_late: u64,
}

impl Resolver {
    pub fn open(depth: Depth) -> io::Result<Self> {
        Ok(Self {
            proc: Procfs::open()?,
            depth,
            clock: Clock::now(),
            held: Vec::new(),
            latest: BTreeMap::new(),
            remembers: false,
            reported: BTreeMap::new(),
            prune_at: 1 << 14,
            superseded: 0,
            reused: 0,
            too_late: 0,
        })
    }

    /// Looks up a batch of events. The sightings are held back until [`Self::hand_over`].
    pub fn take(&mut self, events: impl Iterator<Item = Event>) {
        let received_ns = monotonic_ns();
        let first = self.held.len();
        for event in events {
            let Event::Exec { pid, time_ns } = event else {
                continue;
            };
            let index = self.held.len();
            self.held.push(Held {
                pid,
                time_ns,
                looked_ns: None,
                image: Image::default(),
                process: None,
                sighting: Sighting {
                    pid: Some(pid),
                    time_ns: Some(time_ns),
                    received_ns,
                    ..Sighting::default()
                },
            });
            if let Some(before) = self.latest.insert(pid, index)
                && let Some(looked_ns) = self.held[before].looked_ns
                && time_ns <= looked_ns
            {
                self.held[before].forget();
                self.superseded += 1;
            }
        }
        if self.depth == Depth::Nothing {
            return;
        }
        for index in first..self.held.len() {
            let held = &mut self.held[index];
            if self.latest.get(&held.pid) != Some(&index) {
                // Its image is gone: the same process called exec again.
                self.superseded += 1;
                continue;
            }
            held.process = self.proc.process(held.pid);
            if let Some(process) = &held.process {
                process.perishable(&mut self.proc, self.depth, &mut held.sighting);
            }
        }
        for index in first..self.held.len() {
            self.complete(index);
        }
    }

    /// Reads what a zombie still has, and checks whose it is.
    fn complete(&mut self, index: usize) {
        let held = &mut self.held[index];
        let Some(process) = held.process.take() else {
            self.too_late += 1;
            return;
        };
        let Some(stat) = process.stat(&mut self.proc) else {
            // It went away in between; what was read before was its own.
            self.too_late += u64::from(held.sighting.path.is_none());
            held.looked_ns = Some(monotonic_ns());
            return;
        };
        if stat.forked_only() || self.clock.began_after(stat.start_ticks, held.time_ns) {
            self.reused += 1;
            held.forget();
            return;
        }
        held.image = stat.image;
        held.sighting.ppid = Some(stat.ppid);
        if held.sighting.path.is_none() {
            self.too_late += 1;
            name_instead_of_path(stat.comm, &mut held.sighting);
        }
        process.lasting(&mut self.proc, self.depth, &mut held.sighting);
        held.looked_ns = Some(monotonic_ns());
    }

    pub fn held_back(&self) -> usize {
        self.held.len()
    }

    /// Hands over everything, in the order of the events' times.
    pub fn hand_over(&mut self, seam: &mut Seam) -> Result<(), SeamWriteError> {
        self.hand_over_with(seam, |_| {})
    }

    /// The same, with a last word on each sighting.
    pub fn hand_over_with(
        &mut self,
        seam: &mut Seam,
        mut complete: impl FnMut(&mut Sighting),
    ) -> Result<(), SeamWriteError> {
        // One CPU's events are in order; those of several are merged here.
        if !self.held.is_sorted_by_key(|h| h.time_ns) {
            self.held.sort_by_key(|h| h.time_ns);
        }
        self.latest.clear();
        for mut held in self.held.drain(..) {
            if self.remembers {
                let reported = Reported {
                    time_ns: held.time_ns,
                    image: held.image,
                };
                self.reported.insert(held.pid, reported);
            }
            complete(&mut held.sighting);
            seam.sighting(held.sighting)?;
        }
        Ok(())
    }

    /// Forgets processes that are gone, when there are too many.
    pub fn prune_if_large(&mut self, search: &mut Search) {
        if self.reported.len() > self.prune_at {
            // Where it cannot be listed it is pruned another time.
            if let Ok(alive) = search.list() {
                self.reported
                    .retain(|pid, _| alive.binary_search_by_key(pid, |&(p, _)| p).is_ok());
            }
            self.prune_at = (2 * self.reported.len()).max(1 << 14);
        }
    }

    /// Whether the exec that gave a process this image was not reported.
    pub fn unreported(&mut self, pid: u32, start_ticks: u64, image: Image) -> bool {
        self.reported.get(&pid).copied().is_none_or(|reported| {
            let other = self.clock.began_after(start_ticks, reported.time_ns);
            other || (reported.image != image && reported.image != Image::default())
        })
    }

    pub fn notes(&self) -> Vec<String> {
        vec![format!(
            "{} processes ended before their file could be read; {} numbers belonged to another \
             process by then; {} images were replaced by a later exec",
            self.too_late, self.reused, self.superseded
        )]
    }
}

/// Start times count ticks of `CLOCK_BOOTTIME`, events nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug)]
struct Clock {
    tick_ns: u64,
    /// Time spent in suspend.
    suspended_ns: u64,
}

impl Clock {
    fn now() -> Self {
        // SAFETY: a call without pointers.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Self {
            tick_ns: 1_000_000_000 / u64::try_from(ticks).unwrap_or(100).max(1),
            suspended_ns: suspended_ns(),
        }
    }

    /// Whether a process began after the event. Start times are rounded down, so one that is in the
    /// same tick counts as the same process; `PF_FORKNOEXEC` and the next events tell more.
    fn began_after(&mut self, start_ticks: u64, time_ns: u64) -> bool {
        let after = |suspended: u64| start_ticks.saturating_mul(self.tick_ns) > time_ns + suspended;
        if !after(self.suspended_ns) {
            return false;
        }
        // The machine may have been suspended since.
        let suspended = suspended_ns();
        let still = after(suspended);
        self.suspended_ns = suspended;
        still
    }
}

fn suspended_ns() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    let boot = i128::from(boot.tv_sec()) * 1_000_000_000 + i128::from(boot.tv_nsec());
    // The two clocks are read one after the other, so the difference is a little too large.
    u64::try_from(boot - i128::from(monotonic_ns())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use execlab_model::{Bytes, seam::Message};

    use super::*;
    use crate::seam::Form;

    fn resolver() -> Resolver {
        Resolver::open(Depth::Full).unwrap()
    }

    fn exec(pid: u32, time_ns: u64) -> Event {
        Event::Exec { pid, time_ns }
    }

    fn handed_over(resolver: &mut Resolver) -> Vec<Sighting> {
        use std::io::{Read, Seek};
        let mut file = tempfile::tempfile().unwrap();
        let mut seam = Seam::new(file.try_clone().unwrap(), Form::Binary);
        resolver.hand_over(&mut seam).unwrap();
        seam.flush().unwrap();
        file.rewind().unwrap();
        let mut raw = Vec::new();
        file.read_to_end(&mut raw).unwrap();
        let sightings = Message::decode_all(&raw)
            .unwrap()
            .0
            .into_iter()
            .map(|m| match m {
                Message::Sighting(s) => s,
                other => panic!("{other:?}"),
            });
        sightings.collect()
    }

    fn own_path() -> Bytes {
        let exe = std::env::current_exe().unwrap();
        exe.as_os_str().as_encoded_bytes().into()
    }

    #[test]
    fn an_event_of_this_process_is_filled_in() {
        let (me, now) = (std::process::id(), monotonic_ns());
        let mut resolver = resolver();
        resolver.remembers = true;
        resolver.take([exec(me, now), Event::Other].into_iter());
        let got = handed_over(&mut resolver);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].path, Some(own_path()));
        assert_eq!((got[0].pid, got[0].time_ns), (Some(me), Some(now)));
        assert!(got[0].ppid.is_some() && got[0].container.mnt_ns.is_some());
        assert!(resolver.reported[&me].image.start_stack != 0);
    }

    #[test]
    fn a_process_younger_than_the_event_is_another_one() {
        let mut resolver = resolver();
        resolver.take([exec(std::process::id(), 1)].into_iter());
        let got = handed_over(&mut resolver);
        assert_eq!((&got[0].path, &got[0].ppid), (&None, &None));
        assert_eq!(resolver.reused, 1);
    }

    #[test]
    fn a_process_that_only_forked_is_another_one() {
        // A shell that forks a subshell and tells its id.
        let mut shell = std::process::Command::new("/bin/sh")
            .args(["-c", "exec 3<&0; (read x <&3; :) & echo $!; wait"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = shell.stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).unwrap();
        let mut resolver = resolver();
        resolver.take([exec(line.trim().parse().unwrap(), monotonic_ns())].into_iter());
        let got = handed_over(&mut resolver);
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(got[0].path, None);
        assert_eq!(resolver.reused, 1);
    }

    #[test]
    fn of_two_events_of_one_process_only_the_last_is_looked_up() {
        let (me, now) = (std::process::id(), monotonic_ns());
        let mut one_batch = resolver();
        one_batch.take([exec(me, now), exec(me, now + 1)].into_iter());
        let got = handed_over(&mut one_batch);
        assert_eq!((&got[0].path, &got[1].path), (&None, &Some(own_path())));

        // The second came in the next batch, but happened before the lookup of the first ended.
        let mut two_batches = resolver();
        two_batches.take([exec(me, now)].into_iter());
        two_batches.take([exec(me, now + 1)].into_iter());
        let got = handed_over(&mut two_batches);
        assert_eq!((&got[0].path, &got[1].path), (&None, &Some(own_path())));

        // The second happened after the lookup of the first: both are right.
        let mut apart = resolver();
        apart.take([exec(me, now)].into_iter());
        apart.take([exec(me, monotonic_ns())].into_iter());
        let got = handed_over(&mut apart);
        assert_eq!(
            (&got[0].path, &got[1].path),
            (&Some(own_path()), &Some(own_path()))
        );
    }

    #[test]
    fn sightings_come_in_the_order_of_their_times() {
        let mut resolver = resolver();
        resolver.depth = Depth::Nothing;
        resolver.take([exec(2, 30), exec(3, 10), exec(4, 20)].into_iter());
        let times: Vec<_> = handed_over(&mut resolver)
            .iter()
            .map(|s| s.time_ns)
            .collect();
        assert_eq!(times, [Some(10), Some(20), Some(30)]);
    }
}
