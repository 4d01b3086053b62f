//! What the kernel itself counts while a storm runs: forks in every trial, execs where a trial asks for it.
//!
//! Nothing of it is read within a window of cost.

use std::{fs, io, path::Path};

use execlab_model::record::Witness;
use nix::time::{ClockId, clock_gettime};
use perf_event::{Builder, Counter, events::Tracepoint};

use crate::{TrialError, kernel_threads};

/// `USER_HZ` is 100 on every machine that execlab knows.
const TICK_NS: u64 = 10_000_000;
const PROC: &str = "/proc";
const STAT: &str = "/proc/stat";
const ONLINE: &str = "/sys/devices/system/cpu/online";
/// Fires once for each exec that succeeded (`fs/exec.c`, `exec_binprm`).
const EXECS: (&str, &str) = ("sched", "sched_process_exec");
/// Where tracefs is mounted; before 4.1 and by habit below debugfs.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Counters of the kernel as they stood before the storm.
#[derive(Debug)]
pub struct Witnesses {
    forks: u64,
    ticks: u64,
    /// One for each CPU; none where nobody asked.
    execs: Option<Vec<Counter>>,
}

impl Witnesses {
    /// Looks at them; `with_execs` makes the kernel count execs from now on, which costs each of them
    /// something.
    pub fn call(with_execs: bool) -> Result<Self, TrialError> {
        let execs = with_execs.then(count_execs).transpose()?;
        Ok(Self {
            ticks: ticks()?,
            forks: forks()?,
            execs,
        })
    }

    /// What happened since.
    pub fn hear(self) -> Result<Witness, TrialError> {
        let forks = forks()? - self.forks;
        let execs = self.execs.map(|counters| {
            let counts = counters.into_iter().map(|mut counter| counter.read());
            counts.sum::<io::Result<u64>>()
        });
        let execs = execs.transpose();
        let ticks = self.ticks..=ticks()?;
        Ok(Witness {
            forks,
            kernel_threads: kernel_threads::made_in(Path::new(PROC), ticks)?,
            execs: execs.map_err(TrialError::at("read the kernel's counters of execs"))?,
        })
    }
}

/// Starts a counter on each CPU.
fn count_execs() -> Result<Vec<Counter>, TrialError> {
    let at = || {
        TrialError::at("have the kernel count execs by a perf event on sched:sched_process_exec")
    };
    let online = fs::read_to_string(ONLINE).map_err(at())?;
    let mut counters = Vec::new();
    for cpu in cpus(&online).map_err(at())? {
        let mut counter = Builder::new(tracepoint().map_err(at())?)
            .any_pid()
            .one_cpu(cpu)
            // The tracepoint lies in the kernel.
            .exclude_kernel(false)
            .build()
            .map_err(at())?;
        counter.enable().map_err(at())?;
        counters.push(counter);
    }
    Ok(counters)
}

fn tracepoint() -> io::Result<Tracepoint> {
    let (group, name) = EXECS;
    let id = |mount: &&str| Path::new(mount).join(format!("events/{group}/{name}/id"));
    let found = TRACEFS.iter().map(id).find(|id| id.exists());
    let id = found.ok_or_else(|| io::Error::other("no tracefs is mounted where it belongs"))?;
    let id = fs::read_to_string(id)?;
    id.trim()
        .parse()
        .map(Tracepoint::with_id)
        .map_err(io::Error::other)
}

/// The CPUs of a list such as `0-2,5` (`cputopology.rst`).
fn cpus(list: &str) -> io::Result<Vec<usize>> {
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let mut all = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        all.extend(number(first)?..=number(last)?);
    }
    Ok(all)
}

/// Tasks that were made since the boot.
fn forks() -> Result<u64, TrialError> {
    let at = || TrialError::at(format!("read the count of forks in {STAT}"));
    let text = fs::read_to_string(STAT).map_err(at())?;
    parse_forks(&text).ok_or_else(|| at()(io::ErrorKind::InvalidData.into()))
}

pub(crate) fn parse_forks(stat: &str) -> Option<u64> {
    let count = stat
        .lines()
        .find_map(|line| line.strip_prefix("processes "))?;
    count.trim().parse().ok()
}

/// Since the boot, as `/proc/PID/stat` tells when a process began.
fn ticks() -> Result<u64, TrialError> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(TrialError::at("read the clock"))?;
    let ns = std::time::Duration::from(now).as_nanos();
    Ok(u64::try_from(ns).unwrap_or(u64::MAX) / TICK_NS)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpus("0\n").unwrap(), [0]);
        assert_eq!(cpus("0-2,5,7-8\n").unwrap(), [0, 1, 2, 5, 7, 8]);
        assert!(cpus("").is_err() && cpus("0-").is_err());
    }

    #[test]
    fn the_count_of_forks_is_read() {
        assert_eq!(
            parse_forks("ctxt 7\nprocesses 1234\nprocs_running 1\n"),
            Some(1234)
        );
        assert_eq!(parse_forks("ctxt 7\nprocs_running 1\n"), None);
    }

    #[test]
    fn this_kernel_counts_at_least_what_happened() {
        let witnesses = Witnesses::call(false).unwrap();
        for _ in 0..3 {
            assert!(Command::new("true").status().unwrap().success());
        }
        let heard = witnesses.hear().unwrap();
        assert!(heard.forks >= 3);
        assert_eq!(heard.execs, None);
    }
}
