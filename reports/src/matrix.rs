//! Trials gathered into cells: a cell is all seeds of the same trial.
//!
//! The order of `results.jsonl` is the order in which trials happened to end; a matrix sorts by
//! names, so that the same results give the same document.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    plan::BackendSpec,
    result::{Honesty, KernelId, Lab, Status, TrialResult},
    workload::{Spawn, Workload},
};

use crate::{
    metric::{METRICS, Metric, Place, Reading},
    number,
    order::natural,
    text::clean,
};

/// All results, as a table of cells with three headings.
#[derive(Debug)]
pub struct Matrix<'a> {
    /// What was watched, and where time came from.
    pub setups: Vec<Setup<'a>>,
    /// On which kernels.
    pub kernels: Vec<Kernel<'a>>,
    /// What watched; the baseline first.
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
    /// `name+variant`.
    pub label: String,
    /// As [`Self::label`], but only the name where every backend has its default settings.
    pub brief: String,
    /// Whether it is the trial without a monitor.
    pub baseline: bool,
}

/// All seeds of the same trial.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Where it stands.
    pub at: At,
    /// One for each seed, in their order.
    pub trials: Vec<&'a TrialResult>,
}

/// What a metric says of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// Over the seeds with a number.
    pub numbers: Option<Spread>,
    /// How many seeds say which word.
    pub words: BTreeMap<&'static str, usize>,
}

/// Mean and extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Of so many.
    pub count: usize,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        // Summing can leave the mean of equal numbers beside them.
        let mean = (values.iter().sum::<f64>() / values.len() as f64).clamp(min, max);
        Some(Self {
            mean,
            min,
            max,
            count: values.len(),
        })
    }

    /// Whether there is anything to spread.
    pub fn varies(&self) -> bool {
        self.min < self.max
    }
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
                backend: position(&backends, |b| *b.spec == trial.backend),
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
        self.cells()
            .filter(|c| !self.backends[c.at.backend].baseline)
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
        let workload = self.setups[at.setup].workload;
        format!(
            "{}/{}/{}/{}",
            self.kernels[at.kernel].label,
            self.backends[at.backend].label,
            clean(&workload.scenario),
            workload.load
        )
    }

    /// The metrics that have a column here: a column full of zeros or of nothing tells nothing.
    pub fn columns(&self) -> Vec<&'static Metric> {
        METRICS
            .iter()
            .filter(|metric| match metric.place {
                Place::Column => true,
                Place::ColumnIfAny => self
                    .cells()
                    .any(|c| c.figure(metric).numbers.is_some_and(|n| n.max > 0.0)),
                Place::Detail => false,
            })
            .collect()
    }

    /// The unit of cost of these results.
    pub fn cost_unit(&self) -> String {
        let units: BTreeSet<String> = self
            .cells()
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
        self.backends
            .iter()
            .all(|b| b.baseline || b.spec.variant == "default")
    }

    /// Whether any cell has more than one seed.
    pub fn has_seeds(&self) -> bool {
        self.cells().any(|c| c.trials.len() > 1)
    }
}

impl Backend<'_> {
    fn is_default(&self) -> bool {
        self.baseline || self.spec.variant == "default"
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
        figure
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

impl Figure {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_none() && self.words.is_empty()
    }

    /// The mean and the words, for people; empty where nothing was measured.
    pub fn print(&self, metric: &Metric) -> String {
        self.print_words(metric, |word| word)
    }

    /// As [`Self::print`], with other words.
    pub fn print_words(&self, metric: &Metric, say: impl Fn(&str) -> &str) -> String {
        let alone = self.words.len() == 1 && self.numbers.is_none();
        let mut parts: Vec<String> = Vec::new();
        if let Some(numbers) = &self.numbers {
            parts.push(metric.print(numbers.mean));
        }
        parts.extend(self.words.iter().map(|(word, count)| {
            if alone {
                say(word).to_owned()
            } else {
                format!("{count}x {}", say(word))
            }
        }));
        parts.join(", ")
    }

    /// `min..max`, where the seeds differ.
    pub fn print_spread(&self, metric: &Metric) -> Option<String> {
        let spread = self.numbers.filter(Spread::varies)?;
        let (min, max) = (metric.print(spread.min), metric.print(spread.max));
        if min == max {
            return None;
        }
        // The unit is not said twice.
        let min = if max.ends_with('%') {
            min.trim_end_matches('%')
        } else {
            &min
        };
        Some(format!("{min}..{max}"))
    }
}

/// Whether a word of [`Honesty`] means that nobody was told of a loss.
pub fn is_silent(word: &str) -> bool {
    word == Honesty::DidNotKnow.as_str() || word == Honesty::KnewTooLittle.as_str()
}

fn position<T>(all: &[T], is: impl Fn(&T) -> bool) -> usize {
    all.iter()
        .position(is)
        .expect("the lists were made of these results")
}

/// The release is no part of it: before a guest ran it is the lock's word.
fn same_kernel(a: &KernelId, b: &KernelId) -> bool {
    a.name == b.name && a.sha256 == b.sha256
}

fn kernels(results: &[TrialResult]) -> Vec<Kernel<'_>> {
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

fn backends(results: &[TrialResult]) -> Vec<Backend<'_>> {
    let mut all: Vec<Backend<'_>> = Vec::new();
    for trial in results {
        if !all.iter().any(|b| *b.spec == trial.backend) {
            all.push(Backend {
                spec: &trial.backend,
                label: clean(&trial.backend_label()),
                brief: clean(&trial.backend_label()),
                baseline: trial.is_baseline(),
            });
        }
    }
    if all.iter().all(Backend::is_default) {
        for backend in &mut all {
            backend.brief = clean(&backend.spec.name);
        }
    }
    all.sort_by(|a, b| {
        b.baseline
            .cmp(&a.baseline)
            .then_with(|| natural(&a.label, &b.label))
            .then_with(|| a.spec.cmp(b.spec))
    });
    all
}

fn setups(results: &[TrialResult]) -> Vec<Setup<'_>> {
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
            setup.label += &format!(", lab {}, {} CPU", setup.lab, setup.cpus);
        }
    }
    all
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
