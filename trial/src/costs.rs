//! What a window of a trial costs: differences of counters that the scheduler keeps anyway.

use std::fs;

use execlab_model::record::WindowCost;
use execlab_workloads::clock::monotonic_ns;

use crate::{TrialError, cgroups::Cgroups};

/// All counters at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot(WindowCost);

impl Snapshot {
    /// Reads them. The reader's own current time slice is in none of them yet; it falls into the
    /// window that follows, in each trial alike.
    pub fn take(cgroups: &Cgroups) -> Result<Self, TrialError> {
        let text = fs::read_to_string("/proc/schedstat")
            .map_err(TrialError::at("read /proc/schedstat"))?;
        let busy_ns = parse_run_time_ns(&text)
            .ok_or(std::io::ErrorKind::InvalidData)
            .map_err(TrialError::at(
                "find the run time of each CPU in /proc/schedstat",
            ))?;
        Ok(Self(WindowCost {
            wall_ns: monotonic_ns(),
            busy_ns,
            storm_ns: cgroups.storm_ns()?,
            monitor_ns: cgroups.monitor_ns()?,
            monitor_kernel_ns: 0,
        }))
    }

    /// What happened since `earlier`.
    pub fn since(self, earlier: Self) -> WindowCost {
        let (now, then) = (self.0, earlier.0);
        WindowCost {
            wall_ns: now.wall_ns - then.wall_ns,
            busy_ns: now.busy_ns - then.busy_ns,
            storm_ns: now.storm_ns - then.storm_ns,
            monitor_ns: now.monitor_ns - then.monitor_ns,
            monitor_kernel_ns: now.monitor_kernel_ns - then.monitor_kernel_ns,
        }
    }
}

/// The time that tasks other than the idle one ran, over all CPUs: the seventh field of each `cpuN`
/// line (Documentation/scheduler/sched-stats.rst; unchanged from version 15 to 17).
fn parse_run_time_ns(text: &str) -> Option<u64> {
    let mut cpus = text
        .lines()
        .filter(|line| line.starts_with("cpu"))
        .peekable();
    cpus.peek()?;
    cpus.map(|line| line.split_ascii_whitespace().nth(7)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_time_is_summed_over_cpus() {
        let text = "version 17\ntimestamp 4294896041\ncpu0 0 0 5 1 2 3 1000 77 9\n\
                    domain0 MC 00000003 1 2\ncpu1 0 0 5 1 2 3 200 77 9\n";
        assert_eq!(parse_run_time_ns(text), Some(1200));
        assert_eq!(parse_run_time_ns("version 15\n"), None);
        assert_eq!(parse_run_time_ns("cpu0 1 2\n"), None);
    }
}
