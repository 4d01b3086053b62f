//! From text to a [`Matrix`]: every name and value is checked, and every problem is told at once.

use std::{collections::BTreeMap, str::FromStr};

use execlab_model::{plan::BackendSpec, result::Lab, workload::Load};

use super::{
    Given, KVM_CPUS, Matrix, MatrixError, Origin, Own, Problem, SelectedBackend, Selection, Variant,
};
use super::{
    limits,
    programs::{self, Programs},
    values::{baselines, cpus, execs, host_cpus, lab, population, seeds, spawn},
    variants,
};
use crate::{
    duration,
    nearest::nearest,
    program::PREFIX,
    registry::{
        BASELINE, BackendInfo, DEFAULT_VARIANT, Family, RUNNING_KERNEL, Registry, ScenarioInfo,
        TUNED_VARIANT,
    },
};

/// The kernel of the built-in matrix, where it is locked.
const QUICK_KERNEL: &str = "6.12";
const QUICK_EXECS: u32 = 200;
/// Seeds where figures do not repeat: with fewer than six a difference has no interval of 95 %.
const QUICK_SAMPLES: u64 = 8;

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
    let scenarios: Vec<_> = registry.scenarios.iter().map(|s| s.name.as_str()).collect();
    whole.workloads = whole.workloads.map(|named| unfold(named, &scenarios));
    let watching = registry.backends.iter().map(|b| b.name.as_str());
    let watching: Vec<_> = watching.filter(|name| *name != BASELINE).collect();
    whole.backends = whole.backends.map(|named| unfold(named, &watching));
    let backends_place = whole
        .backends
        .iter()
        .flatten()
        .next()
        .map(|g| g.origin.clone());
    let variants = whole.variants;
    let programs = Programs::check(&whole.programs, |given, what| check.problem(given, what));
    variants::check(&variants, registry, &programs, |given, what| {
        check.problem(given, what);
    });
    let last_limit = whole.limits.as_ref().and_then(|all| all.last().cloned());
    let limits = check.each(whole.limits, |_, g| limits::limit(&g.text));
    if let (Some(what), Some(given)) = (limits::twice(&limits), last_limit) {
        check.problem(&given, what);
    }
    let mut matrix = Matrix {
        kernels: check.each(whole.kernels, Check::kernel),
        backends: check
            .each(whole.backends, |c, g| c.backend(g, &variants, &programs))
            .into_iter()
            .map(|backend| limits::under(backend, &limits))
            .collect(),
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
    if let Some(what) = programs::clash(&matrix.backends) {
        let place = backends_place.unwrap_or(Origin::BuiltIn);
        check.problems.push(Problem {
            origin: place,
            what,
        });
    }
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
fn unfold(named: Vec<Given>, names: &[&str]) -> Vec<Given> {
    let unfold = |given: Given| {
        if given.text != ALL {
            return vec![given];
        }
        let each = |name: &&str| Given {
            text: (*name).to_owned(),
            origin: given.origin.clone(),
        };
        names.iter().map(each).collect()
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
    let watching = registry.backends.iter().filter(|b| b.is_first);
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
        limits: None,
        variants: Vec::new(),
        programs: Vec::new(),
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

    fn backend(
        &self,
        given: &Given,
        variants: &[Variant],
        programs: &Programs,
    ) -> Result<SelectedBackend, String> {
        if given.text.starts_with(PREFIX) {
            return programs.backend(given, variants);
        }
        let (name, variant) = given
            .text
            .split_once('+')
            .unwrap_or((&given.text, DEFAULT_VARIANT));
        let info = backend_info(self.registry, name)?;
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
            program: None,
            spec,
        })
    }
}

/// A backend of the registry, or the message that there is none of that name.
pub(super) fn backend_info<'r>(
    registry: &'r Registry,
    name: &str,
) -> Result<&'r BackendInfo, String> {
    let names = registry.backends.iter().map(|b| b.name.as_str());
    registry.backend(name).ok_or_else(|| {
        let what = unknown("backend", name, names.chain([ALL]));
        format!("{what}; `{PREFIX}./monitor` is a program of your own")
    })
}

/// The message about a name that is none: the nearest one, and all that there are.
pub fn unknown<'a>(kind: &str, name: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
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
