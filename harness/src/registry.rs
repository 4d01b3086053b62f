//! The names that a user may write, from the registries of the crates that own them.
//!
//! Nothing here is a list of its own: lists, checks, help and tests all read these functions, so a
//! new backend, scenario or locked kernel is known everywhere at once.

use std::collections::BTreeMap;

use execlab_model::{plan::BackendSpec, result::PathClass};

use crate::matrix::unknown;

/// Name of the backend that does not watch.
pub const BASELINE: &str = "none";
/// The group of settings that a backend has when none is named.
pub const DEFAULT_VARIANT: &str = "default";
/// The group that an expert would use who wants the backend to win.
pub const TUNED_VARIANT: &str = "tuned";

/// Settings by name, as text.
pub type Settings = BTreeMap<String, String>;

/// One way to watch.
#[derive(Debug, Clone)]
pub struct BackendInfo {
    /// As in flags, ids and results.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Every setting with its default.
    pub default: Settings,
    /// Every setting as tuned.
    pub tuned: Settings,
    /// Options for the kernel's command line without which it cannot work.
    pub boot: Vec<String>,
}

impl BackendInfo {
    /// The spec with one of the two groups that each backend has.
    pub fn spec(&self, variant: &str) -> Option<BackendSpec> {
        let settings = match variant {
            DEFAULT_VARIANT => &self.default,
            TUNED_VARIANT if self.name != BASELINE => &self.tuned,
            _ => return None,
        };
        Some(BackendSpec {
            name: self.name.clone(),
            variant: variant.to_owned(),
            settings: settings.clone(),
        })
    }

    /// Options for the kernel's command line without which this spec cannot work.
    pub fn boot_options(&self, _spec: &BackendSpec) -> Vec<String> {
        self.boot.clone()
    }

    /// Whether a value is one that the backend takes for this setting.
    pub fn check_setting(&self, _key: &str, _value: &str) -> Result<(), String> {
        Ok(())
    }
}

/// One way in which execs are made.
#[derive(Debug, Clone)]
pub struct ScenarioInfo {
    /// As in flags, ids and results.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The path classes that count as best.
    pub best: Vec<PathClass>,
}

/// All names of this build.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Backends in the order of reports.
    pub backends: Vec<BackendInfo>,
    /// Scenarios in the order of reports.
    pub scenarios: Vec<ScenarioInfo>,
    /// Names of kernel series, oldest first.
    pub kernels: Vec<String>,
}

impl Registry {
    /// What is in this build.
    pub fn of_this_build() -> Self {
        Self {
            backends: backends(),
            scenarios: scenarios(),
            kernels: kernels(),
        }
    }

    /// The backend of a name.
    pub fn backend(&self, name: &str) -> Option<&BackendInfo> {
        self.backends.iter().find(|b| b.name == name)
    }

    /// Whether a kernel can be named like this; else what is wrong with the name.
    pub fn check_kernel(&self, name: &str) -> Result<(), String> {
        let names = || self.kernels.iter().map(String::as_str);
        if self.kernels.iter().any(|k| k == name) {
            return Ok(());
        }
        if let Some(rest) = name.strip_prefix("path:") {
            let image = rest.split(',').next().unwrap_or(rest);
            return if std::path::Path::new(image).is_file() {
                Ok(())
            } else {
                Err(format!("there is no kernel image at `{image}`"))
            };
        }
        Err(unknown("kernel", name, names()))
    }

    /// The scenario of a name.
    pub fn scenario(&self, name: &str) -> Option<&ScenarioInfo> {
        self.scenarios.iter().find(|s| s.name == name)
    }
}

/// Every backend, from the registry in `backends/`.
pub fn backends() -> Vec<BackendInfo> {
    // Stands in until the registry of `backends/` is there.
    let settings = |pairs: &[(&str, &str)]| -> Settings {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let info = |name: &str, summary: &str, default: &[_], tuned: &[_], boot: &[&str]| BackendInfo {
        name: name.to_owned(),
        summary: summary.to_owned(),
        default: settings(default),
        tuned: settings(tuned),
        boot: boot.iter().map(|&o| o.to_owned()).collect(),
    };
    vec![
        info("none", "no monitor: the baseline", &[], &[], &[]),
        info(
            "proc-poll",
            "reads /proc again and again",
            &[("interval", "10ms")],
            &[("interval", "1ms")],
            &[],
        ),
        info(
            "netlink",
            "proc connector",
            &[("receive_buffer", "1MiB")],
            &[("receive_buffer", "32MiB")],
            &[],
        ),
        info(
            "audit",
            "audit rules and records",
            &[("backlog", "8192")],
            &[("backlog", "65536")],
            &["audit=1"],
        ),
        info(
            "ebpf",
            "raw tracepoint sched_process_exec",
            &[("buffer", "ring")],
            &[("buffer", "ring")],
            &[],
        ),
        info("ptrace", "seizes every process", &[], &[], &[]),
    ]
}

/// Every scenario, from the registry in `workloads/`.
pub fn scenarios() -> Vec<ScenarioInfo> {
    // Stands in until the registry of `workloads/` is there.
    let info = |name: &str, summary: &str| ScenarioInfo {
        name: name.to_owned(),
        summary: summary.to_owned(),
        best: vec![PathClass::Exact],
    };
    vec![
        info("absolute", "by an absolute path"),
        info("relative", "after chdir, by relative paths"),
        info("container", "in a container with its own root"),
    ]
}

/// Every kernel series that is locked, from `vm/`.
pub fn kernels() -> Vec<String> {
    // Stands in until the lock of `vm/` is there.
    ["5.10", "6.1", "6.12", "6.18", "7.2"]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_can_stand_in_a_trial_id() {
        let registry = Registry::of_this_build();
        let backends: Vec<_> = registry.backends.iter().map(|b| &b.name).collect();
        let scenarios: Vec<_> = registry.scenarios.iter().map(|s| &s.name).collect();
        for names in [&backends, &scenarios, &registry.kernels.iter().collect()] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            for name in names {
                assert!(!name.is_empty());
                assert!(
                    name.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn there_is_a_baseline_and_tuning_changes_no_names_of_settings() {
        let registry = Registry::of_this_build();
        assert!(registry.backend(BASELINE).is_some());
        for backend in &registry.backends {
            assert!(
                backend.default.keys().eq(backend.tuned.keys()),
                "{}",
                backend.name
            );
        }
    }
}
