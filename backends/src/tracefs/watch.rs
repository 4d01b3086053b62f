//! The loop of every row that reads pages: wait, drain, bring into order, hand on.

use std::{fmt::Debug, time::Duration};

use nix::sys::epoll::EpollTimeout;

use super::{dynamic::Probes, instance::Instance, rings::Rings};
use crate::{
    Monitor, MonitorError, Seam, Stop,
    clock::monotonic_ns,
    waiter::{Waiter, Wakes},
};

/// So often the buffers are drained at most before somebody looks whether to stop.
const ROUNDS: usize = 64;

/// What a row makes of the events of its instance.
pub trait Row: Debug {
    /// One event, as far as it needs it.
    type Event: Debug;

    /// Reads an event; `None` for what is not its own.
    fn decode(&mut self, raw: &[u8]) -> Option<Self::Event>;

    /// Takes events in the order of their times.
    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Self::Event)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError>;

    /// The buffers were seen empty after what was taken.
    fn empty(&mut self, _: &mut Seam) -> Result<(), MonitorError> {
        Ok(())
    }

    /// Events were lost before the next ones.
    fn lost(&mut self) {}

    /// See [`Monitor::notes`].
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An attached row. Dropping it closes the buffers, removes the instance, and then the probes.
#[derive(Debug)]
pub struct Watch<R: Row> {
    row: R,
    rings: Rings,
    instance: Instance,
    probes: Option<Probes>,
    linger_ms: u64,
    /// Decoded and not handed on yet.
    held: Vec<(u64, R::Event)>,
    wakeups: u64,
}

impl<R: Row> Watch<R> {
    /// Over an instance whose events are enabled, and the probes that some of them are.
    pub fn new(
        row: R,
        rings: Rings,
        instance: Instance,
        probes: Option<Probes>,
        linger_ms: u64,
    ) -> Self {
        Self {
            row,
            rings,
            instance,
            probes,
            linger_ms,
            held: Vec::new(),
            wakeups: 0,
        }
    }

    fn waiter(&self, stop: &Stop) -> Result<Waiter, MonitorError> {
        let waiter = Waiter::new(stop)?;
        for fd in self.rings.fds() {
            waiter.add(fd, "trace_pipe_raw", Wakes::WhileReadable)?;
        }
        Ok(waiter)
    }

    /// Takes everything that is there; whether that is all, and nothing is held. With several CPUs an event is held
    /// until a later round has begun after its time: until then another CPU's buffer, which was drained before, may
    /// hold an earlier one.
    fn drain(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        for _ in 0..ROUNDS {
            let began_ns = monotonic_ns();
            let Self {
                row, rings, held, ..
            } = self;
            let pages = rings.drain(|time, raw| {
                if let Some(event) = row.decode(raw) {
                    held.push((time, event));
                }
            })?;
            if rings.report(seam, false)? {
                row.lost();
            }
            if !held.is_sorted_by_key(|&(time, _)| time) {
                held.sort_by_key(|&(time, _)| time);
            }
            let ripe = if rings.len() == 1 {
                held.len()
            } else {
                held.partition_point(|&(time, _)| time < began_ns)
            };
            if ripe > 0 {
                row.take(held.drain(..ripe), monotonic_ns(), seam)?;
            }
            if pages == 0 && held.is_empty() {
                row.empty(seam)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// After the last drain.
    fn close_the_books(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        self.rings.report(seam, true)?;
        if let Some(probes) = &mut self.probes {
            probes.report(seam, self.rings.unit())?;
        }
        Ok(seam.flush()?)
    }
}

impl<R: Row> Monitor for Watch<R> {
    fn evidence(&self) -> Vec<String> {
        let mut evidence = self.instance.evidence().to_vec();
        evidence.push(format!(
            "{} buffers, pages of {} bytes",
            self.rings.len(),
            self.rings.layout().size()
        ));
        evidence.extend(self.probes.iter().flat_map(Probes::evidence));
        evidence
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let waiter = self.waiter(stop)?;
        loop {
            let empty = self.drain(seam)?;
            seam.flush()?;
            // What is held is ripe in the next round, even where nothing more comes.
            let patience = if empty {
                EpollTimeout::NONE
            } else {
                EpollTimeout::ZERO
            };
            let mut stopped = waiter.wait(patience)?;
            self.wakeups += u64::from(empty);
            // While it lingers nobody waits for the buffers, so the kernel wakes nobody for what comes.
            if !stopped && self.linger_ms > 0 {
                stopped = stop.wait(Duration::from_millis(self.linger_ms));
            }
            if stopped {
                break;
            }
        }
        self.instance.stop()?;
        while !self.drain(seam)? {}
        self.close_the_books(seam)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.rings.notes();
        notes.push(format!("woken {} times", self.wakeups));
        notes.extend(self.row.notes());
        notes
    }
}
