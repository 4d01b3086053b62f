//! What differs in a guest where time is real: to settle costs time, and the host may take some.

use std::{fs, path::Path};

use execlab_model::lab::REAL_TIME_OPTION;
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};

use super::settle::{self, Settled};
use crate::{Programs, TrialError, cgroups::Cgroups, costs::Meters};

/// What a tick of `/proc/stat` is: `USER_HZ` is 100 on x86, whatever the kernel's own.
const TICK_NS: u64 = 10_000_000;

/// How long a quiet while is.
const WHILE_NS: u64 = 250_000_000;
/// A while is quiet in which the CPUs together were busy for less than this: 2% of one CPU.
const QUIET_NS: u64 = WHILE_NS / 50;
/// After so many whiles, five seconds, the kernel is taken as it is, and that is told.
const MOST_WHILES: u32 = 20;

/// Has the kernel find its caches warm and waits for the end of what it defers after a boot, but not for
/// long. What is left is noise, which samples have anyway: every trial boots.
pub fn settle(programs: &Programs, cgroups: &Cgroups) -> Result<Settled, TrialError> {
    settle::calm()?;
    let mut meters = Meters::open(cgroups, &[])?;
    settle::storm(programs, cgroups, &mut meters)?;
    settle::empty_ground(programs)?;
    let mut busy_ns = u64::MAX;
    for _ in 0..MOST_WHILES {
        let before = meters.read()?;
        sleep_until_ns(monotonic_ns() + WHILE_NS);
        busy_ns = meters.read()?.since(before).busy_ns;
        if busy_ns < QUIET_NS {
            break;
        }
    }
    Ok(Settled {
        unrest: (busy_ns >= QUIET_NS).then(|| unrest(busy_ns)),
    })
}

fn unrest(busy_ns: u64) -> String {
    format!(
        "the kernel did not settle before the trial: its CPUs were busy for {} of the last {} ms",
        busy_ns / 1_000_000,
        WHILE_NS / 1_000_000
    )
}

/// Whether time is real, by the kernel's command line.
pub fn is_real(command_line: &str) -> bool {
    command_line
        .split_ascii_whitespace()
        .any(|word| word == REAL_TIME_OPTION)
}

/// What the host has taken from this guest's CPUs since it booted, in nanoseconds (`/proc/stat`, eighth
/// figure of the first line; proc(5)). `None` where the kernel does not say.
pub fn steal_ns(stat: &Path) -> Option<u64> {
    let text = fs::read_to_string(stat).ok()?;
    parse_steal_ns(&text)
}

pub(crate) fn parse_steal_ns(stat: &str) -> Option<u64> {
    let all_cpus = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: u64 = all_cpus.split_ascii_whitespace().nth(7)?.parse().ok()?;
    ticks.checked_mul(TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_word_says_that_time_is_real() {
        assert!(is_real("quiet execlab.lab=kvm audit=1\n"));
        assert!(!is_real("quiet execlab.lab=kvmish xexeclab.lab=kvm\n"));
        assert!(!is_real("quiet\n"));
    }

    #[test]
    fn unrest_is_told_with_its_numbers() {
        assert_eq!(
            unrest(31_500_000),
            "the kernel did not settle before the trial: its CPUs were busy for 31 of the last 250 ms"
        );
    }

    #[test]
    fn steal_is_read_from_its_column() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "cpu  1 2 3 4 5 6 7 12 9 10\ncpu0 1 2\n").unwrap();
        assert_eq!(steal_ns(file.path()), Some(120_000_000));
        fs::write(file.path(), "cpu  1 2 3\n").unwrap();
        assert_eq!(steal_ns(file.path()), None);
        let full = format!("cpu  1 2 3 4 5 6 7 {} 9 10\n", u64::MAX);
        assert_eq!(parse_steal_ns(&full), None);
    }
}
