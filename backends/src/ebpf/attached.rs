//! Programs that are attached: takes their records, keeps the books, and lets them go.

use std::time::Duration;

use aya::{
    Ebpf,
    maps::{Array, MapData, RingBuf, perf::PerfEvent, perf::PerfEventArrayBuffer},
};
use execlab_model::sighting::LossUnit;
use nix::sys::epoll::EpollTimeout;

use super::{
    counts::Counts,
    hook::{Hook, Link},
    lookup::Lookup,
    losses::Losses,
    record::Record,
    statistics,
};
use crate::{
    Monitor, MonitorError, Seam, Stop, clock,
    priority::Priority,
    waiter::{Waiter, Wakes},
};

/// Where the records come from.
pub(super) enum Source {
    Ring(RingBuf<MapData>),
    Perf(Vec<PerfEventArrayBuffer<MapData>>),
}

/// An element of the map `cpus`: `struct cpu` in `bpf/record.h`, its count of losses first.
pub(super) type Cpu = [u64; 8];

/// The attached programs. Dropping it closes the last descriptors of the programs, their links and their
/// maps, and with them the kernel lets everything go.
pub(super) struct Attached {
    pub ebpf: Ebpf,
    pub hooks: &'static [Hook],
    /// Empty once it is detached.
    pub links: Vec<Link>,
    pub cpus: Array<MapData, Cpu>,
    /// Elements of `cpus` for each CPU; the first of them has the count.
    pub slots: u32,
    pub source: Source,
    pub linger_ms: u16,
    pub batch_ms: u16,
    /// What else is looked up of each exec.
    pub lookup: Option<Lookup>,
    /// Held for as long as it reads, where its lookups are to be in time.
    pub priority: Option<Priority>,
    /// What the programs count beside their losses.
    pub counts: Option<Counts>,
    pub evidence: Vec<String>,
    pub since_ns: u64,
    pub losses: Losses,
    /// What the links of each hook said of calls that they missed, once they were asked.
    pub misses: Vec<Option<u64>>,
    pub malformed: u64,
    pub perf_lost: u64,
    pub drains: u64,
    pub notes: Vec<String>,
}

impl Monitor for Attached {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let waiter = self.waiter(stop)?;
        loop {
            // Before the first wait as well: asking a perf buffer whether it can be read takes its
            // signal away, so records from before the epoll would wait for the next one.
            self.drain(seam, stop)?;
            seam.flush()?;
            let patience = match self.batch_ms {
                0 => EpollTimeout::NONE,
                millis => millis.into(),
            };
            let mut stopped = waiter.wait(patience)?;
            // While the reader lingers it has taken nothing, so the kernel's half wakes it no more:
            // one wake-up for all that comes. Only a buffer that is half full wakes it early.
            // A perf buffer signals each record, so there only the stop is waited for.
            if !stopped && self.linger_ms > 0 && self.batch_ms == 0 {
                stopped = match self.source {
                    Source::Ring(_) => waiter.wait(self.linger_ms)?,
                    Source::Perf(_) => stop.wait(Duration::from_millis(self.linger_ms.into())),
                };
            }
            if stopped {
                break;
            }
        }
        self.detach();
        self.drain(seam, stop)?;
        self.close_the_books(seam)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Attached {
    /// Woken by news of the buffers, so that lingering is not cut short by what is there already.
    fn waiter(&self, stop: &Stop) -> Result<Waiter, MonitorError> {
        let waiter = Waiter::new(stop)?;
        match &self.source {
            Source::Ring(ring) => waiter.add(ring, "ring buffer", Wakes::ForNews)?,
            Source::Perf(buffers) => {
                for buffer in buffers {
                    waiter.add(buffer, "perf buffer", Wakes::ForNews)?;
                }
            }
        }
        Ok(waiter)
    }

    /// Takes everything that is there.
    fn drain(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        self.drains += 1;
        let attached = !self.links.is_empty();
        let mut books = Books {
            seam,
            losses: &mut self.losses,
            malformed: &mut self.malformed,
            lookup: self.lookup.as_mut(),
        };
        match &mut self.source {
            Source::Ring(ring) => {
                let mut taken = 0u32;
                while let Some(item) = ring.next() {
                    books.enter(&item)?;
                    taken = taken.wrapping_add(1);
                    // Other CPUs can fill the ring as fast as this one empties it.
                    if attached && taken.is_multiple_of(4096) && stop.raised() {
                        return Ok(());
                    }
                }
            }
            Source::Perf(buffers) => {
                let mut joined = Vec::new();
                let mut result = Ok(());
                for buffer in buffers {
                    buffer.for_each(|event| match event {
                        PerfEvent::Sample { head, tail } if result.is_ok() => {
                            let bytes = if tail.is_empty() {
                                head
                            } else {
                                joined.clear();
                                joined.extend_from_slice(head);
                                joined.extend_from_slice(tail);
                                &joined
                            };
                            result = books.enter(bytes);
                        }
                        PerfEvent::Sample { .. } => {}
                        // The program's own count has these already, and sooner.
                        PerfEvent::Lost { count } => self.perf_lost += count,
                    });
                }
                result?;
            }
        }
        Ok(())
    }

    fn detach(&mut self) {
        // Asked of the links, so before they go.
        for hook in self.hooks {
            self.misses
                .push(statistics::probe_misses(hook.of(&mut self.ebpf)));
        }
        self.links.clear();
    }

    /// What no later record tells any more, once nothing is added.
    fn close_the_books(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = clock::monotonic_ns();
        for cpu in 0..self.cpus.len() / self.slots {
            let count = self.cpus.get(&(cpu * self.slots), 0).map_err(|error| {
                MonitorError::call("bpf(MAP_LOOKUP_ELEM, cpus)")(std::io::Error::other(error))
            })?;
            if let Some(report) = self.losses.update(cpu as usize, count[0], now) {
                seam.loss(report)?;
            }
        }
        let window_ns = (self.since_ns, now);
        if let Some(counts) = &self.counts {
            counts.tell(seam, window_ns, &mut self.notes)?;
        }
        seam.lost(
            "records that are none",
            LossUnit::Exec,
            self.malformed,
            window_ns,
        )?;
        for (hook, probe_misses) in self.hooks.iter().zip(&self.misses) {
            let mut misses = vec![(format!("missed of {}", hook.at), probe_misses.unwrap_or(0))];
            match statistics::statistics(hook.of(&mut self.ebpf)) {
                Ok(statistics) => {
                    let source = "recursion_misses of the program".to_owned();
                    misses.push((source, statistics.misses));
                    self.notes.extend(statistics.cost());
                }
                Err(error) => self.notes.push(format!("no statistics: {error}")),
            }
            for (source, count) in misses {
                match hook.loses {
                    Some(unit) => seam.lost(&source, unit, count, window_ns)?,
                    None if count > 0 => self.notes.push(format!("{count} {source}")),
                    None => {}
                }
            }
        }
        if self.perf_lost > 0 {
            self.notes.push(format!(
                "PERF_RECORD_LOST counted {} records, the program {}",
                self.perf_lost,
                self.losses.total()
            ));
        }
        self.notes.push(format!("{} drains", self.drains));
        Ok(())
    }
}

/// Where a record goes.
struct Books<'a> {
    seam: &'a mut Seam,
    losses: &'a mut Losses,
    malformed: &'a mut u64,
    lookup: Option<&'a mut Lookup>,
}

impl Books<'_> {
    fn enter(&mut self, bytes: &[u8]) -> Result<(), MonitorError> {
        let received_ns = clock::monotonic_ns();
        let Ok(record) = Record::decode(bytes) else {
            *self.malformed += 1;
            return Ok(());
        };
        if let Some(report) = self
            .losses
            .update(record.cpu as usize, record.lost, record.time_ns)
        {
            self.seam.loss(report)?;
        }
        let mut sighting = record.sighting(received_ns);
        if let Some(lookup) = &mut self.lookup {
            lookup.fill(&mut sighting);
        }
        self.seam.sighting(sighting)?;
        Ok(())
    }
}
