//! When the execs come: the loop on the timed path.

use std::io;

use execlab_model::workload::{Load, Workload};
use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{Ledger, Perturbation, Progress};
use crate::{
    clock::{monotonic_ns, sleep_until_ns},
    spawn::Launcher,
};

/// Between two bursts, after the last child of the first ended, give or take what the seed does.
const QUIET_NS: u64 = 50_000_000;

/// What one storm works with.
pub struct Driver<'a> {
    pub workload: &'a Workload,
    pub perturbation: &'a mut Perturbation,
    /// How many ids a child of each way has, and how long it lives where the workload does not say it.
    pub ways: &'a [(u32, Option<u64>)],
    pub launcher: &'a mut Launcher,
    pub ledger: &'a mut Ledger,
    pub progress: &'a mut Progress,
    /// The id of the next exec.
    pub next_id: u32,
}

impl Driver<'_> {
    /// Makes every exec and reaps every child.
    pub fn run(&mut self) -> io::Result<()> {
        self.progress.mark(0)?;
        self.ledger.began_ns = monotonic_ns();
        match self.workload.load {
            Load::Closed => self.closed()?,
            Load::Rate(per_second) => self.rate(per_second)?,
            Load::Burst(at_once) => self.burst(at_once)?,
        }
        self.ledger.finished_ns = monotonic_ns();
        self.progress.finish(self.workload.execs)
    }

    fn closed(&mut self) -> io::Result<()> {
        for child in 0..self.workload.execs {
            let pid = self.spawn(child)?;
            let status = waitpid(pid, None)?;
            self.ledger.reaped(status, monotonic_ns());
            self.progress.mark(child + 1)?;
        }
        Ok(())
    }

    fn burst(&mut self, at_once: u32) -> io::Result<()> {
        let mut next = 0;
        while next < self.workload.execs {
            let end = next.saturating_add(at_once).min(self.workload.execs);
            for child in next..end {
                self.spawn(child)?;
            }
            // Processes of the scenario may end as well, and are none of these.
            while self.ledger.running() > 0 {
                self.reap(None)?;
            }
            next = end;
            self.progress.mark(next)?;
            if next < self.workload.execs {
                let quiet = self.perturbation.quiet_ns(QUIET_NS);
                sleep_until_ns(monotonic_ns() + quiet);
            }
        }
        Ok(())
    }

    fn rate(&mut self, per_second: u32) -> io::Result<()> {
        // Blocked, so that it can be waited for together with the next due time.
        let mut child_signal = SigSet::empty();
        child_signal.add(Signal::SIGCHLD);
        child_signal.thread_block()?;
        let start = self.ledger.began_ns;
        let interval = 1_000_000_000 / u64::from(per_second);
        for child in 0..self.workload.execs {
            let schedule = u64::from(child) * 1_000_000_000 / u64::from(per_second);
            let due = start + schedule + self.perturbation.arrival_ns(interval);
            self.reap_until(due, &child_signal)?;
            let late = monotonic_ns().saturating_sub(due);
            self.ledger.worst_lateness_ns = self.ledger.worst_lateness_ns.max(late);
            self.spawn(child)?;
            self.progress.mark(child + 1)?;
        }
        // Like the others, right after a spawn.
        self.progress.finish(self.workload.execs)?;
        while self.ledger.running() > 0 {
            self.reap(None)?;
        }
        Ok(child_signal.thread_unblock()?)
    }

    /// Reaps as children end until it is `due`; at least whatever has ended by now.
    fn reap_until(&mut self, due: u64, child_signal: &SigSet) -> Result<(), Errno> {
        loop {
            while self.ledger.running() > 0 && self.reap(Some(WaitPidFlag::WNOHANG))? {}
            let left = due.saturating_sub(monotonic_ns());
            if left == 0 {
                return Ok(());
            }
            let timeout = libc::timespec {
                tv_sec: i64::try_from(left / 1_000_000_000).expect("short"),
                tv_nsec: i64::try_from(left % 1_000_000_000).expect("below one second"),
            };
            // SAFETY: both structures live through the call; no information is asked back.
            unsafe {
                libc::sigtimedwait(
                    child_signal.as_ref(),
                    std::ptr::null_mut(),
                    &raw const timeout,
                )
            };
        }
    }

    /// Reaps one child of the storm; whether there was one.
    fn reap(&mut self, flags: Option<WaitPidFlag>) -> Result<bool, Errno> {
        let status = waitpid(None, flags)?;
        if status == WaitStatus::StillAlive {
            return Ok(false);
        }
        self.ledger.reaped(status, monotonic_ns());
        Ok(true)
    }

    /// Makes the child of this number.
    fn spawn(&mut self, child: u32) -> Result<Pid, Errno> {
        let way = child as usize % self.ways.len();
        let (id, (ids, lifetime)) = (self.next_id, self.ways[way]);
        self.next_id += ids;
        let lifetime = lifetime.unwrap_or(self.workload.lifetime_ns);
        let lifetime = self.perturbation.lifetime_ns(lifetime);
        let spawned_ns = monotonic_ns();
        let pid = self.launcher.spawn(way, id, lifetime)?;
        self.ledger.spawned(id, way, pid, lifetime, spawned_ns);
        Ok(pid)
    }
}
