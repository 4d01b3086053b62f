//! Every cell with its main figures, and every trial with all of them.

use execlab_model::{
    record::Witness,
    result::{Example, LossSum, TrialResult},
};

use super::status_class;
use crate::{
    machine::Machine,
    matrix::{CONTROL, Cell, Matrix, Role},
    metric::{METRICS, Metric, Reading},
    number::thousands,
    reasons::Reasons,
    text::clean,
};

/// A row of the table: one cell, which is one trial where it has one seed.
pub(super) struct Row {
    pub name: String,
    /// What it is there for, where it does not watch.
    pub role: &'static str,
    /// Number and seed of each of its trials.
    pub seeds: Vec<(usize, u64)>,
    pub status: String,
    pub class: &'static str,
    pub reasons: Vec<usize>,
    /// One for each column: figure and spread.
    pub fields: Vec<(String, String)>,
}

/// The page of a trial, which folds out below the table.
pub(super) struct Trial {
    /// Anchor.
    pub number: usize,
    pub name: String,
    pub status: &'static str,
    pub class: &'static str,
    /// Title, figure and explanation of every metric that it has.
    pub figures: Vec<(&'static str, String, &'static str)>,
    pub reason: String,
    pub losses: Vec<String>,
    pub examples: Vec<ExampleRow>,
    pub notes: Vec<String>,
    /// What else belongs to it.
    pub facts: Vec<(&'static str, String)>,
}

/// An exec that was missed or reported wrong.
pub(super) struct ExampleRow {
    pub what: String,
    pub exec: String,
    pub pid: String,
    pub expected: String,
    pub reported: String,
}

/// All cells, in the order of the matrix.
pub(super) fn rows(
    matrix: &Matrix<'_>,
    reasons: &Reasons,
    columns: &[&'static Metric],
) -> Vec<Row> {
    let mut numbers = 0..;
    let cells = matrix.cells();
    cells
        .map(|cell| Row {
            name: cell_name(cell),
            role: match matrix.role(cell.at) {
                Role::Baseline => "baseline",
                Role::Control => CONTROL,
                Role::Witness => "witness",
                Role::Watcher => "",
            },
            seeds: numbers.by_ref().zip(cell.seeds()).collect(),
            status: cell.status_label(),
            class: status_class(cell.status()),
            reasons: reasons.numbers(cell),
            fields: columns
                .iter()
                .map(|metric| {
                    let figure = cell.figure(metric);
                    if figure.is_empty() {
                        return ("n/a".into(), String::new());
                    }
                    let below: Vec<String> = figure
                        .print_spread(metric)
                        .into_iter()
                        .chain(matrix.caveat(cell, metric).map(str::to_owned))
                        .collect();
                    (figure.print(metric), below.join(", "))
                })
                .collect(),
        })
        .collect()
}

/// The name of its trial; of several seeds, what their names have in common.
fn cell_name(cell: &Cell<'_>) -> String {
    let name = &cell.any().trial;
    match name.rsplit_once('/').filter(|_| cell.trials.len() > 1) {
        Some((common, _)) => clean(common),
        None => clean(name),
    }
}

/// All trials, in the same order.
pub(super) fn trials(matrix: &Matrix<'_>) -> Vec<Trial> {
    let trials = matrix.cells().flat_map(|cell| &cell.trials);
    trials
        .enumerate()
        .map(|(number, trial)| page(number, trial))
        .collect()
}

fn page(number: usize, trial: &TrialResult) -> Trial {
    Trial {
        number,
        name: clean(&trial.trial),
        status: trial.status.as_str(),
        class: status_class(trial.status),
        figures: METRICS
            .iter()
            .filter_map(|metric| Some((metric.title, print(metric, trial)?, metric.help)))
            .collect(),
        reason: trial.reason.as_deref().map(clean).unwrap_or_default(),
        losses: trial
            .loss
            .iter()
            .flat_map(|l| &l.reports)
            .map(loss)
            .collect(),
        examples: trial.examples.iter().map(example).collect(),
        notes: trial.notes.iter().map(|n| clean(n)).collect(),
        facts: facts(trial),
    }
}

fn print(metric: &Metric, trial: &TrialResult) -> Option<String> {
    Some(match metric.of(trial)? {
        Reading::Number(number) => metric.print(number),
        Reading::Word(word) => word.into(),
    })
}

fn loss(sum: &LossSum) -> String {
    let times = thousands(sum.reports as f64);
    let unit = format!("{:?}", sum.unit).to_lowercase();
    match sum.count {
        Some(count) => format!(
            "{}: {} lost, counted in units of \"{unit}\", in {times} reports",
            clean(&sum.source),
            thousands(count as f64)
        ),
        None => format!("{}: {times} reports without a number", clean(&sum.source)),
    }
}

fn example(example: &Example) -> ExampleRow {
    let number = |n: Option<u32>| n.map_or_else(|| "none".into(), |n| n.to_string());
    let bytes = |b: &Option<execlab_model::Bytes>| {
        b.as_ref()
            .map_or_else(|| "nothing".into(), ToString::to_string)
    };
    ExampleRow {
        what: clean(&example.what),
        exec: number(example.exec),
        pid: number(example.pid),
        expected: bytes(&example.expected),
        reported: bytes(&example.reported),
    }
}

fn facts(trial: &TrialResult) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Digest", clean(&trial.digest))];
    let mut add = |name, value: Option<String>| {
        facts.extend(value.filter(|v| !v.is_empty()).map(|v| (name, clean(&v))));
    };
    add("Kernel command line, added", Some(trial.boot.join(" ")));
    let settings = trial
        .backend
        .settings
        .iter()
        .map(|(k, v)| format!("{k}={v}"));
    add("Settings", Some(settings.collect::<Vec<_>>().join(" ")));
    add(
        "Canary",
        trial.canary.filter(|_| trial.is_watched()).map(|c| {
            format!(
                "seen after {} tries before the storm; {} after it",
                c.tries_before,
                if c.seen_after { "seen" } else { "not seen" }
            )
        }),
    );
    add("Counted by the kernel", trial.witness.map(counted));
    add("Machine", Machine::of([trial]).line());
    add("QEMU", trial.provenance.qemu.clone());
    add(
        "QEMU command line",
        Some(trial.provenance.command_line.join(" ")),
    );
    add("Initramfs", trial.provenance.initramfs.clone());
    facts
}

fn counted(heard: Witness) -> String {
    let mut counted = format!(
        "{} new tasks, {} of them threads of its own",
        heard.forks, heard.kernel_threads
    );
    if let Some(execs) = heard.execs {
        counted.push_str(&format!("; {execs} execs"));
    }
    counted
}
