//! When to look: at an even beat, however long a look takes.

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike},
};

use crate::{MonitorError, Stop, clock::monotonic_ns};

/// A clock that beats, and what it measured of the looks.
#[derive(Debug)]
pub struct Beat {
    interval_ns: u64,
    due_ns: u64,
    begun_ns: u64,
    scans: u64,
    overruns: u64,
    longest_ns: u64,
    scanning_ns: u64,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// It is time for the next look.
    Due,
    /// The descriptor that was waited for beside the time is readable.
    Readable,
    /// The monitor is to stop.
    Stopped,
}

impl Beat {
    /// Of an interval in microseconds.
    pub fn new(interval_us: u64) -> Self {
        Self {
            interval_ns: interval_us * 1000,
            due_ns: monotonic_ns(),
            begun_ns: 0,
            scans: 0,
            overruns: 0,
            longest_ns: 0,
            scanning_ns: 0,
        }
    }

    /// A look begins. Its time.
    pub fn begin(&mut self) -> u64 {
        self.begun_ns = monotonic_ns();
        self.begun_ns
    }

    /// A look is over.
    pub fn end(&mut self) {
        let ended = monotonic_ns();
        let took = ended - self.begun_ns;
        self.scans += 1;
        self.scanning_ns += took;
        self.longest_ns = self.longest_ns.max(took);
        self.overruns += u64::from(took > self.interval_ns);
        // Beats that a long scan covered are skipped, not made up for.
        self.due_ns = next_beat(self.due_ns, self.interval_ns, ended);
    }

    /// Sleeps until the next beat, the stop, or until `also` is readable. In nanoseconds, where
    /// [`Stop::wait`] counts milliseconds.
    pub fn wait(
        &self,
        stop: &Stop,
        also: Option<std::os::fd::BorrowedFd<'_>>,
    ) -> Result<Woken, MonitorError> {
        let mut fds = vec![PollFd::new(stop.fd(), PollFlags::POLLIN)];
        fds.extend(also.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        loop {
            let rest = self.due_ns.saturating_sub(monotonic_ns());
            let rest = i64::try_from(rest).unwrap_or(i64::MAX);
            match ppoll(&mut fds, Some(TimeSpec::nanoseconds(rest)), None) {
                Ok(0) => return Ok(Woken::Due),
                Ok(_) if fds[0].any().unwrap_or(false) => return Ok(Woken::Stopped),
                Ok(_) => return Ok(Woken::Readable),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("ppoll")(error)),
            }
        }
    }

    /// For the end of a run.
    pub fn note(&self) -> String {
        format!(
            "{} scans of {} us on average, the longest took {} us, {} took longer than the interval",
            self.scans,
            self.scanning_ns / 1000 / self.scans.max(1),
            self.longest_ns / 1000,
            self.overruns
        )
    }
}

/// The first beat after `now` of a clock that beat at `last`.
fn next_beat(last: u64, interval: u64, now: u64) -> u64 {
    let passed = now.saturating_sub(last) / interval;
    last + (passed + 1) * interval
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
