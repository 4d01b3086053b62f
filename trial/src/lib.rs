//! Runs one trial on the kernel it is on: starts the storm and the monitor as processes of their
//! own, shows the monitor canaries, lets the storm loose, waits until the monitor has caught up, and
//! brings truth, sightings, loss reports and costs home in one record.
//!
//! | module | concern |
//! |---|---|
//! | [`runner`] | the steps of a trial, in order |
//! | [`storm`], [`monitor`] | the two processes, held from outside |
//! | [`cgroups`], [`costs`], [`kernel_threads`] | who runs where, and what that costs |
//! | [`guest`] | being process 1 of a guest: mounts, modules, channel |

pub mod cgroups;
pub mod costs;
pub mod guest;
pub mod kernel_threads;
pub mod monitor;
pub mod runner;
pub mod storm;

use std::path::PathBuf;

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

/// A step that broke the trial itself, not the monitor's part in it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct TrialError {
    /// What was to be done, to what.
    pub what: String,
    /// What the system, or the storm, answered.
    pub source: std::io::Error,
}

impl TrialError {
    /// For `map_err`: names the step.
    pub fn at<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self {
            what,
            source: error.into(),
        }
    }
}
