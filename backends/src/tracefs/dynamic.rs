//! Events that a tracer defines itself: probes on functions of the kernel (`CONFIG_KPROBE_EVENTS`), written to
//! `dynamic_events` (5.0).
//!
//! They belong to the whole machine and not to an instance, so they are named after this process and taken away
//! after the instance in which they were enabled.

use std::{io, rc::Rc};

use execlab_model::sighting::{LossReport, LossUnit};

use super::{btf::Btf, instance::write};
use crate::{
    AttachError, MonitorError, Seam,
    clock::monotonic_ns,
    tracing_fs::mount::{Tracefs, read},
};

/// The group of all events of ours.
pub const GROUP: &str = "execlab";
/// Where they are defined.
pub const FILE: &str = "dynamic_events";

/// What rows with probes need.
pub const PROBE_NEEDS: &[&str] = &["CONFIG_KPROBE_EVENTS", "CONFIG_DEBUG_INFO_BTF", "root"];

/// By what they know of losses.
pub const PROBE_SIGNALS: &[&str] = &[
    "the missed-events flag of a page",
    "overrun, commit overrun and dropped events in per_cpu/cpuN/stats",
    "misses in kprobe_profile",
];

/// What they change.
pub const PROBE_CHANGES: &[&str] = &[
    "makes an instance of its own in tracefs, with a ring buffer for each CPU",
    "defines events on functions of the kernel (kprobes)",
];

/// The running kernel's types.
pub fn types() -> Result<Btf, AttachError> {
    const FILE: &str = "/sys/kernel/btf/vmlinux";
    let raw = std::fs::read(FILE).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AttachError::Unsupported(format!("{FILE}: {error}")),
        _ => AttachError::call(format!("read of {FILE}"))(error),
    })?;
    Btf::parse(&raw).ok_or_else(|| AttachError::Unsupported(format!("{FILE} cannot be read")))
}

/// Probes of ours. Dropping it takes them away.
#[derive(Debug)]
pub struct Probes {
    tracefs: Rc<Tracefs>,
    names: Vec<String>,
    since_ns: u64,
    reported: u64,
}

impl Probes {
    /// None yet.
    pub fn new(tracefs: &Rc<Tracefs>) -> Self {
        Self {
            tracefs: Rc::clone(tracefs),
            names: Vec::new(),
            since_ns: monotonic_ns(),
            reported: 0,
        }
    }

    /// Defines one: `kind` is `p`, or `r` with how many calls of a return probe can be under way; what follows the
    /// name is `target`. Returns the name of the event with its group.
    pub fn add(&mut self, kind: &str, word: &str, target: &str) -> Result<String, Refused> {
        let name = format!("{GROUP}_{}_{word}", std::process::id());
        let line = format!("{kind}:{GROUP}/{name} {target}");
        write(&self.tracefs.path(FILE), &line).map_err(|error| {
            let said = self.error_log();
            Refused {
                too_big: error.raw_os_error() == Some(libc::E2BIG),
                text: format!("`{line}` to {FILE}: {error}{said}"),
            }
        })?;
        let event = format!("{GROUP}/{name}");
        self.names.push(name);
        Ok(event)
    }

    /// What the kernel says of the last line that it refused (5.2).
    fn error_log(&self) -> String {
        let log = read(&self.tracefs.path("error_log")).unwrap_or_default();
        let last = log.lines().rfind(|line| line.contains("error:"));
        last.map_or_else(String::new, |line| format!(" ({})", line.trim()))
    }

    /// As the kernel lists them.
    pub fn evidence(&self) -> Vec<String> {
        let all = read(&self.tracefs.path(FILE)).unwrap_or_default();
        let ours = |line: &&str| self.names.iter().any(|name| line.contains(name.as_str()));
        all.lines().filter(ours).map(str::to_owned).collect()
    }

    /// Calls of a probed function that no event was made of (`kprobe_profile`).
    fn misses(&self) -> io::Result<u64> {
        let profile = read(&self.tracefs.path("kprobe_profile"))?;
        Ok(self.names.iter().map(|name| misses(&profile, name)).sum())
    }

    /// Reports those that are new.
    pub fn report(&mut self, seam: &mut Seam, unit: LossUnit) -> Result<(), MonitorError> {
        let misses = self
            .misses()
            .map_err(MonitorError::call("read of kprobe_profile"))?;
        let now = monotonic_ns();
        let since = std::mem::replace(&mut self.since_ns, now);
        let new = misses.saturating_sub(std::mem::replace(&mut self.reported, misses));
        if new > 0 {
            seam.loss(LossReport {
                source: "misses in kprobe_profile".into(),
                unit,
                count: Some(new),
                window_ns: (since, now),
            })?;
        }
        Ok(())
    }
}

/// The kernel does not take a definition.
#[derive(Debug)]
pub struct Refused {
    /// An argument of it is nested too deep.
    pub too_big: bool,
    text: String,
}

impl From<Refused> for AttachError {
    fn from(refused: Refused) -> Self {
        Self::Unsupported(refused.text)
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for name in &self.names {
            if let Err(error) = remove(&self.tracefs, name) {
                eprintln!("execlab-monitor: not put back: event {name}: {error}");
            }
        }
    }
}

/// Takes an event of ours away.
pub fn remove(tracefs: &Tracefs, name: &str) -> io::Result<()> {
    write(&tracefs.path(FILE), &format!("-:{GROUP}/{name}"))
}

/// The last number of the line of that name: hits, then misses (`probes_profile_seq_show`,
/// `kernel/trace/trace_kprobe.c`).
fn misses(profile: &str, name: &str) -> u64 {
    let lines = profile.lines().map(str::split_whitespace);
    let of = lines.filter_map(|mut words| {
        (words.next() == Some(name)).then(|| words.next_back()?.parse::<u64>().ok())?
    });
    of.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_the_third_column() {
        let profile =
            "  execlab_7_exec                              12               3\n  other 1 1\n";
        assert_eq!(misses(profile, "execlab_7_exec"), 3);
        assert_eq!(misses(profile, "execlab_70_exec"), 0);
    }
}
