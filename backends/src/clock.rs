//! The clocks of the machine, as nanoseconds.

use nix::time::{ClockId, clock_gettime};

fn now(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("Linux has this clock since 2.6");
    let seconds = u64::try_from(time.tv_sec()).expect("these clocks start at zero");
    let nanos = u64::try_from(time.tv_nsec()).expect("below one second");
    seconds * 1_000_000_000 + nanos
}

/// `CLOCK_MONOTONIC`, the clock of truth and of every sighting.
pub fn monotonic_ns() -> u64 {
    now(ClockId::CLOCK_MONOTONIC)
}

/// What has to be added to a `CLOCK_REALTIME` time to get `CLOCK_MONOTONIC`, in nanoseconds.
pub fn realtime_to_monotonic_ns() -> i128 {
    // The two reads around bound the error; the middle of them is the best guess.
    let before = monotonic_ns();
    let real = now(ClockId::CLOCK_REALTIME);
    let after = monotonic_ns();
    i128::midpoint(before.into(), after.into()) - i128::from(real)
}
