//! What a socket could not queue, from the kernel's own counter and from `ENOBUFS`.

use execlab_model::sighting::{LossReport, LossUnit};

use super::socket::Listener;
use crate::{AttachError, MonitorError, clock::monotonic_ns};

/// Follows the counter of one socket.
#[derive(Debug)]
pub struct Drops {
    /// When the queue was last seen empty.
    empty_ns: u64,
    /// The kernel's counter at the last look.
    counted: u32,
    /// Dropped and not reported yet.
    lost: u64,
    /// `ENOBUFS` was seen and not reported yet.
    overflowed: bool,
    lost_since_ns: u64,
    overflows: u64,
}

/// What was lost since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// By the kernel's counter.
    pub count: u64,
    /// Whether there was `ENOBUFS`.
    pub overflowed: bool,
    /// From the last empty queue before it to the first one after it.
    pub window_ns: (u64, u64),
}

impl Drops {
    /// From now on.
    pub fn of(listener: &Listener) -> Result<Self, AttachError> {
        Ok(Self {
            empty_ns: monotonic_ns(),
            counted: listener.drops()?,
            lost: 0,
            overflowed: false,
            lost_since_ns: 0,
            overflows: 0,
        })
    }

    /// The socket answered `ENOBUFS`.
    pub fn overflow(&mut self) {
        self.overflows += 1;
        self.overflowed = true;
    }

    /// The queue was just seen empty.
    pub fn at_empty(&mut self, listener: &Listener) -> Result<(), MonitorError> {
        let now = monotonic_ns();
        let counted = listener.drops().map_err(call_of)?;
        self.count(counted, now);
        Ok(())
    }

    fn count(&mut self, counted: u32, now: u64) {
        let new = u64::from(counted.wrapping_sub(self.counted));
        self.counted = counted;
        if new > 0 || self.overflowed {
            if self.lost == 0 {
                self.lost_since_ns = self.empty_ns;
            }
            self.lost += new;
        }
        self.empty_ns = now;
    }

    /// Whether there is anything to report.
    pub fn any(&self) -> bool {
        self.lost > 0 || self.overflowed
    }

    /// What there is to report.
    pub fn take(&mut self) -> Lost {
        Lost {
            count: std::mem::take(&mut self.lost),
            overflowed: std::mem::take(&mut self.overflowed),
            window_ns: (self.lost_since_ns, self.empty_ns),
        }
    }

    /// For the notes of a monitor.
    pub fn note(&self) -> String {
        format!("the queue overflowed {} times (ENOBUFS)", self.overflows)
    }
}

impl Lost {
    /// The report, `found` of it having been found otherwise; `None` where nothing stays lost.
    pub fn report(self, source: &str, unit: LossUnit, found: u64) -> Option<LossReport> {
        let remaining = self.count.saturating_sub(found);
        let (unit, count) = if remaining > 0 {
            (unit, Some(remaining))
        } else if self.overflowed && self.count == 0 {
            (LossUnit::Unknown, None)
        } else {
            return None;
        };
        Some(LossReport {
            source: source.to_owned(),
            unit,
            count,
            window_ns: self.window_ns,
        })
    }
}

/// The socket speaks in attach errors; at run time they are the monitor's.
pub fn call_of(error: AttachError) -> MonitorError {
    match error {
        AttachError::Call { call, source } => MonitorError::Call { call, source },
        other => MonitorError::call("the connector")(std::io::Error::other(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops() -> Drops {
        Drops {
            empty_ns: 10,
            counted: u32::MAX,
            lost: 0,
            overflowed: false,
            lost_since_ns: 0,
            overflows: 0,
        }
    }

    #[test]
    fn what_the_counter_gained_is_lost_between_two_empty_queues() {
        let mut drops = drops();
        drops.count(u32::MAX, 20);
        assert!(!drops.any());
        // The counter goes round.
        drops.count(2, 30);
        drops.count(4, 40);
        let lost = drops.take();
        assert_eq!((lost.count, lost.window_ns), (5, (20, 40)));
        assert!(!drops.any());
        let report = lost.report("drops", LossUnit::Exec, 2).unwrap();
        assert_eq!((report.unit, report.count), (LossUnit::Exec, Some(3)));
        assert_eq!(lost.report("drops", LossUnit::Exec, 5), None);
    }

    #[test]
    fn an_overflow_without_a_count_is_a_loss_of_unknown_size() {
        let mut drops = drops();
        drops.overflow();
        drops.count(u32::MAX, 20);
        let report = drops.take().report("drops", LossUnit::Exec, 0).unwrap();
        assert_eq!((report.unit, report.count), (LossUnit::Unknown, None));
        assert_eq!(report.window_ns, (10, 20));
    }
}
