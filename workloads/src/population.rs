//! Processes that only sleep, so that a monitor does not watch an empty machine.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{ForkResult, Pid, fork, pause},
};

use crate::scenario::die_with_parent;

/// Sleeping processes; killed and reaped when dropped.
#[derive(Debug, Default)]
pub struct Population(Vec<Pid>);

impl Population {
    /// Makes `count` of them.
    pub fn start(count: u32) -> Result<Self, Errno> {
        let mut population = Self::default();
        for _ in 0..count {
            // SAFETY: the storm has one thread, so the child may run any code.
            match unsafe { fork() }? {
                ForkResult::Parent { child } => population.0.push(child),
                ForkResult::Child => {
                    die_with_parent();
                    loop {
                        pause();
                    }
                }
            }
        }
        Ok(population)
    }

    /// Their process ids.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|pid| pid.as_raw().unsigned_abs())
    }
}

impl Drop for Population {
    fn drop(&mut self) {
        for &pid in &self.0 {
            // Both can only fail where the process is gone already, which is what is wanted.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(pid, None);
        }
    }
}
