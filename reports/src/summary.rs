//! `summary.json`: what a program wants to know of a run without reading every line of it.

use std::collections::BTreeMap;

use execlab_model::{
    exit::ExitCode,
    repeat::Repeat,
    result::{Status, TrialResult},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bound::bounded,
    cached::cached_since,
    conclude::conclude,
    interval::Interval,
    machine::Machine,
    matrix::{Apart, Cell, Matrix},
    metric::METRICS,
    repeat::Repeatability,
    text::clean,
    witness::{Witnesses, expected},
};

/// Version of the format.
pub const SCHEMA: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// 1.
    pub schema: u32,
    /// Trials by status.
    pub totals: Totals,
    /// How many of them were not run again, because their results were kept by digest.
    #[serde(default)]
    pub cached: usize,
    /// How the command that made the run ends.
    pub exit: Exit,
    /// What to conclude, in sentences for people.
    pub conclusions: Vec<String>,
    /// Whether trials repeat.
    #[serde(default)]
    pub repeatability: Repeatability,
    /// What the kernel counted, and what speaks against the truths.
    #[serde(default)]
    pub witnesses: Witnesses,
    /// One for each cell: all seeds of the same trial.
    pub cells: Vec<CellSummary>,
}

/// How many trials ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are the names of Status")]
pub struct Totals {
    pub trials: usize,
    pub completed: usize,
    pub unsupported: usize,
    pub backend_failed: usize,
    pub lost: usize,
    pub infra: usize,
}

/// An exit code with its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The number that the shell sees.
    pub code: u8,
    /// What it means.
    pub meaning: String,
}

/// Figures of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellSummary {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the backend.
    pub backend: String,
    /// Name of its group of settings.
    pub variant: String,
    /// Whether it is the control (A/A): a baseline once more, compared with the baseline as if it
    /// watched.
    #[serde(default)]
    pub control: bool,
    /// Name of the scenario.
    pub scenario: String,
    /// When the execs came.
    pub load: String,
    /// How many there were to be.
    pub execs: u32,
    /// How long each payload lived.
    pub lifetime_ns: u64,
    /// How each child was made.
    pub spawn: String,
    /// Processes that slept meanwhile.
    pub population: u32,
    /// Where time came from.
    pub lab: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Seeds of its trials.
    pub seeds: Vec<u64>,
    /// Names of its trials.
    pub trials: Vec<String>,
    /// Trials by status.
    pub totals: Totals,
    /// Why trials were not completed.
    pub reasons: Vec<String>,
    /// What the machine did beside its trials, where it is known.
    #[serde(default, skip_serializing_if = "Machine::is_unknown")]
    pub machine: Machine,
    /// By the metric's id; a metric that was not measured is not there.
    pub figures: BTreeMap<String, FigureSummary>,
}

/// A metric over the seeds of a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureSummary {
    /// Middle one of the seeds with a number, or the mean of the two in the middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// Arithmetic mean of the seeds with a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Smallest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Standard deviation over the seeds, of a sample; not there for one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// In labs where each trial is one sample: where the median lies. Of costs and times only, and not
    /// of fewer than six seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Of a difference with an interval: whether it can be told from nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// How many seeds have a number.
    pub count: usize,
    /// How many seeds say which word in place of a number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, usize>,
}

impl Summary {
    /// Of all results of a run.
    pub fn new(results: &[TrialResult], repeats: &[Repeat]) -> Self {
        let bounded = bounded(results);
        let matrix = Matrix::new(&bounded);
        let repeatability = Repeatability::new(results, repeats);
        let witnesses = Witnesses::new(results, &expected);
        let code = exit_code(results)
            .and(repeatability.exit_code())
            .and(witnesses.exit_code());
        Self {
            schema: SCHEMA,
            totals: Totals::of(results.iter().map(|t| t.status)),
            cached: results.iter().filter_map(cached_since).count(),
            exit: Exit::from(code),
            conclusions: conclude(&matrix),
            repeatability,
            witnesses,
            cells: matrix
                .cells()
                .map(|cell| summarize(&matrix, cell))
                .collect(),
        }
    }

    /// Takes in what the results alone do not show, such as trials of the plan that have no line: the
    /// more basic of the two codes is kept.
    #[must_use]
    pub fn and(mut self, code: ExitCode) -> Self {
        self.exit = Exit::from(self.exit_code().and(code));
        self
    }

    /// The code to end with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::BY_PRECEDENCE
            .into_iter()
            .find(|code| code.code() == self.exit.code)
            .unwrap_or(ExitCode::Internal)
    }
}

/// What the results alone say of how the run ended.
fn exit_code(results: &[TrialResult]) -> ExitCode {
    let of = |status| match status {
        Status::Completed | Status::Unsupported => ExitCode::Ok,
        Status::BackendFailed | Status::Infra => ExitCode::Incomplete,
        Status::Lost => ExitCode::GuestLost,
    };
    results
        .iter()
        .map(|t| of(t.status))
        .reduce(ExitCode::and)
        .unwrap_or(ExitCode::NothingSelected)
}

impl Totals {
    fn of(statuses: impl Iterator<Item = Status>) -> Self {
        let mut totals = Self::default();
        for status in statuses {
            totals.trials += 1;
            *match status {
                Status::Completed => &mut totals.completed,
                Status::Unsupported => &mut totals.unsupported,
                Status::BackendFailed => &mut totals.backend_failed,
                Status::Lost => &mut totals.lost,
                Status::Infra => &mut totals.infra,
            } += 1;
        }
        totals
    }
}

impl From<ExitCode> for Exit {
    fn from(code: ExitCode) -> Self {
        Self {
            code: code.code(),
            meaning: code.meaning().into(),
        }
    }
}

fn summarize(matrix: &Matrix<'_>, cell: &Cell<'_>) -> CellSummary {
    let setup = &matrix.setups[cell.at.setup];
    let spec = matrix.backends[cell.at.backend].spec;
    let mut reasons: Vec<String> = cell
        .trials
        .iter()
        .filter_map(|t| t.reason.as_deref())
        .map(clean)
        .collect();
    reasons.dedup();
    let figures = METRICS.iter().filter_map(|metric| {
        let figure = cell.figure(metric);
        let numbers = figure.numbers;
        let summary = FigureSummary {
            median: numbers.map(|n| n.median),
            mean: numbers.map(|n| n.mean),
            min: numbers.map(|n| n.min),
            max: numbers.map(|n| n.max),
            sd: numbers.and_then(|n| n.sd),
            interval: figure.interval,
            apart: matrix.apart(cell, metric),
            count: numbers.map_or(0, |n| n.count),
            words: figure
                .words
                .iter()
                .map(|(w, n)| ((*w).to_owned(), *n))
                .collect(),
        };
        (!figure.is_empty()).then(|| (metric.id.to_owned(), summary))
    });
    CellSummary {
        kernel: matrix.kernels[cell.at.kernel].id.name.clone(),
        backend: spec.name.clone(),
        variant: spec.variant.clone(),
        control: spec.is_control(),
        scenario: setup.workload.scenario.clone(),
        load: setup.workload.load.to_string(),
        execs: setup.workload.execs,
        lifetime_ns: setup.workload.lifetime_ns,
        spawn: setup.workload.spawn.to_string(),
        population: setup.workload.population,
        lab: setup.lab.to_string(),
        cpus: setup.cpus,
        seeds: cell.seeds().collect(),
        trials: cell.trials.iter().map(|t| t.trial.clone()).collect(),
        totals: Totals::of(cell.trials.iter().map(|t| t.status)),
        reasons,
        machine: Machine::of_cell(cell),
        figures: figures.collect(),
    }
}
