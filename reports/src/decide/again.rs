//! The commands that measure and decide again.

use std::collections::BTreeSet;

use execlab_model::{
    plan::{BackendSpec, PROGRAM_PREFIX},
    result::Lab,
    workload::{Spawn, Workload},
};

use super::{
    Command, Question,
    judge::Judged,
    scope::{Place, Scope},
};
use crate::text::{clean, list, shell};

/// Of each variant that every backend has, what stands behind its name.
const VARIANTS: [(&str, &str); 2] = [(BackendSpec::DEFAULT, ""), ("tuned", "+tuned")];

/// First what was not measured, then all of it, then the decision.
pub(super) fn commands(scope: &Scope<'_>, question: &Question, judged: &[Judged]) -> Vec<Command> {
    let is_open = |j: &&Judged| !j.remains() && !j.has_fallen();
    let open: Vec<&Judged> = judged.iter().filter(is_open).collect();
    let missing: BTreeSet<Place> = open
        .iter()
        .flat_map(|j| j.raw.iter().filter_map(|raw| raw.place))
        .collect();
    let backends: Vec<usize> = open.iter().map(|j| j.backend).collect();
    let mut commands = runs(
        scope,
        &missing,
        &[],
        &backends,
        "Measure what is not known of the undecided",
    );
    // On a host there is only the kernel that runs.
    let can_boot = scope.matrix.setups[0].lab != Lab::Host;
    if can_boot && !scope.unmeasured.is_empty() {
        commands.extend(runs(
            scope,
            &scope.places,
            &scope.unmeasured,
            &backends,
            "Measure the undecided on the kernels that were asked for and not measured",
        ));
    }
    commands.extend(runs(
        scope,
        &scope.places,
        &[],
        &scope.candidates,
        "Measure all of it again",
    ));
    commands.push(Command {
        what: "Decide again".into(),
        command: question.command.clone(),
    });
    commands
}

/// What all workloads of one command have in common.
fn shape(workload: &Workload) -> (String, u32, u64, Spawn, u32) {
    (
        workload.load.to_string(),
        workload.execs,
        workload.lifetime_ns,
        workload.spawn,
        workload.population,
    )
}

/// What measures backends in these places, or in places like these on other kernels.
fn runs(
    scope: &Scope<'_>,
    places: &BTreeSet<Place>,
    other_kernels: &[String],
    backends: &[usize],
    what: &str,
) -> Vec<Command> {
    let workload = |place: &Place| scope.matrix.setups[place.setup].workload;
    let mut shapes: Vec<_> = places.iter().map(|place| shape(workload(place))).collect();
    shapes.sort();
    shapes.dedup();
    let names = names(scope, backends);
    if names.is_empty() {
        return Vec::new();
    }
    let left_out = left_out(scope, backends);
    let what = if left_out.is_empty() {
        what.to_owned()
    } else {
        format!("{what}, but for {}", list(&left_out))
    };
    let command = |shape_of: &(String, u32, u64, Spawn, u32)| {
        let of_shape = || {
            places
                .iter()
                .filter(|place| shape(workload(place)) == *shape_of)
        };
        let kernels: BTreeSet<usize> = of_shape().map(|place| place.kernel).collect();
        let setups: BTreeSet<usize> = of_shape().map(|place| place.setup).collect();
        let first = of_shape().map(|place| place.seed).min().unwrap_or(0);
        let last = of_shape().map(|place| place.seed).max().unwrap_or(0);
        let setup = &scope.matrix.setups[*setups.iter().next().expect("a shape of a place")];
        let kernels = kernels
            .iter()
            .map(|&at| scope.matrix.kernels[at].id.name.as_str());
        let scenarios = setups
            .iter()
            .map(|&at| scope.matrix.setups[at].workload.scenario.as_str());
        let (load, execs, lifetime_ns, spawn, population) = shape_of;
        let mut words = vec!["execlab".to_owned(), "run".to_owned()];
        let mut option = |name: &str, value: String| {
            words.push(format!("--{name}"));
            words.push(value);
        };
        option(
            "kernels",
            if other_kernels.is_empty() {
                joined(kernels)
            } else {
                joined(other_kernels.iter().map(String::as_str))
            },
        );
        option("backends", joined(names.iter().map(String::as_str)));
        option("workloads", joined(scenarios));
        option("load", load.clone());
        option("execs", execs.to_string());
        option("seeds", format!("{first}..{}", last.saturating_add(1)));
        if *lifetime_ns > 0 {
            option("lifetime", format!("{lifetime_ns}ns"));
        }
        if *spawn != Spawn::default() {
            option("spawn", spawn.to_string());
        }
        if *population > 0 {
            option("population", population.to_string());
        }
        if setup.lab != Lab::Exact {
            option("lab", setup.lab.to_string());
        }
        if setup.lab == Lab::Kvm {
            option("cpus", setup.cpus.to_string());
        }
        Command {
            what: what.clone(),
            command: clean(&shell(&words)),
        }
    };
    shapes.iter().map(command).collect()
}

/// As in `--backends`. Variants of a matrix file and programs of others have no such name.
fn name(spec: &BackendSpec) -> Option<String> {
    let (_, end) = VARIANTS.iter().find(|(name, _)| *name == spec.variant)?;
    let is_program = spec.name.starts_with(PROGRAM_PREFIX);
    (!is_program).then(|| format!("{}{end}", spec.name))
}

fn names(scope: &Scope<'_>, backends: &[usize]) -> Vec<String> {
    let spec = |&at: &usize| scope.matrix.backends[at].spec;
    backends.iter().map(spec).filter_map(name).collect()
}

/// Those that no command here can name.
pub(super) fn left_out(scope: &Scope<'_>, backends: &[usize]) -> Vec<String> {
    let is_nameless = |at: &&usize| name(scope.matrix.backends[**at].spec).is_none();
    let nameless = backends.iter().filter(is_nameless);
    nameless.map(|&at| scope.name(at)).collect()
}

fn joined<'t>(names: impl Iterator<Item = &'t str>) -> String {
    names
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(",")
}
