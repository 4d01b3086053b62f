//! What a window of a trial costs: differences of counters that the scheduler keeps anyway.

use std::path::Path;

use execlab_model::record::WindowCost;
use execlab_workloads::clock::monotonic_ns;

use crate::{
    TrialError, cgroups::Cgroups, kernel_threads::KernelThreads, machine_meter::MachineMeter,
};

/// Everything from which a window's cost is read.
#[derive(Debug)]
pub struct Meters<'a> {
    machine: MachineMeter,
    cgroups: &'a Cgroups,
    of_monitor: KernelThreads,
}

/// All counters at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot(WindowCost);

impl<'a> Meters<'a> {
    /// Opens them; `of_monitor` names the kernel threads that work for the monitor, which are looked
    /// for now.
    pub fn open(cgroups: &'a Cgroups, of_monitor: &[&str]) -> Result<Self, TrialError> {
        Ok(Self {
            machine: MachineMeter::open().map_err(TrialError::at("open the machine's meter"))?,
            cgroups,
            of_monitor: KernelThreads::find(Path::new("/proc"), of_monitor)?,
        })
    }

    /// Reads them. The reader's own current time slice is in none of them yet; it falls into the
    /// window that follows, in each trial alike.
    pub fn read(&mut self) -> Result<Snapshot, TrialError> {
        let machine = self
            .machine
            .read()
            .map_err(TrialError::at(format!("read {}", self.machine.source())))?;
        Ok(Snapshot(WindowCost {
            wall_ns: monotonic_ns(),
            busy_ns: machine.busy_ns,
            storm_ns: self.cgroups.storm_ns()?,
            monitor_ns: self.cgroups.monitor_ns()?,
            monitor_kernel_ns: self.of_monitor.run_time_ns()?,
            switches: machine.switches,
        }))
    }
}

impl Snapshot {
    /// What happened since `earlier`.
    pub fn since(self, earlier: Self) -> WindowCost {
        let (now, then) = (self.0, earlier.0);
        WindowCost {
            wall_ns: now.wall_ns - then.wall_ns,
            busy_ns: now.busy_ns - then.busy_ns,
            storm_ns: now.storm_ns - then.storm_ns,
            monitor_ns: now.monitor_ns - then.monitor_ns,
            monitor_kernel_ns: now.monitor_kernel_ns - then.monitor_kernel_ns,
            switches: now.switches - then.switches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_difference_of_every_counter() {
        let window = |n: u64| WindowCost {
            wall_ns: n,
            busy_ns: 2 * n,
            storm_ns: 3 * n,
            monitor_ns: 4 * n,
            monitor_kernel_ns: 5 * n,
            switches: 6 * n,
        };
        assert_eq!(Snapshot(window(7)).since(Snapshot(window(5))), window(2));
    }
}
