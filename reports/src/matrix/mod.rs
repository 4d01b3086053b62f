//! Trials gathered into cells: a cell is all seeds of the same trial.
//!
//! The order of `results.jsonl` is the order in which trials happened to end; a matrix sorts by
//! names, so that the same results give the same document.

mod apart;
mod figure;
mod headings;

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    plan::BackendSpec,
    result::{KernelId, Lab, Status, TrialResult},
    workload::Workload,
};

pub use apart::Apart;
pub use figure::{Figure, Spread, is_silent, print_interval};

use crate::{
    interval::Interval,
    metric::{METRICS, Metric, Place, Reading},
    text::clean,
};
pub use headings::CONTROL;
use headings::{backends, kernels, same_kernel, setups, storm};

/// All results, as a table of cells with three headings.
#[derive(Debug)]
pub struct Matrix<'a> {
    /// What was watched, and where time came from.
    pub setups: Vec<Setup<'a>>,
    /// On which kernels.
    pub kernels: Vec<Kernel<'a>>,
    /// What watched; the baseline first, then the control.
    pub backends: Vec<Backend<'a>>,
    cells: BTreeMap<At, Cell<'a>>,
}

/// Where a cell stands: indices into the three lists of its matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Into [`Matrix::setups`].
    pub setup: usize,
    /// Into [`Matrix::kernels`].
    pub kernel: usize,
    /// Into [`Matrix::backends`].
    pub backend: usize,
}

/// A workload in a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup<'a> {
    /// What was watched.
    pub workload: &'a Workload,
    /// Where time came from.
    pub lab: Lab,
    /// Virtual CPUs.
    pub cpus: u32,
    /// In words.
    pub label: String,
}

/// A kernel.
#[derive(Debug, Clone)]
pub struct Kernel<'a> {
    /// Which one.
    pub id: &'a KernelId,
    /// Its name, with the start of its hash where two share the name.
    pub label: String,
}

/// A backend with its settings.
#[derive(Debug, Clone)]
pub struct Backend<'a> {
    /// Which one.
    pub spec: &'a BackendSpec,
    /// Options that a baseline was booted with, so that a backend which needs them can be compared;
    /// the plain baseline and every backend have none here.
    pub boot: &'a [String],
    /// `name+variant`.
    pub label: String,
    /// As [`Self::label`], but only the name where every backend has its default settings; of the
    /// control [`CONTROL`].
    pub brief: String,
    /// What it is there for.
    pub role: Role,
}

/// What a backend is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The trial without a monitor, with which others are compared.
    Baseline,
    /// The same once more, compared with it (A/A): what it seems to cost is what the lab cannot tell
    /// from nothing.
    Control,
    /// The kernel itself counts, and nothing is compared with it.
    Witness,
    /// Watches.
    Watcher,
}

/// All seeds of the same trial.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Where it stands.
    pub at: At,
    /// One for each seed, in their order.
    pub trials: Vec<&'a TrialResult>,
}

impl<'a> Matrix<'a> {
    /// Gathers results.
    pub fn new(results: &'a [TrialResult]) -> Self {
        let kernels = kernels(results);
        let setups = setups(results);
        let backends = backends(results);
        let mut cells = BTreeMap::<At, Cell<'a>>::new();
        for trial in results {
            let at = At {
                setup: position(&setups, |s| s.is_of(trial)),
                kernel: position(&kernels, |k| same_kernel(k.id, &trial.kernel)),
                backend: position(&backends, |b| b.is_of(trial)),
            };
            let cell = cells.entry(at).or_insert_with(|| Cell {
                at,
                trials: Vec::new(),
            });
            cell.trials.push(trial);
        }
        for cell in cells.values_mut() {
            cell.trials
                .sort_by(|a, b| a.seed.cmp(&b.seed).then_with(|| a.trial.cmp(&b.trial)));
        }
        Self {
            setups,
            kernels,
            backends,
            cells,
        }
    }

    /// All cells, by setup, then kernel, then backend.
    pub fn cells(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.values()
    }

    /// Cells with a monitor.
    pub fn watched(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells().filter(|c| self.role(c.at) == Role::Watcher)
    }

    /// What the backend of a cell is there for.
    pub fn role(&self, at: At) -> Role {
        self.backends[at.backend].role
    }

    /// The control of a cell's kernel and workload.
    pub fn control(&self, at: At) -> Option<&Cell<'a>> {
        let backend = self.backends.iter().position(|b| b.role == Role::Control)?;
        self.cell(At { backend, ..at })
    }

    /// Cells that are compared with a baseline, and so have a row in a table of comparisons: the
    /// control and everything with a monitor.
    pub fn compared(&self, setup: usize) -> impl Iterator<Item = &Cell<'a>> {
        self.of_setup(setup)
            .filter(|c| matches!(self.role(c.at), Role::Control | Role::Watcher))
    }

    /// The cell at a place.
    pub fn cell(&self, at: At) -> Option<&Cell<'a>> {
        self.cells.get(&at)
    }

    /// Cells of one setup.
    pub fn of_setup(&self, setup: usize) -> impl Iterator<Item = &Cell<'a>> {
        self.cells().filter(move |c| c.at.setup == setup)
    }

    /// `6.1/ebpf+default/relative/closed`, as people read it.
    pub fn name(&self, at: At) -> String {
        let setup = &self.setups[at.setup];
        format!(
            "{}/{}/{}/{}{}",
            self.kernels[at.kernel].label,
            self.backends[at.backend].label,
            storm(setup.workload),
            setup.workload.load,
            self.lab_suffix(setup)
        )
    }

    /// `6.1/relative/closed`: the kernel and the workload of a cell.
    pub fn place(&self, at: At) -> String {
        let setup = &self.setups[at.setup];
        format!(
            "{}/{}/{}{}",
            self.kernels[at.kernel].label,
            storm(setup.workload),
            setup.workload.load,
            self.lab_suffix(setup)
        )
    }

    /// Which lab, where there are several.
    fn lab_suffix(&self, setup: &Setup<'_>) -> String {
        if self.is_mixed() {
            format!("/{}", setup.lab)
        } else {
            String::new()
        }
    }

    /// Whether figures of several labs, or of machines with other numbers of CPUs, are in it.
    pub fn is_mixed(&self) -> bool {
        let first = self.setups.first();
        let machine = |s: &Setup<'_>| (s.lab, s.cpus);
        self.setups
            .iter()
            .any(|s| Some(machine(s)) != first.map(machine))
    }

    /// The metrics that have a column here: a column full of zeros or of nothing tells nothing.
    pub fn columns(&self) -> Vec<&'static Metric> {
        METRICS
            .iter()
            .filter(|metric| match metric.place {
                Place::Column => true,
                Place::ColumnIfAny => self.cells().any(|c| {
                    c.figure(metric)
                        .numbers
                        .is_some_and(|n| n.max != 0.0 || n.min != 0.0)
                }),
                Place::Detail => false,
            })
            .collect()
    }

    /// The unit of cost of these results.
    pub fn cost_unit(&self) -> String {
        Self::units(self.cells())
    }

    /// The unit of cost of one setup.
    pub fn cost_unit_of(&self, setup: usize) -> String {
        Self::units(self.of_setup(setup))
    }

    fn units<'c>(cells: impl Iterator<Item = &'c Cell<'a>>) -> String
    where
        'a: 'c,
    {
        let units: BTreeSet<String> = cells
            .flat_map(|c| &c.trials)
            .filter_map(|t| Some(clean(&t.cost.as_ref()?.unit)))
            .collect();
        if units.is_empty() {
            return "cost".into();
        }
        units.into_iter().collect::<Vec<_>>().join(" or ")
    }

    /// Whether every backend runs with its default settings, so that nobody needs to be told each time.
    pub fn only_defaults(&self) -> bool {
        self.backends.iter().all(Backend::is_default)
    }

    /// Whether any cell has more than one seed.
    pub fn has_seeds(&self) -> bool {
        self.cells().any(|c| c.trials.len() > 1)
    }
}

impl Role {
    /// Of what watched in a trial.
    pub fn of(trial: &TrialResult) -> Self {
        if trial.is_baseline() {
            Self::Baseline
        } else if trial.is_control() {
            Self::Control
        } else if trial.is_witness() {
            Self::Witness
        } else {
            Self::Watcher
        }
    }
}

impl Backend<'_> {
    fn is_of(&self, trial: &TrialResult) -> bool {
        *self.spec == trial.backend && (self.role != Role::Baseline || *self.boot == *trial.boot)
    }

    fn is_default(&self) -> bool {
        self.role != Role::Watcher || self.spec.variant == BackendSpec::DEFAULT
    }
}

impl Setup<'_> {
    fn is_of(&self, trial: &TrialResult) -> bool {
        *self.workload == trial.workload && self.lab == trial.lab && self.cpus == trial.cpus
    }
}

impl<'a> Cell<'a> {
    /// What a metric says.
    pub fn figure(&self, metric: &Metric) -> Figure {
        let mut figure = Figure::default();
        let mut numbers = Vec::with_capacity(self.trials.len());
        for reading in self.trials.iter().filter_map(|t| metric.of(t)) {
            match reading {
                Reading::Number(n) => numbers.push(n),
                Reading::Word(word) => *figure.words.entry(word).or_default() += 1,
            }
        }
        figure.numbers = Spread::of(&numbers);
        if self.is_sampled() && metric.unit.is_sampled() {
            figure.interval = Interval::of(&numbers);
        }
        figure
    }

    /// Whether each of its trials is one sample of many: in the exact lab a seed is another experiment,
    /// and what lies between seeds is no uncertainty.
    pub fn is_sampled(&self) -> bool {
        !self.any().lab.is_exact()
    }

    /// The worst that became of a seed.
    pub fn status(&self) -> Status {
        self.trials
            .iter()
            .map(|t| t.status)
            .max()
            .unwrap_or(Status::Infra)
    }

    /// The worst status, and of how many seeds if not of all.
    pub fn status_label(&self) -> String {
        let worst = self.status();
        let count = self.trials.iter().filter(|t| t.status == worst).count();
        if count == self.trials.len() {
            worst.as_str().into()
        } else {
            format!("{worst} {count} of {}", self.trials.len())
        }
    }

    /// Whether any seed was scored.
    pub fn is_scored(&self) -> bool {
        self.trials.iter().any(|t| t.completeness.is_some())
    }

    /// Seeds, in their order.
    pub fn seeds(&self) -> impl Iterator<Item = u64> {
        self.trials.iter().map(|t| t.seed)
    }

    /// One of its trials; all of them have the same kernel, workload and backend.
    pub fn any(&self) -> &'a TrialResult {
        self.trials[0]
    }
}

fn position<T>(all: &[T], is: impl Fn(&T) -> bool) -> usize {
    all.iter()
        .position(is)
        .expect("the lists were made of these results")
}
