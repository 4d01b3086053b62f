//! The three headings of a matrix: what is in the results, each once, sorted and named.

use execlab_model::{
    result::{KernelId, TrialResult},
    workload::{Spawn, Workload},
};

use super::{Backend, Kernel, Role, Setup};
use crate::{
    number,
    order::natural,
    text::{clean, plural},
};

/// How the control is called for people; its label is that of its trials.
pub const CONTROL: &str = "control (A/A)";

/// The release is no part of it: before a guest ran it is the lock's word.
pub(super) fn same_kernel(a: &KernelId, b: &KernelId) -> bool {
    a.name == b.name && a.sha256 == b.sha256
}

pub(super) fn kernels(results: &[TrialResult]) -> Vec<Kernel<'_>> {
    let mut ids: Vec<&KernelId> = Vec::new();
    for trial in results {
        match ids.iter_mut().find(|id| same_kernel(id, &trial.kernel)) {
            None => ids.push(&trial.kernel),
            // The guest's word is better than the lock's.
            Some(id) if trial.truth.is_some() => *id = &trial.kernel,
            Some(_) => {}
        }
    }
    ids.sort_by(|a, b| natural(&a.name, &b.name).then_with(|| a.sha256.cmp(&b.sha256)));
    let label = |id: &KernelId| {
        let name = clean(&id.name);
        if ids.iter().filter(|other| other.name == id.name).count() > 1 {
            format!(
                "{name}@{}",
                clean(&id.sha256.chars().take(8).collect::<String>())
            )
        } else {
            name
        }
    };
    ids.iter()
        .map(|id| Kernel {
            id,
            label: label(id),
        })
        .collect()
}

pub(super) fn backends(results: &[TrialResult]) -> Vec<Backend<'_>> {
    let mut all: Vec<Backend<'_>> = Vec::new();
    for trial in results {
        if !all.iter().any(|b| b.is_of(trial)) {
            all.push(Backend {
                spec: &trial.backend,
                boot: if trial.is_baseline() {
                    &trial.boot
                } else {
                    &[]
                },
                label: clean(&trial.backend_label()),
                brief: if trial.is_control() {
                    CONTROL.into()
                } else {
                    clean(&trial.backend_label())
                },
                role: Role::of(trial),
            });
        }
    }
    if all.iter().all(Backend::is_default) {
        for backend in &mut all {
            if backend.role == Role::Watcher {
                backend.brief = clean(&backend.spec.name);
            }
        }
    }
    all.sort_by(|a, b| {
        a.role
            .cmp(&b.role)
            .then_with(|| natural(&a.label, &b.label))
            .then_with(|| a.spec.cmp(b.spec))
    });
    all
}

pub(super) fn setups(results: &[TrialResult]) -> Vec<Setup<'_>> {
    let mut all: Vec<Setup<'_>> = Vec::new();
    for trial in results {
        if !all.iter().any(|s| s.is_of(trial)) {
            let (workload, lab, cpus) = (&trial.workload, trial.lab, trial.cpus);
            all.push(Setup {
                workload,
                lab,
                cpus,
                label: describe(workload),
            });
        }
    }
    let key = |s: &Setup<'_>| {
        let w = s.workload;
        (
            s.lab,
            s.cpus,
            w.load,
            w.execs,
            w.lifetime_ns,
            w.spawn,
            w.population,
        )
    };
    all.sort_by(|a, b| {
        natural(&a.workload.scenario, &b.workload.scenario).then_with(|| key(a).cmp(&key(b)))
    });
    if all
        .iter()
        .any(|s| (s.lab, s.cpus) != (all[0].lab, all[0].cpus))
    {
        for setup in &mut all {
            let cpus = plural(setup.cpus as usize, "CPU");
            setup.label += &format!(", lab {}, {cpus}", setup.lab);
        }
    }
    all
}

/// `relative+life=1ms`: a workload as in the id of a trial, for names of cells.
pub(super) fn storm(workload: &Workload) -> String {
    let mut name = clean(&workload.scenario);
    if workload.spawn == Spawn::Fork {
        name += "+fork";
    }
    if workload.lifetime_ns > 0 {
        name += &format!("+life={}", number::exact_duration(workload.lifetime_ns));
    }
    if workload.population > 0 {
        name += &format!("+pop={}", workload.population);
    }
    name
}

fn describe(workload: &Workload) -> String {
    let mut label = format!(
        "{}, {}, {} execs",
        clean(&workload.scenario),
        workload.load,
        number::thousands(f64::from(workload.execs))
    );
    if workload.lifetime_ns > 0 {
        label += &format!(
            ", each living {}",
            number::duration(workload.lifetime_ns as f64)
        );
    }
    if workload.spawn == Spawn::Fork {
        label += ", by fork";
    }
    if workload.population > 0 {
        let sleeping = number::thousands(f64::from(workload.population));
        label += &format!(", among {sleeping} sleeping processes");
    }
    label
}
