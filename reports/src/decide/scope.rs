//! Which results a decision is made of, and whether they belong together.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    repeat::Repeat,
    result::{KernelId, TrialResult},
};

use super::{Context, Kernels, Question, again};
use crate::{
    matrix::{Cell, Matrix, Role},
    overview::Overview,
    repeat::{Differing, Repeatability},
    text::{clean, list, plural},
};

/// Why nothing can be decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotDecide {
    /// There is no trial that watched.
    #[error("nothing is left to decide on: no trial of a monitor is in the results{0}")]
    Nothing(
        /// Of what there is none, in words that begin with a space; empty where there is none at all.
        String,
    ),
    /// Something was named that the results do not have.
    #[error("the results have no {what} `{name}` (they have: {})", has.join(", "))]
    NoSuch {
        /// What it was to be.
        what: &'static str,
        /// As it was named.
        name: String,
        /// What there is.
        has: Vec<String>,
    },
    /// They are not of one machine.
    #[error("results of different {what} cannot be decided on together ({})", values.join("; "))]
    Mixed {
        /// What differs.
        what: &'static str,
        /// In which way.
        values: Vec<String>,
    },
}

/// Those of the kernels, scenarios and loads that are asked for.
pub(super) fn select(
    results: &[TrialResult],
    question: &Question,
) -> Result<Vec<TrialResult>, CannotDecide> {
    for kernel in &question.kernels {
        let there = results.iter().any(|t| kernel.means(&t.kernel));
        let of = |t: &TrialResult| t.kernel.name.clone();
        match kernel {
            _ if there => {}
            Kernels::Name(name) => return Err(no_such("kernel", name, results, of)),
            Kernels::Range(..) => {
                let has = names(results, of).join(", ");
                let within = format!(" for the kernels `{kernel}` (they have: {has})");
                return Err(CannotDecide::Nothing(within));
            }
        }
    }
    for name in &question.scenarios {
        if !results.iter().any(|t| t.workload.scenario == *name) {
            let of = |t: &TrialResult| t.workload.scenario.clone();
            return Err(no_such("workload", name, results, of));
        }
    }
    for load in &question.loads {
        if !results.iter().any(|t| t.workload.load == *load) {
            let of = |t: &TrialResult| t.workload.load.to_string();
            return Err(no_such("load", &load.to_string(), results, of));
        }
    }
    let is_asked = |t: &&TrialResult| {
        let any = |empty: bool, found: bool| empty || found;
        any(
            question.kernels.is_empty(),
            question.kernels.iter().any(|k| k.means(&t.kernel)),
        ) && any(
            question.scenarios.is_empty(),
            question.scenarios.contains(&t.workload.scenario),
        ) && any(
            question.loads.is_empty(),
            question.loads.contains(&t.workload.load),
        )
    };
    Ok(results.iter().filter(is_asked).cloned().collect())
}

fn no_such(
    what: &'static str,
    name: &str,
    results: &[TrialResult],
    of: impl Fn(&TrialResult) -> String,
) -> CannotDecide {
    CannotDecide::NoSuch {
        what,
        name: clean(name),
        has: names(results, of),
    }
}

fn names(results: &[TrialResult], of: impl Fn(&TrialResult) -> String) -> Vec<String> {
    let names: BTreeSet<String> = results.iter().map(|t| clean(&of(t))).collect();
    names.into_iter().collect()
}

/// A place where each candidate has to stand: indices into the lists of a matrix, and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub setup: usize,
    pub kernel: usize,
    pub seed: u64,
}

/// Results of one machine.
pub(super) struct Scope<'a> {
    pub matrix: Matrix<'a>,
    results: &'a [TrialResult],
    /// Wherever anything was measured, be it a baseline.
    pub places: BTreeSet<Place>,
    /// Indices into the backends of the matrix.
    pub candidates: Vec<usize>,
    /// For each setup, whether its scenario is one of containers.
    pub contained: Vec<bool>,
    /// Kernels in an asked range that could have been measured, and were not.
    pub unmeasured: Vec<String>,
    repeatability: Repeatability,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        results: &'a [TrialResult],
        question: &Question,
    ) -> Result<Self, CannotDecide> {
        let matrix = Matrix::new(results);
        let mut places = BTreeSet::new();
        // A baseline alone makes a place too: whoever was not measured there is not taken to be good there.
        for cell in matrix.cells() {
            places.extend(cell.seeds().map(|seed| Place {
                setup: cell.at.setup,
                kernel: cell.at.kernel,
                seed,
            }));
        }
        if matrix.watched().next().is_none() {
            let named = !(question.kernels.is_empty()
                && question.scenarios.is_empty()
                && question.loads.is_empty());
            let within = " for these kernels, workloads and loads";
            let within = if named { within } else { "" };
            return Err(CannotDecide::Nothing(within.to_owned()));
        }
        one_machine(results)?;
        let candidates = (0..matrix.backends.len())
            .filter(|&at| matrix.backends[at].role == Role::Watcher)
            .collect();
        let contained = matrix
            .setups
            .iter()
            .map(|setup| question.containers.contains(&setup.workload.scenario))
            .collect();
        let unmeasured = if question.kernels.is_empty() {
            Vec::new()
        } else {
            without_results(&matrix, question)
        };
        let trials: BTreeSet<&str> = results.iter().map(|t| t.trial.as_str()).collect();
        let repeats = question.repeats.iter();
        let repeats: Vec<Repeat> = repeats
            .filter(|repeat| trials.contains(repeat.trial.as_str()))
            .cloned()
            .collect();
        Ok(Self {
            matrix,
            results,
            places,
            candidates,
            contained,
            unmeasured,
            repeatability: Repeatability::new(results, &repeats),
        })
    }

    /// How a trial did not repeat, if it was seen not to.
    pub(super) fn differing(&self, trial: &TrialResult) -> Option<&Differing> {
        let mut all = self.repeatability.differing.iter();
        all.find(|found| found.one == trial.trial || found.other == trial.trial)
    }

    /// Cells of a candidate.
    pub(super) fn cells(&self, backend: usize) -> impl Iterator<Item = &Cell<'a>> {
        self.matrix
            .cells()
            .filter(move |cell| cell.at.backend == backend)
    }

    pub(super) fn name(&self, backend: usize) -> String {
        self.matrix.backends[backend].label.clone()
    }

    pub(super) fn kernel(&self, kernel: usize) -> String {
        self.matrix.kernels[kernel].label.clone()
    }

    pub(super) fn context(&self, question: &Question) -> Context {
        let overview = Overview::new(self.results, &self.repeatability, &self.matrix);
        let first = &self.matrix.setups[0];
        let kernels = self.matrix.kernels.iter().map(|kernel| {
            let id = kernel.id;
            (kernel.label.clone(), clean(&id.release), clean(&id.sha256))
        });
        let scenarios: BTreeSet<String> = self
            .matrix
            .setups
            .iter()
            .zip(&self.contained)
            .filter(|(_, contained)| **contained)
            .map(|(setup, _)| clean(&setup.workload.scenario))
            .collect();
        let facts = overview.facts.into_iter();
        let facts = facts.filter(|(name, _)| !["Kernels", "Workloads", "Backends"].contains(name));
        let mut cautions = overview.warnings;
        if !first.lab.is_exact() {
            cautions.push(format!(
                "in the lab {} each trial is one sample, and the worst of them decided: more seeds can only make a figure worse",
                first.lab
            ));
        }
        let kernels_without_results = without_results(&self.matrix, question);
        if !kernels_without_results.is_empty() {
            let (which, so) = if self.unmeasured.is_empty() {
                (
                    "that could have been",
                    "what is decided here says nothing of them",
                )
            } else {
                (
                    "that were asked for",
                    "nothing can be recommended before that",
                )
            };
            cautions.push(format!(
                "nothing was measured on {} of the kernels {which} ({}): {so}",
                kernels_without_results.len(),
                list(&kernels_without_results)
            ));
        }
        let left_out = again::left_out(self, &self.candidates);
        if !left_out.is_empty() {
            cautions.push(format!(
                "the commands that measure again leave out {}: variants of a matrix file and programs of others are measured again with that file or that program alone",
                list(&left_out)
            ));
        }
        Context {
            needs: question.needs.iter().map(ToString::to_string).collect(),
            without: question.without.clone(),
            kernels: kernels.collect(),
            kernels_without_results,
            workloads: self.matrix.setups.iter().map(|s| s.label.clone()).collect(),
            container_scenarios: scenarios.into_iter().collect(),
            lab: first.lab,
            cpus: first.cpus,
            cost_unit: self.matrix.cost_unit(),
            facts: facts
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            trials: self.matrix.watched().map(|cell| cell.trials.len()).sum(),
            places: self.places.len(),
            sources: question.sources.clone(),
            cautions,
        }
    }
}

/// Known kernels on which nothing was measured: those that were asked for, or all where none were named.
fn without_results(matrix: &Matrix<'_>, question: &Question) -> Vec<String> {
    let named = |name: &String| KernelId {
        name: name.clone(),
        release: String::new(),
        sha256: String::new(),
    };
    let is_missing = |name: &&String| {
        let asked =
            question.kernels.is_empty() || question.kernels.iter().any(|k| k.means(&named(name)));
        asked && !matrix.kernels.iter().any(|k| k.id.name == **name)
    };
    let missing = question.known_kernels.iter().filter(is_missing);
    missing.map(|name| clean(name)).collect()
}

/// What is told of a trial, if it is.
type Of = fn(&TrialResult) -> Option<String>;

/// Figures of two labs, versions of QEMU or models of a CPU are never compared silently, and so not at all here.
fn one_machine(results: &[TrialResult]) -> Result<(), CannotDecide> {
    let lab: Of = |t| Some(format!("{}, {}", t.lab, plural(t.cpus as usize, "CPU")));
    let qemu: Of = |t| t.provenance.qemu.clone();
    let cpu: Of = |t| {
        let line = &t.provenance.command_line;
        let at = line.iter().position(|argument| argument == "-cpu")?;
        line.get(at + 1).cloned()
    };
    let unit: Of = |t| Some(t.cost.as_ref()?.unit.clone());
    let checks: [(&str, Of); 4] = [
        ("labs or numbers of CPUs", lab),
        ("versions of QEMU", qemu),
        ("models of CPU", cpu),
        ("units of cost", unit),
    ];
    for (what, of) in checks {
        let mut values: BTreeMap<String, usize> = BTreeMap::new();
        for value in results.iter().filter_map(of) {
            *values.entry(clean(&value)).or_default() += 1;
        }
        if values.len() > 1 {
            let say =
                |(value, count): (String, usize)| format!("{value}: {}", plural(count, "trial"));
            return Err(CannotDecide::Mixed {
                what,
                values: values.into_iter().map(say).collect(),
            });
        }
    }
    Ok(())
}
