//! What the rows share: the loop.

use execlab_model::sighting::{LossReport, LossUnit};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    record::Record,
    resolver::Resolver,
    rings::{Event, Rings},
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock::monotonic_ns,
    priority::Priority, procfs_lookup::Depth,
};

/// A reader that is not woken for each record looks all the same so often.
const LOOK_MS: u8 = 50;
/// So many ring fulls are taken at most before somebody looks whether to stop.
const ROUNDS: usize = 16;

/// What a row makes of records.
pub trait Reader {
    /// Takes the next record.
    fn take(&mut self, record: Record, out: &mut Resolver);

    /// No further record comes: whatever is still under way goes.
    fn finish(&mut self, out: &mut Resolver);
}

/// A row that is attached.
#[derive(Debug)]
pub struct Reading<R> {
    rings: Rings,
    reader: R,
    resolver: Resolver,
    /// What a record is of an exec.
    unit: LossUnit,
    evidence: Vec<String>,
    records: Vec<Record>,
    since_ns: u64,
    /// When the rings were last seen empty.
    empty_ns: u64,
    _scheduling: Option<Priority>,
}

impl<R: Reader + 'static> Reading<R> {
    /// Attaches.
    pub fn attach(
        events: &[Event],
        reader: R,
        unit: LossUnit,
        mut evidence: Vec<String>,
        settings: &Settings,
    ) -> Result<Box<dyn Monitor>, AttachError> {
        let resolver = Resolver::open(Depth::from_word(settings.word("lookup")))
            .map_err(AttachError::call("open /proc"))?;
        let rings = Rings::open(events, settings)?;
        let scheduling = match settings.word("scheduling") {
            "fifo" => Some(Priority::raise(1)?),
            _ => None,
        };
        evidence.push(rings.evidence());
        if scheduling.is_some() {
            evidence.push("scheduled SCHED_FIFO, priority 1".into());
        }
        let since_ns = monotonic_ns();
        Ok(Box::new(Self {
            rings,
            reader,
            resolver,
            unit,
            evidence,
            records: Vec::new(),
            since_ns,
            empty_ns: since_ns,
            _scheduling: scheduling,
        }))
    }

    /// Reads until the rings are empty, or so often that somebody should look whether to stop; whether they were seen
    /// empty. What is held meanwhile stays held: a later exec in a ring may say that a lookup came too late.
    fn round(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        for _ in 0..ROUNDS {
            if !self.rings.drain(&mut self.records) {
                self.resolver.hand_over(seam)?;
                return Ok(true);
            }
            for record in self.records.drain(..) {
                self.reader.take(record, &mut self.resolver);
            }
            self.resolver.look_up();
            if self.resolver.is_full() {
                self.resolver.hand_over(seam)?;
            }
        }
        Ok(false)
    }

    fn report(&mut self, seam: &mut Seam, empty: bool, last: bool) -> Result<(), MonitorError> {
        let lost = self
            .rings
            .lost(last)
            .map_err(MonitorError::call("read of a perf event"))?;
        let now = monotonic_ns();
        if lost > 0 {
            seam.loss(LossReport {
                source: "records that had no room in the ring".into(),
                unit: self.unit,
                count: Some(lost),
                window_ns: (self.empty_ns, now),
            })?;
        }
        if empty {
            self.empty_ns = now;
        }
        Ok(())
    }

    /// After the last round.
    fn close_the_books(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        self.reader.finish(&mut self.resolver);
        self.resolver.hand_over(seam)?;
        self.report(seam, true, true)?;
        let malformed = self.rings.malformed();
        if malformed > 0 {
            seam.loss(LossReport {
                source: "records that are none".into(),
                unit: LossUnit::Record,
                count: Some(malformed),
                window_ns: (self.since_ns, self.empty_ns),
            })?;
        }
        Ok(seam.flush()?)
    }
}

impl<R: Reader + 'static> Monitor for Reading<R> {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            let empty = self.round(seam)?;
            self.report(seam, empty, false)?;
            seam.flush()?;
            // Whoever polls hears of new records alone, not of those that are there still.
            let patience = match (empty, self.rings.wakes_for_each()) {
                (false, _) => PollTimeout::ZERO,
                (true, true) => PollTimeout::NONE,
                (true, false) => PollTimeout::from(LOOK_MS),
            };
            let mut fds = vec![PollFd::new(stop.fd(), PollFlags::POLLIN)];
            let rings = self.rings.fds();
            fds.extend(rings.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            match poll(&mut fds, patience) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            if fds[0].any().unwrap_or(false) {
                break;
            }
        }
        self.rings
            .stop()
            .map_err(MonitorError::call("ioctl PERF_EVENT_IOC_DISABLE"))?;
        while !self.round(seam)? {}
        self.close_the_books(seam)
    }

    fn notes(&self) -> Vec<String> {
        self.resolver.notes().into_iter().collect()
    }
}
