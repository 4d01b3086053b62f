//! The clock of truth.

use nix::{
    errno::Errno,
    sys::time::TimeSpec,
    time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep},
};

/// `CLOCK_MONOTONIC`, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock since 2.6");
    let seconds = u64::try_from(time.tv_sec()).expect("it starts at zero");
    let nanos = u64::try_from(time.tv_nsec()).expect("below one second");
    seconds * 1_000_000_000 + nanos
}

/// Sleeps until `CLOCK_MONOTONIC` shows at least `ns`.
pub fn sleep_until_ns(ns: u64) {
    let seconds = i64::try_from(ns / 1_000_000_000).expect("within the lifetime of a machine");
    let nanos = i64::try_from(ns % 1_000_000_000).expect("below one second");
    let deadline = TimeSpec::new(seconds, nanos);
    let flags = ClockNanosleepFlags::TIMER_ABSTIME;
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &deadline) == Err(Errno::EINTR) {}
}
