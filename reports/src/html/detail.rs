//! Every trial with all its figures.

use execlab_model::result::{Example, LossSum, Status, TrialResult};

use super::status_class;
use crate::{
    matrix::{Cell, Matrix},
    metric::{METRICS, Metric, Reading},
    number::thousands,
    reasons::Reasons,
    text::clean,
};

/// A row of the table of trials, and the page that folds out below it.
pub(super) struct Trial {
    /// Anchor.
    pub number: usize,
    pub name: String,
    pub status: &'static str,
    pub class: &'static str,
    pub reasons: Vec<usize>,
    /// One for each column.
    pub fields: Vec<String>,
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

/// All trials, in the order of the matrix.
pub(super) fn trials(
    matrix: &Matrix<'_>,
    reasons: &Reasons,
    columns: &[&'static Metric],
) -> Vec<Trial> {
    matrix
        .cells()
        .flat_map(|cell| cell.trials.iter().map(move |trial| (cell, *trial)))
        .enumerate()
        .map(|(number, (cell, trial))| row(number, cell, trial, reasons, columns))
        .collect()
}

fn row(
    number: usize,
    cell: &Cell<'_>,
    trial: &TrialResult,
    reasons: &Reasons,
    columns: &[&'static Metric],
) -> Trial {
    let completed = trial.status == Status::Completed;
    Trial {
        number,
        name: clean(&trial.trial),
        status: trial.status.as_str(),
        class: status_class(trial.status),
        reasons: if completed {
            Vec::new()
        } else {
            reasons.numbers(cell)
        },
        fields: columns
            .iter()
            .map(|metric| print(metric, trial).unwrap_or_else(|| "n/a".into()))
            .collect(),
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
        trial.canary.filter(|_| !trial.is_baseline()).map(|c| {
            format!(
                "seen after {} tries before the storm; {} after it",
                c.tries_before,
                if c.seen_after { "seen" } else { "not seen" }
            )
        }),
    );
    add("QEMU", trial.provenance.qemu.clone());
    add(
        "QEMU command line",
        Some(trial.provenance.command_line.join(" ")),
    );
    add("Initramfs", trial.provenance.initramfs.clone());
    facts
}
