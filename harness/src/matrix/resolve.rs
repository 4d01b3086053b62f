//! From text to a [`Matrix`]: every name and value is checked, and every problem is told at once.

use std::{collections::BTreeMap, str::FromStr};

use execlab_model::{
    plan::BackendSpec,
    result::Lab,
    workload::{Load, Spawn},
};

use super::{
    Given, KVM_CPUS, Matrix, MatrixError, Origin, Own, Problem, SelectedBackend, Selection, Variant,
};
use crate::{
    duration,
    nearest::nearest,
    registry::{
        BASELINE, BackendInfo, DEFAULT_VARIANT, Family, RUNNING_KERNEL, Registry, ScenarioInfo,
        TUNED_VARIANT,
    },
};

/// More trials than this are a slip of the pen (each takes seconds).
const MOST_TRIALS: u64 = 1_000_000;
/// More execs than this in one trial do not fit into the channel of a guest.
const MOST_EXECS: u32 = 4_000_000;
/// The kernel of the built-in matrix, where it is locked.
const QUICK_KERNEL: &str = "6.12";
const QUICK_EXECS: u32 = 200;
/// Seeds where figures do not repeat: with fewer than six a difference has no interval of 95 %.
const QUICK_SAMPLES: u64 = 8;
/// More virtual CPUs than this are a slip of the pen.
const MOST_CPUS: u32 = 64;

/// Checks a selection; what it does not say is as in the built-in quick matrix.
pub fn resolve(selection: Selection, registry: &Registry) -> Result<Matrix, MatrixError> {
    // What is usual depends on the lab; one that is wrong is told below.
    let named = selection.lab.as_ref().and_then(|g| lab(&g.text).ok());
    let lab_named = named.unwrap_or(Lab::Exact);
    let mut check = Check {
        registry,
        lab: lab_named,
        problems: Vec::new(),
    };
    let usual_load = selection.loads.is_none();
    let mut whole = selection.over(quick(registry, lab_named));
    whole.workloads = whole.workloads.map(|named| unfold(named, registry));
    let variants = whole.variants;
    check.variants(&variants);
    let mut matrix = Matrix {
        kernels: check.each(whole.kernels, Check::kernel),
        backends: check.each(whole.backends, |c, g| c.backend(g, &variants)),
        workloads: check.each(whole.workloads, Check::scenario),
        loads: check.each(whole.loads, |_, g| {
            Load::from_str(&g.text).map_err(|e| e.to_string())
        }),
        execs: check.one(whole.execs, execs).unwrap_or_default(),
        lifetimes_ns: check.each(whole.lifetimes, |_, g| {
            duration::parse(&g.text).map_err(|e| e.to_string())
        }),
        spawns: check.each(whole.spawns, |_, g| spawn(&g.text)),
        populations: check.each(whole.populations, |_, g| population(&g.text)),
        seeds: check.one(whole.seeds, seeds).unwrap_or_default(),
        lab: check.one(whole.lab, lab).unwrap_or(lab_named),
        cpus: check
            .one(whole.cpus, |text| cpus(text, lab_named))
            .unwrap_or_default(),
        baselines: check
            .one(whole.baselines, |text| baselines(text, lab_named))
            .unwrap_or_default(),
        own: BTreeMap::new(),
    };
    matrix.own = own(&matrix.workloads, registry, usual_load);
    if !check.problems.is_empty() {
        check.problems.sort_by_key(Problem::line);
        return Err(MatrixError::Invalid(check.problems));
    }
    let empty = empty_dimensions(&matrix);
    if !empty.is_empty() {
        return Err(MatrixError::NothingSelected(empty));
    }
    Ok(matrix)
}

/// What stands for every scenario.
const ALL: &str = "all";

/// `all` is all of them.
fn unfold(named: Vec<Given>, registry: &Registry) -> Vec<Given> {
    let unfold = |given: Given| {
        if given.text != ALL {
            return vec![given];
        }
        let each = |name: &str| Given {
            text: name.to_owned(),
            origin: given.origin.clone(),
        };
        registry.scenarios.iter().map(|s| each(&s.name)).collect()
    };
    named.into_iter().flat_map(unfold).collect()
}

/// What these scenarios ask for themselves; a load only where the user named none.
fn own(scenarios: &[String], registry: &Registry, usual_load: bool) -> BTreeMap<String, Own> {
    let asks = |name: &String| {
        let scenario = registry.scenario(name)?;
        let own = Own {
            load: scenario.load.filter(|_| usual_load),
            least_execs: scenario.least_execs,
            most_execs: scenario.most_execs,
        };
        let asks = own.load.is_some() || own.least_execs > 1 || own.most_execs < u32::MAX;
        asks.then(|| (name.clone(), own))
    };
    scenarios.iter().filter_map(asks).collect()
}

fn empty_dimensions(matrix: &Matrix) -> Vec<String> {
    [
        ("kernels", matrix.kernels.is_empty()),
        ("backends", matrix.backends.is_empty()),
        ("workloads", matrix.workloads.is_empty()),
        ("loads", matrix.loads.is_empty()),
        ("lifetimes", matrix.lifetimes_ns.is_empty()),
        ("spawns", matrix.spawns.is_empty()),
        ("populations", matrix.populations.is_empty()),
        ("seeds", matrix.seeds.0 >= matrix.seeds.1),
    ]
    .into_iter()
    .filter(|(_, empty)| *empty)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// The scenarios that a run has without any other word.
fn first_matrix(registry: &Registry) -> impl Iterator<Item = &ScenarioInfo> {
    let first = |scenario: &&ScenarioInfo| scenario.family == Family::First;
    registry.scenarios.iter().filter(first)
}

/// One kernel, every backend as it comes, the scenarios of the first matrix: a first look that takes
/// minutes.
fn quick(registry: &Registry, lab: Lab) -> Selection {
    let given = |text: &str| Given {
        text: text.to_owned(),
        origin: Origin::BuiltIn,
    };
    let locked = || {
        let quick = registry.kernels.iter().find(|k| *k == QUICK_KERNEL);
        quick.or(registry.kernels.first()).map(String::as_str)
    };
    let kernel = match lab {
        Lab::Exact | Lab::Kvm => locked(),
        Lab::Host => Some(RUNNING_KERNEL),
    };
    // Where time is real, many execs take little of it and make their mean steadier.
    let (seeds, execs) = if lab.is_exact() {
        (1, QUICK_EXECS)
    } else {
        (QUICK_SAMPLES, 5 * QUICK_EXECS)
    };
    let cpus = match lab {
        Lab::Exact => 1,
        Lab::Kvm => KVM_CPUS,
        Lab::Host => host_cpus(),
    };
    let watching = registry.backends.iter().filter(|b| b.name != BASELINE);
    Selection {
        kernels: Some(kernel.into_iter().map(given).collect()),
        backends: Some(watching.map(|b| given(&b.name)).collect()),
        workloads: Some(first_matrix(registry).map(|s| given(&s.name)).collect()),
        loads: Some(vec![given("closed")]),
        execs: Some(given(&execs.to_string())),
        lifetimes: Some(vec![given("0")]),
        spawns: Some(vec![given("vfork")]),
        populations: Some(vec![given("0")]),
        seeds: Some(given(&seeds.to_string())),
        lab: Some(given(lab.as_str())),
        cpus: Some(given(&cpus.to_string())),
        baselines: Some(given("true")),
        variants: Vec::new(),
    }
}

struct Check<'a> {
    registry: &'a Registry,
    lab: Lab,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// Checks all values of a list; one that stands there twice is taken once.
    fn each<T: PartialEq>(
        &mut self,
        list: Option<Vec<Given>>,
        check: impl Fn(&Self, &Given) -> Result<T, String>,
    ) -> Vec<T> {
        let mut good = Vec::new();
        for given in list.unwrap_or_default() {
            match check(self, &given) {
                Ok(value) if good.contains(&value) => {}
                Ok(value) => good.push(value),
                Err(what) => self.problem(&given, what),
            }
        }
        good
    }

    fn one<T>(
        &mut self,
        given: Option<Given>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = given?;
        match check(&given.text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problem(&given, what);
                None
            }
        }
    }

    fn problem(&mut self, given: &Given, what: String) {
        self.problems.push(Problem {
            origin: given.origin.clone(),
            what,
        });
    }

    fn kernel(&self, given: &Given) -> Result<String, String> {
        match (self.lab, given.text.as_str()) {
            (Lab::Host, RUNNING_KERNEL) => {}
            (Lab::Host, other) => {
                return Err(format!(
                    "the lab host has one kernel, the one that runs: write `{RUNNING_KERNEL}` in place of `{other}`, or choose another lab"
                ));
            }
            (lab, RUNNING_KERNEL) => {
                return Err(format!(
                    "the lab {lab} boots kernels and cannot use the running one: that is the lab host's"
                ));
            }
            (_, name) => self.registry.check_kernel(name)?,
        }
        Ok(given.text.clone())
    }

    fn scenario(&self, given: &Given) -> Result<String, String> {
        let names = || self.registry.scenarios.iter().map(|s| s.name.as_str());
        match self.registry.scenario(&given.text) {
            Some(scenario) => Ok(scenario.name.clone()),
            None => Err(unknown("scenario", &given.text, names().chain([ALL]))),
        }
    }

    fn backend_info(&self, name: &str) -> Result<&BackendInfo, String> {
        let names = || self.registry.backends.iter().map(|b| b.name.as_str());
        self.registry
            .backend(name)
            .ok_or_else(|| unknown("backend", name, names()))
    }

    fn backend(&self, given: &Given, variants: &[Variant]) -> Result<SelectedBackend, String> {
        let (name, variant) = given
            .text
            .split_once('+')
            .unwrap_or((&given.text, DEFAULT_VARIANT));
        let info = self.backend_info(name)?;
        let own = variants
            .iter()
            .filter(|v| v.backend.text == name)
            .collect::<Vec<_>>();
        let spec = info.spec(variant).or_else(|| {
            let user = own.iter().find(|v| v.name.text == variant)?;
            let mut spec = info.spec(DEFAULT_VARIANT)?;
            variant.clone_into(&mut spec.variant);
            for (key, value) in &user.settings {
                spec.settings.insert(key.text.clone(), value.clone());
            }
            Some(spec)
        });
        let Some(spec) = spec else {
            if name == BASELINE {
                return Err(format!(
                    "backend `{BASELINE}` has no settings: write `{BASELINE}`, or `{BASELINE}+{}` to have the kernel count the execs",
                    BackendSpec::WITNESS
                ));
            }
            let names = [DEFAULT_VARIANT, TUNED_VARIANT]
                .into_iter()
                .chain(own.iter().map(|v| v.name.text.as_str()));
            return Err(unknown(&format!("variant of {name}"), variant, names));
        };
        Ok(SelectedBackend {
            boot: info.boot.clone(),
            spec,
        })
    }

    /// Variants are checked whether or not the matrix uses them.
    fn variants(&mut self, variants: &[Variant]) {
        for variant in variants {
            let info = match self.backend_info(&variant.backend.text) {
                Ok(info) => info.clone(),
                Err(what) => {
                    self.problem(&variant.backend, what);
                    continue;
                }
            };
            if info.name == BASELINE {
                self.problem(
                    &variant.backend,
                    format!("backend `{BASELINE}` has no settings"),
                );
                continue;
            }
            if let Err(what) = variant_name(&variant.name.text) {
                self.problem(&variant.name, what);
            }
            for (key, value) in &variant.settings {
                if !info.setting_names().any(|name| name == key.text) {
                    let names = info.setting_names();
                    let what = unknown(&format!("setting of {}", info.name), &key.text, names);
                    self.problem(key, what);
                } else if let Err(what) = info.check_setting(&key.text, value) {
                    self.problem(key, what);
                }
            }
        }
    }
}

fn variant_name(name: &str) -> Result<(), String> {
    if [DEFAULT_VARIANT, TUNED_VARIANT].contains(&name) {
        return Err(format!(
            "`{name}` is the backend's own; give the variant another name"
        ));
    }
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if name.is_empty() || !name.bytes().all(good) {
        return Err(format!(
            "`{name}` cannot name a variant: small letters, digits, `-`, `_` and `.` only"
        ));
    }
    Ok(())
}

/// A guest has 32,768 process ids (`pid_max` of a machine with one CPU), and the storm needs some.
const MOST_SLEEPERS: u32 = 30_000;

fn population(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| (0..=MOST_SLEEPERS).contains(n))
        .ok_or_else(|| {
            format!("`{text}` is not a number of processes: write a whole number from 0 to {MOST_SLEEPERS}")
        })
}

fn execs(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=MOST_EXECS).contains(n))
        .ok_or_else(|| {
            format!("`{text}` is no number of execs: write a whole number from 1 to {MOST_EXECS}")
        })
}

fn spawn(text: &str) -> Result<Spawn, String> {
    let all = [Spawn::Vfork, Spawn::Fork];
    let names = all.map(|s| s.to_string());
    all.into_iter()
        .find(|s| s.to_string() == text)
        .ok_or_else(|| unknown("spawn", text, names.iter().map(String::as_str)))
}

fn lab(text: &str) -> Result<Lab, String> {
    text.parse()
        .map_err(|_| unknown("lab", text, Lab::ALL.map(Lab::as_str)))
}

/// What is right is one; what is wrong is told with what was seen when it was tried.
fn baselines(text: &str, lab: Lab) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" if lab.is_exact() => Ok(false),
        "false" => Err(format!(
            "without baselines the lab {lab} has nothing to tell a cost from noise by: write `true`"
        )),
        other => Err(format!("`{other}` is neither `true` nor `false`")),
    }
}

fn cpus(text: &str, lab: Lab) -> Result<u32, String> {
    let number = text
        .parse::<u32>()
        .ok()
        .filter(|n| (1..=MOST_CPUS).contains(n));
    match (lab, number) {
        (Lab::Exact, Some(1)) => Ok(1),
        (Lab::Kvm, Some(n)) => Ok(n),
        (Lab::Host, Some(n)) if n == host_cpus() => Ok(n),
        (Lab::Host, Some(_)) => Err(format!(
            "the lab host has the CPUs that there are, {}; to have fewer, start execlab under `taskset`",
            host_cpus()
        )),
        (Lab::Exact, Some(_)) => Err(format!(
            "the lab exact has one virtual CPU, not {text}: with two, kernels 5.10 and 6.1 hang while the \
             second one starts, and from 6.12 on each CPU stands still for 12 to 104 ms at a time while \
             the other runs; that repeats exactly, but what is lost then is an artefact. Races between \
             CPUs are for the labs `kvm` and `host`"
        )),
        (_, None) => Err(format!(
            "`{text}` is no number of CPUs: write a whole number from 1 to {MOST_CPUS} (the lab exact has 1)"
        )),
    }
}

/// As many as this process may use.
fn host_cpus() -> u32 {
    let found = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(found).unwrap_or(MOST_CPUS)
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let range = match text.split_once("..") {
        None => text.parse().ok().map(|n| (0, n)),
        Some((a, b)) => a.parse().ok().zip(b.parse().ok()),
    };
    let (from, to) = range.filter(|(a, b)| a <= b).ok_or_else(|| {
        format!("`{text}` is no range of seeds: write `N` (that many) or `A..B` (from A up to, without, B)")
    })?;
    if to - from > MOST_TRIALS {
        return Err(format!("`{text}` are more than {MOST_TRIALS} seeds"));
    }
    Ok((from, to))
}

/// The message about a name that is none: the nearest one, and all that there are.
pub(crate) fn unknown<'a>(
    kind: &str,
    name: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    let hint = nearest(name, valid.iter().copied())
        .map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
    let all = if valid.is_empty() {
        "there are none".to_owned()
    } else {
        format!("valid: {}", valid.join(", "))
    };
    format!("unknown {kind} `{name}`{hint} ({all})")
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
