//! Which rows of two runs belong together.

use std::collections::BTreeMap;

use execlab_model::{
    result::{Lab, Status, TrialResult},
    workload::{Load, Spawn},
};

use crate::{number, order::natural, text::clean};

/// All seeds of the same trial in one run.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub key: Key<'a>,
    /// By seed.
    pub trials: Vec<&'a TrialResult>,
}

/// What a row is known by. Versions and hashes are no part of it: the same row of a later run has others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    place: Place<'a>,
    lab: Lab,
    cpus: u32,
    execs: u32,
}

/// Of a key, what no two runs may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    kernel: &'a str,
    backend: &'a str,
    variant: &'a str,
    /// Of a baseline, whose variant is always the same.
    boot: &'a [String],
    scenario: &'a str,
    load: Load,
    lifetime_ns: u64,
    spawn: Spawn,
    population: u32,
}

impl<'a> Key<'a> {
    fn of(trial: &'a TrialResult) -> Self {
        let workload = &trial.workload;
        Self {
            place: Place {
                kernel: &trial.kernel.name,
                backend: &trial.backend.name,
                variant: &trial.backend.variant,
                boot: if trial.is_baseline() {
                    &trial.boot
                } else {
                    &[]
                },
                scenario: &workload.scenario,
                load: workload.load,
                lifetime_ns: workload.lifetime_ns,
                spawn: workload.spawn,
                population: workload.population,
            },
            lab: trial.lab,
            cpus: trial.cpus,
            execs: workload.execs,
        }
    }
}

impl<'a> Cell<'a> {
    /// All rows of a run.
    pub fn all(results: &'a [TrialResult]) -> Vec<Self> {
        let mut cells: BTreeMap<Key<'a>, Vec<&'a TrialResult>> = BTreeMap::new();
        for trial in results {
            cells.entry(Key::of(trial)).or_default().push(trial);
        }
        let cell = |(key, mut trials): (Key<'a>, Vec<&'a TrialResult>)| {
            trials.sort_by(|a, b| a.seed.cmp(&b.seed).then_with(|| a.trial.cmp(&b.trial)));
            Self { key, trials }
        };
        cells.into_iter().map(cell).collect()
    }

    /// One of its trials; what makes the row is the same in all.
    pub fn any(&self) -> &'a TrialResult {
        self.trials[0]
    }

    /// The worst that became of a seed.
    pub fn status(&self) -> Status {
        let worst = self.trials.iter().map(|t| t.status).max();
        worst.expect("a row has a trial")
    }

    /// `6.1/netlink+default/relative/closed`, and what is not as usual.
    pub fn name(&self) -> String {
        let (trial, workload) = (self.any(), &self.any().workload);
        let mut name = format!(
            "{}/{}/{}/{}",
            clean(&trial.kernel.name),
            clean(&trial.backend_label()),
            clean(&workload.scenario),
            workload.load
        );
        if workload.lifetime_ns > 0 {
            let life = number::duration(workload.lifetime_ns as f64);
            name += &format!("/life {life}");
        }
        if workload.spawn != Spawn::Vfork {
            name += &format!("/{}", workload.spawn);
        }
        if workload.population > 0 {
            name += &format!("/{} asleep", workload.population);
        }
        name
    }
}

/// A row of one run or of both.
pub(super) type Pair<'c, 'a> = (Option<&'c Cell<'a>>, Option<&'c Cell<'a>>);

/// Puts rows beside each other: those of one key, and of what is left those that differ only in their lab, CPUs or
/// execs, where it is clear which belong together.
pub(super) fn pairs<'c, 'a>(base: &'c [Cell<'a>], new: &'c [Cell<'a>]) -> Vec<Pair<'c, 'a>> {
    let mut pairs: Vec<Pair<'c, 'a>> = Vec::new();
    let with = |cells: &'c [Cell<'a>], key: &Key<'_>| cells.iter().find(|c| c.key == *key);
    let alone = |cells: &'c [Cell<'a>], others: &'c [Cell<'a>]| -> Vec<&'c Cell<'a>> {
        let alone = |c: &&Cell<'_>| with(others, &c.key).is_none();
        cells.iter().filter(alone).collect()
    };
    for cell in base {
        if let Some(other) = with(new, &cell.key) {
            pairs.push((Some(cell), Some(other)));
        }
    }
    let (only_base, only_new) = (alone(base, new), alone(new, base));
    let at = |cells: &[&'c Cell<'a>], place: Place<'_>| -> Option<&'c Cell<'a>> {
        let mut there = cells.iter().filter(|c| c.key.place == place);
        there.next().copied().filter(|_| there.next().is_none())
    };
    let mate = |cell: &Cell<'a>, own: &[&'c Cell<'a>], others: &[&'c Cell<'a>]| {
        at(own, cell.key.place).and_then(|_| at(others, cell.key.place))
    };
    for cell in &only_base {
        pairs.push((Some(cell), mate(cell, &only_base, &only_new)));
    }
    for cell in &only_new {
        if mate(cell, &only_new, &only_base).is_none() {
            pairs.push((None, Some(cell)));
        }
    }
    let name = |pair: &Pair<'_, '_>| pair.0.or(pair.1).map(Cell::name).unwrap_or_default();
    pairs.sort_by(|a, b| natural(&name(a), &name(b)));
    pairs
}

/// Trials of the same seed.
pub(super) fn by_seed<'c, 'a>(
    base: &'c Cell<'a>,
    new: &'c Cell<'a>,
) -> impl Iterator<Item = (&'a TrialResult, &'a TrialResult)> + 'c {
    base.trials.iter().filter_map(|one| {
        let other = new.trials.iter().find(|t| t.seed == one.seed)?;
        Some((*one, *other))
    })
}
