//! The names that a user may write, from the registries of the crates that own them.
//!
//! Nothing here is a list of its own: lists, checks, help and tests all read these functions, so a
//! new backend, scenario or locked kernel is known everywhere at once.

use std::collections::BTreeMap;

use execlab_backends::Portrait;
use execlab_model::{plan::BackendSpec, result::PathClass, workload::Load};
use execlab_vm::kernels::Lock;
pub use execlab_workloads::scenario::Family;

use crate::matrix::unknown;

mod markdown;
mod properties;

pub use markdown::markdown;
pub use properties::{PROPERTIES, Property};

/// Name of the backend that does not watch.
pub const BASELINE: &str = BackendSpec::NONE;
/// The backends that a run has without any other word: the strongest row of the five families that agents are made
/// of.
const FIRST: [&str; 5] = ["proc-poll", "netlink", "audit", "ebpf", "ptrace"];
/// The group of settings that a backend has when none is named.
pub const DEFAULT_VARIANT: &str = BackendSpec::DEFAULT;
/// The group that an expert would use who wants the backend to win.
pub const TUNED_VARIANT: &str = "tuned";

/// The kernel that this very machine runs: the one of the lab `host`, and of no other.
pub const RUNNING_KERNEL: &str = "running";

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
    /// What its sightings carry; what is not here is never scored as wrong.
    pub offers: Vec<&'static str>,
    /// What it is.
    pub portrait: Portrait,
    /// Whether a run without any other word has it.
    pub is_first: bool,
}

impl BackendInfo {
    /// The spec with one of the two groups that each backend has.
    ///
    /// What does not watch has none of them, but can be counted by the kernel.
    pub fn spec(&self, variant: &str) -> Option<BackendSpec> {
        if self.name == BASELINE && variant == BackendSpec::WITNESS {
            return Some(BackendSpec::none(variant));
        }
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

    /// The names of everything that can be set on it, [`common_settings`] too.
    pub fn setting_names(&self) -> impl Iterator<Item = &str> {
        let common = execlab_backends::COMMON_SETTINGS.iter().map(|s| s.name);
        let common = common.filter(|_| self.name != BASELINE);
        self.default.keys().map(String::as_str).chain(common)
    }

    /// Whether the backend takes this value for this setting; else what it takes.
    pub fn check_setting(&self, key: &str, value: &str) -> Result<(), String> {
        let Some(backend) = execlab_backends::find(&self.name) else {
            return Ok(());
        };
        let mut settings = self.default.clone();
        settings.insert(key.to_owned(), value.to_owned());
        execlab_backends::Settings::new(backend.settings(), settings)
            .map(drop)
            .map_err(|error| error.to_string())
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
    /// Under which heading it stands in lists.
    pub family: Family,
    /// The first locked kernel series that can do it; `None` where all can.
    pub since: Option<&'static str>,
    /// Why it runs in guests alone, where it does.
    pub only_in_guests: Option<&'static str>,
    /// The load that it is made for, where that is not the usual one.
    pub load: Option<Load>,
    /// The fewest execs with which it shows what it shows.
    pub least_execs: u32,
    /// The most execs of which a guest's memory holds what monitors say.
    pub most_execs: u32,
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
        // A release, with or without its flavour.
        if Lock::embedded().is_ok_and(|lock| lock.find(name).is_ok()) {
            return Ok(());
        }
        let names = self.kernels.iter().map(String::as_str);
        Err(format!(
            "{}; `execlab list kernels` has the releases too, and `path:IMAGE` is your own",
            unknown("kernel", name, names)
        ))
    }

    /// The scenario of a name.
    pub fn scenario(&self, name: &str) -> Option<&ScenarioInfo> {
        self.scenarios.iter().find(|s| s.name == name)
    }
}

/// Every backend, from the registry in `backends/`.
pub fn backends() -> Vec<BackendInfo> {
    let variant = |backend, name| execlab_backends::variant(backend, name).unwrap_or_default();
    execlab_backends::BACKENDS
        .iter()
        .map(|&backend| BackendInfo {
            name: backend.name().to_owned(),
            summary: backend.about().to_owned(),
            default: variant(backend, DEFAULT_VARIANT),
            tuned: variant(backend, TUNED_VARIANT),
            boot: backend
                .boot_options()
                .iter()
                .map(|&option| option.to_owned())
                .collect(),
            offers: backend.offers().names(),
            portrait: backend.portrait(),
            is_first: FIRST.contains(&backend.name()),
        })
        .collect()
}

/// What can be set on every backend that watches, with its default. None of it stands in a plan
/// unless somebody sets it.
pub fn common_settings() -> Settings {
    execlab_backends::COMMON_SETTINGS
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.default.to_owned()))
        .collect()
}

/// Every scenario, from the registry in `workloads/`.
pub fn scenarios() -> Vec<ScenarioInfo> {
    execlab_workloads::SCENARIOS
        .iter()
        .map(|scenario| ScenarioInfo {
            name: scenario.name().to_owned(),
            summary: scenario.about().to_owned(),
            best: scenario.best().to_vec(),
            family: scenario.family(),
            since: scenario.since(),
            only_in_guests: scenario.only_in_guests(),
            load: scenario.load(),
            least_execs: scenario.least_execs(),
            most_execs: scenario.most_execs(),
        })
        .collect()
}

/// Whether something runs in a container there, so that it matters in which: the family "where it runs", and those of
/// others that set a container up.
pub fn is_of_containers(scenario: &ScenarioInfo) -> bool {
    scenario.family == Family::Where
        || ["container", "quiet-victim"].contains(&scenario.name.as_str())
}

/// Every kernel series that is locked, from `vm/`.
pub fn kernels() -> Vec<String> {
    let lock = Lock::embedded();
    // A lock that cannot be read is told by whoever opens the store.
    lock.map_or_else(
        |_| Vec::new(),
        |lock| lock.series().into_iter().map(str::to_owned).collect(),
    )
}

/// Names for tests, which must not change when a technique is added.
#[cfg(test)]
pub(crate) fn example() -> Registry {
    use execlab_backends::Backend as _;

    let settings = |pairs: &[(&str, &str)]| -> Settings {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let backend = |name: &str, default: &[_], tuned: &[_], boot: &[&str]| BackendInfo {
        name: name.to_owned(),
        summary: String::new(),
        default: settings(default),
        tuned: settings(tuned),
        boot: boot.iter().map(|&o| o.to_owned()).collect(),
        offers: Vec::new(),
        portrait: execlab_backends::none::NoMonitor.portrait(),
        is_first: name != BASELINE,
    };
    Registry {
        backends: vec![
            backend("none", &[], &[], &[]),
            backend("wire", &[("buffer", "1")], &[("buffer", "9")], &[]),
            backend("ledger", &[], &[], &["ledger=1"]),
        ],
        scenarios: ["absolute", "relative"]
            .map(|name| ScenarioInfo {
                name: name.to_owned(),
                summary: String::new(),
                best: vec![PathClass::Exact],
                family: Family::First,
                since: None,
                only_in_guests: None,
                load: None,
                least_execs: 1,
                most_execs: u32::MAX,
            })
            .to_vec(),
        kernels: ["5.10", "6.1", "6.12"].map(str::to_owned).to_vec(),
    }
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
    fn the_first_backends_are_there() {
        let first = backends().into_iter().filter(|b| b.is_first).count();
        assert_eq!(first, FIRST.len());
    }

    /// Else each id and digest would change with the first of them that is added.
    #[test]
    fn common_settings_can_be_set_on_all_and_stand_in_no_group() {
        let backends = Registry::of_this_build().backends;
        for backend in backends.iter().filter(|b| b.name != BASELINE) {
            for name in common_settings().keys() {
                assert!(backend.setting_names().any(|n| n == name));
                assert_eq!(backend.check_setting(name, "3"), Ok(()));
                assert!(!backend.default.contains_key(name) && !backend.tuned.contains_key(name));
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
