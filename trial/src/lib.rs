//! Runs one trial on the kernel it is on: starts the storm and the monitor as processes of their
//! own, shows the monitor canaries, lets the storm loose, waits until the monitor has caught up, and
//! brings truth, sightings, loss reports and costs home in one record.
//!
//! | module | concern |
//! |---|---|
//! | [`runner`] | the steps of a trial, in order |
//! | [`storm`], [`monitor`] | the two processes, held from outside |
//! | [`cgroups`], [`costs`], [`kernel_threads`], [`machine_meter`] | who runs where, and what that costs |
//! | [`witness`] | what the kernel itself counted |
//! | [`sched`] | what the scheduler did, where a replay asks for it |
//! | [`guest`] | being process 1 of a guest: mounts, modules, channel |
//! | `host` | being a trial on a machine that is to stay as it was |

mod call;
mod canary;
mod cgroups;
pub mod costs;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
pub mod kernel_threads;
pub mod machine_meter;
mod memory;
pub mod monitor;
pub mod runner;
pub mod sched;
pub mod storm;
pub mod witness;

use std::{io, path::PathBuf};

use nix::{
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{Pid, getppid},
};

/// The variable by which a seed makes environments longer.
const PADDING: &str = "PADDING";

/// Where the programs of a trial lie, and where they may write.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `execlab-storm`.
    pub storm: PathBuf,
    /// `execlab-monitor`.
    pub monitor: PathBuf,
    /// `execlab-payload`.
    pub payload: PathBuf,
    /// A folder of the storm's own, for what it executes.
    pub ground: PathBuf,
    /// A folder for the seam and for what the processes print; on a tmpfs.
    pub scratch: PathBuf,
}

/// In a child before its exec: ends it when `parent` ends, also if that has just happened. Of a trial
/// nothing is to outlive what started it.
fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// A step that broke the trial itself, not the monitor's part in it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct TrialError {
    /// What was to be done, to what.
    pub what: String,
    /// What the system, or the storm, answered.
    pub source: io::Error,
}

impl TrialError {
    /// For `map_err`: names the step.
    pub fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self {
            what,
            source: error.into(),
        }
    }
}
