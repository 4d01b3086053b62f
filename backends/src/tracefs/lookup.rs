//! What `/proc` still knows of a process whose exec was reported, and what of it may be believed.

use std::{collections::BTreeMap, io};

use execlab_model::sighting::Sighting;

use crate::{
    MonitorError, Seam,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
};

/// A sighting that waits until it is known whether its process called exec again meanwhile.
#[derive(Debug)]
struct Held {
    sighting: Sighting,
    /// As the event alone has it.
    bare: Sighting,
    looked_ns: u64,
}

/// Looks processes up.
#[derive(Debug)]
pub struct Lookup {
    proc: Procfs,
    tick_ns: u64,
    held: Vec<Held>,
    too_late: u64,
    reused: u64,
    superseded: u64,
}

impl Lookup {
    /// Opens `/proc`.
    pub fn open() -> io::Result<Self> {
        // SAFETY: a call without pointers.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok(Self {
            proc: Procfs::open()?,
            tick_ns: 1_000_000_000 / u64::try_from(ticks).unwrap_or(100).max(1),
            held: Vec::new(),
            too_late: 0,
            reused: 0,
            superseded: 0,
        })
    }

    /// Looks up a batch in the order of its times; what perishes with a process first, for all of them.
    pub fn take(&mut self, batch: Vec<Sighting>) {
        let (mut first_ns, mut last) = (BTreeMap::new(), BTreeMap::new());
        for (index, sighting) in batch.iter().enumerate() {
            first_ns.entry(sighting.pid).or_insert(sighting.time_ns);
            last.insert(sighting.pid, index);
        }
        // What was read for an exec before its process called the next is the next one's.
        for held in &mut self.held {
            let again = first_ns.get(&held.bare.pid).copied().flatten();
            if again.is_some_and(|time_ns| time_ns <= held.looked_ns) {
                held.sighting = held.bare.clone();
                self.superseded += 1;
            }
        }
        let mut processes = Vec::with_capacity(batch.len());
        let first = self.held.len();
        for (index, bare) in batch.into_iter().enumerate() {
            let mut sighting = bare.clone();
            let is_last = last.get(&bare.pid) == Some(&index);
            let process = bare
                .pid
                .filter(|_| is_last)
                .and_then(|pid| self.proc.process(pid));
            self.superseded += u64::from(!is_last);
            self.too_late += u64::from(is_last && process.is_none());
            if let Some(process) = &process {
                sighting.path = None;
                process.perishable(&mut self.proc, Depth::Full, &mut sighting);
                if sighting.path.is_none() {
                    sighting.path.clone_from(&bare.path);
                }
            }
            processes.push(process);
            self.held.push(Held {
                sighting,
                bare,
                looked_ns: 0,
            });
        }
        for (held, process) in self.held[first..].iter_mut().zip(processes) {
            held.looked_ns = monotonic_ns();
            let Some(process) = process else { continue };
            let Some(stat) = process.stat(&mut self.proc) else {
                // It went away in between; what was read before was its own.
                self.too_late += u64::from(held.sighting.argv.is_none());
                continue;
            };
            let time_ns = held.bare.time_ns.unwrap_or(u64::MAX);
            if stat.forked_only()
                || self.tick_ns.saturating_mul(stat.start_ticks) > time_ns + suspended_ns()
            {
                self.reused += 1;
                held.sighting = held.bare.clone();
                continue;
            }
            held.sighting.ppid = Some(stat.ppid);
            process.lasting(&mut self.proc, Depth::Full, &mut held.sighting);
            held.looked_ns = monotonic_ns();
        }
    }

    /// Hands over everything. To be called when no event can come any more that is older than the last lookup.
    pub fn hand_over(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        for held in self.held.drain(..) {
            seam.sighting(held.sighting)?;
        }
        Ok(())
    }

    /// For people.
    pub fn notes(&self) -> Vec<String> {
        vec![format!(
            "{} processes ended before they were looked up; {} numbers belonged to another process by then; {} \
             images were replaced by a later exec",
            self.too_late, self.reused, self.superseded
        )]
    }
}

/// Start times count from `CLOCK_BOOTTIME`, which goes on while the machine is suspended.
fn suspended_ns() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    let boot = i128::from(boot.tv_sec()) * 1_000_000_000 + i128::from(boot.tv_nsec());
    // The two clocks are read one after the other, so the difference is a little too large.
    u64::try_from(boot - i128::from(monotonic_ns())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use execlab_model::Bytes;

    use super::*;

    fn event(pid: u32, time_ns: u64) -> Sighting {
        Sighting {
            pid: Some(pid),
            time_ns: Some(time_ns),
            path: Some("given".into()),
            ..Sighting::default()
        }
    }

    fn paths(lookup: &Lookup) -> Vec<bool> {
        let given = Some(Bytes::from("given"));
        lookup
            .held
            .iter()
            .map(|h| h.sighting.path != given)
            .collect()
    }

    #[test]
    fn of_two_execs_of_one_process_only_the_last_is_looked_up() {
        let (me, now) = (std::process::id(), monotonic_ns());
        let mut one_batch = Lookup::open().unwrap();
        one_batch.take(vec![event(me, now), event(me, now + 1)]);
        assert_eq!(paths(&one_batch), [false, true]);
        assert!(one_batch.held[1].sighting.uid.is_some());

        let mut two = Lookup::open().unwrap();
        two.take(vec![event(me, now)]);
        two.take(vec![event(me, now + 1)]);
        assert_eq!(paths(&two), [false, true]);

        let mut apart = Lookup::open().unwrap();
        apart.take(vec![event(me, now)]);
        apart.take(vec![event(me, monotonic_ns())]);
        assert_eq!(paths(&apart), [true, true]);
    }

    #[test]
    fn who_began_after_the_event_is_another_process() {
        let mut lookup = Lookup::open().unwrap();
        lookup.take(vec![event(std::process::id(), 1)]);
        assert_eq!(paths(&lookup), [false]);
        assert_eq!(lookup.reused, 1);
    }
}
