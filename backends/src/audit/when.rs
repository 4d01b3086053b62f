//! From the time in a record to `CLOCK_MONOTONIC`.
//!
//! A record has the time at which its process entered the call, in whole milliseconds, from the
//! real-time clock that moves once a tick (`ktime_get_coarse_real_ts64`): 4 ms on Debian. The clock
//! moves in whole ticks counted from where it once started, and the interrupt that moves it comes anywhere
//! in between, so it is behind by up to two ticks (1.3 to 5.4 ms were measured at 4 ms a tick).
//! So the call began at the stamp or up to two ticks and a millisecond later, and in any case before
//! its records were received. What this does not cover: a virtual processor that its host did
//! not run when the tick was due (17 ms were seen once in many seconds on a loaded one).

use std::time::Duration;

use nix::time::{ClockId, clock_getres};

use super::record::Stamp;
use crate::clock;

/// What the two readings of [`clock::realtime_to_monotonic_ns`] may be apart.
const OFFSET_ERROR_NS: u64 = 1_000;
const MILLISECOND_NS: u64 = 1_000_000;

/// Turns stamps into times.
#[derive(Debug, Clone, Copy)]
pub struct When {
    tick_ns: u64,
    offset_ns: i128,
}

impl When {
    /// With the tick of this kernel.
    pub fn now() -> Self {
        let tick_ns = clock_getres(ClockId::CLOCK_REALTIME_COARSE)
            .map(|tick| Duration::from(tick).as_nanos())
            .ok()
            .and_then(|ns| u64::try_from(ns).ok())
            // No kernel ticks more slowly.
            .unwrap_or(10 * MILLISECOND_NS);
        Self {
            tick_ns,
            offset_ns: clock::realtime_to_monotonic_ns(),
        }
    }

    /// How long a tick is.
    pub fn tick_ns(self) -> u64 {
        self.tick_ns
    }

    /// Reads the clocks again: the real-time one may be set at any time.
    pub fn refresh(&mut self) {
        self.offset_ns = clock::realtime_to_monotonic_ns();
    }

    /// The middle of the time in which the call began, and how far it may be off.
    pub fn at(self, stamp: Stamp, received_ns: u64) -> (u64, u64) {
        let real = i128::from(stamp.millis) * i128::from(MILLISECOND_NS);
        let earliest = u64::try_from((real + self.offset_ns).max(0)).unwrap_or(u64::MAX);
        let latest = earliest
            .saturating_add(2 * self.tick_ns + MILLISECOND_NS)
            .min(received_ns.max(earliest));
        let half = (latest - earliest).div_ceil(2);
        (earliest + half, half + OFFSET_ERROR_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        millis: 1_000,
        serial: 1,
    };

    #[test]
    fn two_ticks_and_the_cut_millisecond_are_covered() {
        let when = When {
            tick_ns: 4_000_000,
            offset_ns: -900_000_000,
        };
        let (time, tolerance) = when.at(STAMP, u64::MAX);
        assert!(time - tolerance <= 100_000_000);
        assert!(time + tolerance >= 109_000_000);
        assert!(tolerance <= 4_501_000);
    }

    #[test]
    fn nothing_happens_after_it_was_received() {
        let when = When {
            tick_ns: 4_000_000,
            offset_ns: -900_000_000,
        };
        let (time, tolerance) = when.at(STAMP, 101_000_000);
        assert!(time <= 101_000_000 && time - tolerance <= 100_000_000);
        // A clock that was set between: no tolerance can cover that, but nothing breaks.
        assert_eq!(when.at(STAMP, 5).0, 100_000_000);
    }

    #[test]
    fn now_is_now() {
        let real = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let stamp = Stamp {
            millis: u64::try_from(real.as_millis()).unwrap(),
            serial: 0,
        };
        let (time, tolerance) = When::now().at(stamp, u64::MAX);
        let now = clock::monotonic_ns();
        assert!(time - tolerance <= now && now < time + 1_000_000_000);
    }
}
