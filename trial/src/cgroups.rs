//! Who runs where: storm, monitor and trial runner each have a cgroup of their own, so that what
//! each of them uses can be told apart.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use execlab_model::plan::{CPU_QUOTA, MEMORY_LIMIT};

use crate::TrialError;

/// The slice of everything that is watched, containers included.
const STORM_SLICE: &str = "system.slice";

/// The cgroups of one trial, in a cgroup v2 hierarchy.
#[derive(Debug, Clone)]
pub struct Cgroups {
    mount: PathBuf,
    base: PathBuf,
    root: PathBuf,
}

impl Cgroups {
    /// Makes them in the hierarchy at `mount`, below the cgroup `base` (empty: the root, which a guest
    /// has for itself; else it begins with a slash), and moves this process into the runner's.
    pub fn create(mount: &Path, base: &str) -> Result<Self, TrialError> {
        let root = mount.join(base.trim_start_matches('/'));
        let cgroups = Self {
            mount: mount.to_owned(),
            base: base.into(),
            root,
        };
        for dir in [cgroups.storm(), cgroups.monitor(), cgroups.runner()] {
            fs::create_dir_all(&dir)
                .map_err(TrialError::at(format!("make the cgroup {}", dir.display())))?;
        }
        write(&cgroups.runner().join("cgroup.procs"), "0")?;
        // With a controller enabled, as under systemd, each cgroup has the kernel objects that
        // perf's cgroup ids hang on (techniques.md, T6).
        for dir in [&cgroups.root, &cgroups.root.join(STORM_SLICE)] {
            // A hierarchy beside that of cgroup v1 may have no controllers at all.
            let controllers = fs::read_to_string(dir.join("cgroup.controllers"));
            if controllers.is_ok_and(|all| all.split_ascii_whitespace().any(|one| one == "pids")) {
                write(&dir.join("cgroup.subtree_control"), "+pids")?;
            }
        }
        Ok(cgroups)
    }

    /// Sets the limits of the monitor's cgroup that a plan's settings name, if they name any; why it cannot, where this
    /// hierarchy has not what it takes.
    pub fn limit_monitor(
        &self,
        settings: &BTreeMap<String, String>,
    ) -> Result<Option<String>, TrialError> {
        const PERIOD_US: u64 = 100_000;
        let limit = |name: &str| limit(settings, name);
        let limits = [
            (
                "cpu",
                "cpu.max",
                limit(CPU_QUOTA).map(|percent| {
                    let quota = percent * PERIOD_US / 100;
                    format!("{quota} {PERIOD_US}")
                }),
            ),
            (
                "memory",
                "memory.max",
                limit(MEMORY_LIMIT).map(|mib| (mib << 20).to_string()),
            ),
        ];
        for (controller, file, value) in limits {
            let Some(value) = value else { continue };
            let there = fs::read_to_string(self.root.join("cgroup.controllers"));
            let there = there.unwrap_or_default();
            if !there.split_ascii_whitespace().any(|one| one == controller) {
                return Ok(Some(format!(
                    "{file} cannot be set: cgroup.controllers of {} has no `{controller}`, only `{}`",
                    self.root.display(),
                    there.trim()
                )));
            }
            for dir in [&self.root, &self.root.join("execlab.slice")] {
                write(
                    &dir.join("cgroup.subtree_control"),
                    &format!("+{controller}"),
                )?;
            }
            write(&self.monitor().join(file), &value)?;
        }
        Ok(None)
    }

    /// Where the hierarchy is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Below which cgroup the trial's are; empty for the root.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Of the storm's spawner; its containers are beside it.
    pub fn storm(&self) -> PathBuf {
        self.root.join(STORM_SLICE).join("execlab-storm.service")
    }

    /// Of the monitor.
    pub fn monitor(&self) -> PathBuf {
        self.root.join("execlab.slice/monitor.service")
    }

    fn runner(&self) -> PathBuf {
        self.root.join("execlab.slice/runner.service")
    }

    /// CPU time of everything that belongs to the storm, in nanoseconds of whole microseconds.
    pub fn storm_ns(&self) -> Result<u64, TrialError> {
        usage_ns(&self.root.join(STORM_SLICE))
    }

    /// CPU time of the monitor's processes, in nanoseconds of whole microseconds.
    pub fn monitor_ns(&self) -> Result<u64, TrialError> {
        usage_ns(&self.monitor())
    }
}

/// A limit that settings name; 0 is none.
fn limit(settings: &BTreeMap<String, String>, name: &str) -> Option<u64> {
    let value = settings.get(name)?.parse::<u64>().ok()?;
    (value > 0).then_some(value)
}

/// Whether they bound the monitor's memory.
pub fn is_memory_limited(settings: &BTreeMap<String, String>) -> bool {
    limit(settings, MEMORY_LIMIT).is_some()
}

fn write(file: &Path, text: &str) -> Result<(), TrialError> {
    fs::write(file, text).map_err(TrialError::at(format!(
        "write {text} to {}",
        file.display()
    )))
}

fn usage_ns(dir: &Path) -> Result<u64, TrialError> {
    let file = dir.join("cpu.stat");
    let read = fs::read_to_string(&file).and_then(|text| {
        parse_usage_ns(&text).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    });
    read.map_err(TrialError::at(format!(
        "read usage_usec in {}",
        file.display()
    )))
}

/// `usage_usec` of a `cpu.stat`, in nanoseconds (Documentation/admin-guide/cgroup-v2.rst).
pub(crate) fn parse_usage_ns(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("usage_usec "))?
        .parse::<u64>()
        .ok()?
        .checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_hierarchy_cannot_set_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.controllers"), "cpu pids\n").unwrap();
        let cgroups = Cgroups {
            mount: dir.path().to_owned(),
            base: PathBuf::new(),
            root: dir.path().to_owned(),
        };
        let settings = |name: &str, value: &str| BTreeMap::from([(name.into(), value.into())]);
        let why = cgroups.limit_monitor(&settings(MEMORY_LIMIT, "64"));
        let why = why.unwrap().expect("there is no such controller");
        assert!(why.ends_with("has no `memory`, only `cpu pids`"), "{why}");
        let none = cgroups.limit_monitor(&settings(MEMORY_LIMIT, "0")).unwrap();
        assert_eq!(none, None);
        fs::create_dir_all(cgroups.monitor()).unwrap();
        let none = cgroups.limit_monitor(&settings(CPU_QUOTA, "20")).unwrap();
        assert_eq!(none, None);
        let set = fs::read_to_string(cgroups.monitor().join("cpu.max")).unwrap();
        assert_eq!(set, "20000 100000");
    }

    #[test]
    fn usage_is_found_among_the_other_figures() {
        let text = "usage_usec 123\nuser_usec 100\nsystem_usec 23\n";
        assert_eq!(parse_usage_ns(text), Some(123_000));
        assert_eq!(parse_usage_ns("user_usec 1\n"), None);
        let full = format!("usage_usec {}\n", u64::MAX);
        assert_eq!(parse_usage_ns(&full), None);
    }
}
