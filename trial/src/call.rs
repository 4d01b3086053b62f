//! How a plan's monitor is called, in both of its parts.

use std::{
    collections::BTreeMap, ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf, process::Command,
};

use execlab_model::{Bytes, plan::TrialPlan, sched::SCHED_TRACE};

use crate::Programs;

/// Where a program of somebody else finds others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The plan's monitor, by its own name; arguments follow.
pub fn command(plan: &TrialPlan, programs: &Programs) -> Command {
    let Some(call) = &plan.program else {
        return Command::new(&programs.monitor);
    };
    let mut command = Command::new(as_os_str(&call.file));
    command.env("PATH", PATH);
    if !call.library_path.as_slice().is_empty() {
        command.env("LD_LIBRARY_PATH", as_os_str(&call.library_path));
    }
    command
}

/// In the environment of a monitor and of what it launches: where they meet
/// (`backends/src/launch.rs`).
pub const RENDEZVOUS: &str = "EXECLAB_RENDEZVOUS";

/// Where the parts of a monitor meet.
pub fn rendezvous(programs: &Programs) -> PathBuf {
    programs.scratch.join("rendezvous")
}

/// Settings as a monitor takes them: what is asked of the trial runner is not for it.
pub fn pairs(settings: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    settings
        .iter()
        .filter(|(name, _)| *name != SCHED_TRACE)
        .map(|(name, value)| format!("{name}={value}"))
}

/// Bytes of a plan as the system takes them.
pub fn as_os_str(bytes: &Bytes) -> &OsStr {
    OsStr::from_bytes(bytes.as_slice())
}
