//! After a loss: the search in `/proc` for processes whose exec was not reported.

use std::{io, time::Duration};

use execlab_model::sighting::Sighting;

use super::resolve::{Reported, Resolver};
use crate::{
    Seam,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Listing, Scan, parse::Image},
    seam::SeamWriteError,
};

/// A search takes at most one part in this many of the time, so that a storm that overflows again
/// and again is not searched through all the time.
const SHARE: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct Search {
    listing: Listing,
    begun_ns: u64,
    took: Duration,
    searches: u64,
    recovered: u64,
}

/// A process whose exec was not reported.
#[derive(Debug)]
pub struct Found {
    pid: u32,
    image: Image,
    sighting: Sighting,
}

impl Search {
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            listing: Listing::open()?,
            begun_ns: 0,
            took: Duration::ZERO,
            searches: 0,
            recovered: 0,
        })
    }

    /// Takes in the processes that were there before the monitor.
    pub fn begin(mut self, resolver: &mut Resolver) -> io::Result<Self> {
        let time_ns = monotonic_ns();
        resolver.remembers = true;
        self.each_program(resolver, |resolver, pid, _, image| {
            resolver.reported.insert(pid, Reported { time_ns, image });
        })?;
        Ok(self)
    }

    /// How long the next search has to wait.
    pub fn due_in(&self, now: u64) -> Duration {
        let since = Duration::from_nanos(now.saturating_sub(self.begun_ns));
        (self.took * SHARE).saturating_sub(since)
    }

    /// The processes there are, in ascending order.
    pub fn list(&mut self) -> io::Result<&[(u32, u64)]> {
        self.listing.scan(Scan::Full)?;
        Ok(&self.listing.found)
    }

    /// Running processes whose exec was not reported. They may be in the queue all the same, so
    /// drain it before [`Self::hand_over`].
    pub fn search(&mut self, resolver: &mut Resolver) -> io::Result<Vec<Found>> {
        self.begun_ns = monotonic_ns();
        self.searches += 1;
        let mut found = Vec::new();
        self.each_program(resolver, |resolver, pid, start_ticks, image| {
            if !resolver.unreported(pid, start_ticks, image) {
                return;
            }
            let Some(process) = resolver.proc.process(pid) else {
                return;
            };
            let mut sighting = Sighting {
                pid: Some(pid),
                ..Sighting::default()
            };
            let depth = resolver.depth;
            if depth != Depth::Nothing {
                process.perishable(&mut resolver.proc, depth, &mut sighting);
                process.lasting(&mut resolver.proc, depth, &mut sighting);
            }
            // Still the image that was not reported, so what was read is of it.
            match process.stat(&mut resolver.proc) {
                Some(stat) if stat.image == image => sighting.ppid = Some(stat.ppid),
                _ => return,
            }
            sighting.received_ns = monotonic_ns();
            found.push(Found {
                pid,
                image,
                sighting,
            });
        })?;
        self.took = Duration::from_nanos(monotonic_ns() - self.begun_ns);
        Ok(found)
    }

    /// Reports those that were not reported in the meantime; how many.
    pub fn hand_over(
        &mut self,
        found: Vec<Found>,
        resolver: &mut Resolver,
        seam: &mut Seam,
    ) -> Result<u64, SeamWriteError> {
        let mut count = 0;
        for Found {
            pid,
            image,
            sighting,
        } in found
        {
            let time_ns = sighting.received_ns;
            if let Some(reported) = resolver.reported.get(&pid)
                && (self.begun_ns <= reported.time_ns || reported.image == image)
            {
                // An event came out of the queue since: of this image, or of a later one after
                // which nobody can tell them apart.
                continue;
            }
            resolver.reported.insert(pid, Reported { time_ns, image });
            seam.sighting(sighting)?;
            count += 1;
        }
        self.recovered += count;
        Ok(count)
    }

    /// Calls `visit` with id, start time and image of each process that called exec and runs.
    fn each_program(
        &mut self,
        resolver: &mut Resolver,
        mut visit: impl FnMut(&mut Resolver, u32, u64, Image),
    ) -> io::Result<()> {
        self.listing.scan(Scan::Full)?;
        for &(pid, _) in &self.listing.found {
            let Some(process) = resolver.proc.process(pid) else {
                continue;
            };
            let Some(stat) = process.stat(&mut resolver.proc) else {
                continue;
            };
            let running = !stat.ended() && !stat.unfinished();
            if running && !stat.forked_only() && !stat.kernel_thread() {
                let (start_ticks, image) = (stat.start_ticks, stat.image);
                visit(resolver, pid, start_ticks, image);
            }
        }
        Ok(())
    }

    pub fn notes(&self) -> Vec<String> {
        if self.searches == 0 {
            return Vec::new();
        }
        vec![format!(
            "{} searches of /proc after losses found {} running processes; the last took {} us",
            self.searches,
            self.recovered,
            self.took.as_micros()
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs_lookup::Depth;

    #[test]
    fn a_process_whose_event_was_lost_is_found_and_one_that_was_there_is_not() {
        let mut resolver = Resolver::open(Depth::Full).unwrap();
        let mut search = Search::open().unwrap().begin(&mut resolver).unwrap();
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let mut found = Vec::new();
        for _ in 0..500 {
            found = search.search(&mut resolver).unwrap();
            if found.iter().any(|f| f.pid == child.id()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.iter().all(|f| f.pid != std::process::id()));
        let found: Vec<_> = found.iter().filter(|f| f.pid == child.id()).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].sighting.ppid, Some(std::process::id()));
        assert_eq!(
            found[0].sighting.path.as_ref().unwrap().basename(),
            b"sleep"
        );
    }
}
