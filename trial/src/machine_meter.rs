//! How busy the whole machine was: by the scheduler's statistics where the kernel keeps them, else by
//! the next best that it has.

use std::{fs, io, path::Path};

use execlab_workloads::meter::{Meter, Reading, SCHEDSTAT};

/// The root of cgroup v1's `cpuacct`, as far as it is mounted where everybody mounts it: run time of all
/// tasks in nanoseconds (Documentation/admin-guide/cgroup-v1/cpuacct.rst).
const CPUACCT: [&str; 2] = [
    "/sys/fs/cgroup/cpuacct/cpuacct.usage",
    "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage",
];
/// Time in ticks of 10 ms (`USER_HZ`), and the count of context switches (`proc_stat(5)`).
const STAT: &str = "/proc/stat";
const TICK_NS: u64 = 10_000_000;

/// One of the ways.
#[derive(Debug)]
pub enum MachineMeter {
    /// `/proc/schedstat`: to the nanosecond (`CONFIG_SCHEDSTATS`; Debian's kernels have it).
    Scheduler(Meter),
    /// cgroup v1's accounting, to the nanosecond; switches from `/proc/stat`.
    Accounting(&'static str),
    /// `/proc/stat`, to the tick.
    Ticks,
}

impl MachineMeter {
    /// The best one of this kernel.
    pub fn open() -> io::Result<Self> {
        if let Ok(meter) = Meter::open(Path::new(SCHEDSTAT)) {
            return Ok(Self::Scheduler(meter));
        }
        let found = CPUACCT.into_iter().find(|file| Path::new(file).exists());
        let mut meter = found.map_or(Self::Ticks, Self::Accounting);
        meter.read().map(|_| meter)
    }

    /// What it reads.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Scheduler(_) => SCHEDSTAT,
            Self::Accounting(file) => file,
            Self::Ticks => STAT,
        }
    }

    /// What it shows now.
    pub fn read(&mut self) -> io::Result<Reading> {
        match self {
            Self::Scheduler(meter) => meter.read(),
            Self::Accounting(file) => {
                let busy_ns = fs::read_to_string(file)?
                    .trim()
                    .parse()
                    .map_err(io::Error::other)?;
                let stat = stat()?;
                Ok(Reading { busy_ns, ..stat })
            }
            Self::Ticks => stat(),
        }
    }
}

fn stat() -> io::Result<Reading> {
    parse_stat(&fs::read_to_string(STAT)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// All of the first line but idle, waiting for devices, and what is counted twice (guests are in user).
pub(crate) fn parse_stat(text: &str) -> Option<Reading> {
    let fields: Vec<u64> = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = fields[..] else {
        return None;
    };
    let busy = [user, nice, system, irq, softirq];
    let ticks = busy.into_iter().try_fold(0, u64::checked_add)?;
    let switches = text.lines().find_map(|line| line.strip_prefix("ctxt "))?;
    Some(Reading {
        busy_ns: ticks.checked_mul(TICK_NS)?,
        switches: switches.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_steal_and_guests_are_no_work_of_the_machine() {
        let text = "cpu  1 2 3 100 200 4 5 1000 500 0\ncpu0 9\nintr 1\nctxt 77\n";
        let reading = parse_stat(text).unwrap();
        assert_eq!((reading.busy_ns, reading.switches), (150_000_000, 77));
        assert!(parse_stat("cpu  1 2\nctxt 7\n").is_none());
        let full = format!("cpu  {0} {0} 3 4 5 6 7\nctxt 7\n", u64::MAX);
        assert!(parse_stat(&full).is_none());
        let full = format!("cpu  {} 2 3 4 5 6 7\nctxt 7\n", u64::MAX / 2);
        assert!(parse_stat(&full).is_none());
    }

    #[test]
    fn some_meter_works_wherever_this_runs() {
        let mut meter = MachineMeter::open().unwrap();
        let before = meter.read().unwrap();
        assert!(meter.read().unwrap().busy_ns >= before.busy_ns);
        assert!(before.busy_ns > 0);
    }
}
