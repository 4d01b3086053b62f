//! Every trial with all its figures, as the script makes a page of it.

use std::slice;

use execlab_model::{
    record::Witness,
    result::{Example, LossSum, TrialResult},
};
use serde::Serialize;

use super::{
    counts::GROUPS,
    pool::{Pool, Text, key},
    status_class,
};
use crate::{
    bound::{LONGEST_NAME, MOST_NAMES},
    log_name::log_name,
    machine::Machine,
    matrix::Matrix,
    metric::{METRICS, Metric, Reading},
    number::thousands,
    text::{clean, shell, shorten},
};

/// The block of data that is read when the first page of a trial is opened.
#[derive(Serialize)]
pub(super) struct Pages {
    /// Whatever is a number below, and no count, is the place of a text here.
    texts: Pool,
    /// Title and help.
    metrics: Vec<[&'static str; 2]>,
    /// For each column of the table its metric.
    columns: Vec<usize>,
    /// Title, help and the names of its parts.
    groups: Vec<(&'static str, &'static str, &'static [&'static str])>,
    trials: Vec<Trial>,
}

/// A trial.
#[derive(Serialize)]
struct Trial {
    /// Number of its cell.
    cell: usize,
    name: Text,
    seed: u64,
    status: Text,
    class: Text,
    reason: Text,
    /// One for each metric; 0 where it has none.
    figures: Vec<Text>,
    /// What it is sorted by in each column of the table.
    keys: Vec<Option<f64>>,
    /// One for each group.
    counts: Vec<Option<Vec<u64>>>,
    /// For each label of its sites: name, execs, seen, missed, and seen with the best path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<(Text, [u64; 4])>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    losses: Vec<Text>,
    /// What, exec, PID, truth and report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<[Text; 5]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Text>,
    replay: Text,
    /// Its serial log beside this report; 0 where its name is too long to be known.
    log: Text,
    /// Names and values.
    facts: Vec<[Text; 2]>,
}

/// All trials, in the order of the cells.
pub(super) fn trials(matrix: &Matrix<'_>, columns: &[&'static Metric]) -> Pages {
    let mut texts = Pool::new();
    let trials = matrix
        .cells()
        .enumerate()
        .flat_map(|(at, cell)| cell.trials.iter().map(move |trial| (at, *trial)))
        .map(|(at, trial)| data(&mut texts, at, trial, columns))
        .collect();
    Pages {
        metrics: METRICS.iter().map(|m| [m.title, m.help]).collect(),
        columns: columns
            .iter()
            .filter_map(|column| METRICS.iter().position(|m| m.id == column.id))
            .collect(),
        groups: GROUPS.iter().map(|g| (g.title, g.help, g.names)).collect(),
        trials,
        texts,
    }
}

fn data(texts: &mut Pool, cell: usize, trial: &TrialResult, columns: &[&'static Metric]) -> Trial {
    let name = clean(&trial.trial);
    let by_label = trial.completeness.iter().flat_map(|c| &c.by_label);
    Trial {
        cell,
        seed: trial.seed,
        status: texts.add(trial.status.as_str()),
        class: texts.add(status_class(trial.status)),
        reason: texts.add(trial.reason.as_deref().map(clean).unwrap_or_default()),
        figures: METRICS
            .iter()
            .map(|metric| texts.add(print(metric, trial).unwrap_or_default()))
            .collect(),
        keys: columns
            .iter()
            .map(|metric| sort_key(metric, trial))
            .collect(),
        counts: GROUPS.iter().map(|group| (group.of)(trial)).collect(),
        labels: by_label
            .take(MOST_LABELS)
            .map(|(label, n)| {
                (
                    texts.add(clean(label)),
                    [n.execs, n.seen, n.missed, n.best_path],
                )
            })
            .collect(),
        losses: trial
            .loss
            .iter()
            .flat_map(|l| &l.reports)
            .map(|sum| texts.add(loss(sum)))
            .collect(),
        examples: trial.examples.iter().map(|e| example(texts, e)).collect(),
        notes: trial.notes.iter().map(|n| texts.add(clean(n))).collect(),
        replay: texts.add(format!(
            "execlab replay . {}",
            shell(slice::from_ref(&name))
        )),
        log: texts.add(log(&trial.trial)),
        facts: facts(trial)
            .into_iter()
            .map(|(name, value)| [texts.add(name), texts.add(value)])
            .collect(),
        name: texts.add(name),
    }
}

/// Labels of sites of one trial: a scenario has some, a guest gone bad may have many.
const MOST_LABELS: usize = 50;

/// Where the serial log stands, seen from the report. A name that was cut leads nowhere.
fn log(trial: &str) -> String {
    if trial.contains('…') {
        return String::new();
    }
    let file = log_name(trial);
    let mut link = String::from("logs/");
    for byte in file.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'+' | b'@' => {
                link.push(char::from(byte));
            }
            other => link += &format!("%{other:02X}"),
        }
    }
    link + ".serial.log"
}

fn sort_key(metric: &Metric, trial: &TrialResult) -> Option<f64> {
    match metric.of(trial)? {
        Reading::Number(number) => Some(key(number)),
        Reading::Word(word) => (metric.heat?.word)(word).map(f64::from),
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

fn example(texts: &mut Pool, example: &Example) -> [Text; 5] {
    let number = |n: Option<u32>| n.map_or_else(|| "none".into(), |n| n.to_string());
    let bytes = |b: &Option<execlab_model::Bytes>| {
        b.as_ref()
            .map_or_else(|| "nothing".into(), ToString::to_string)
    };
    [
        clean(&example.what),
        number(example.exec),
        number(example.pid),
        bytes(&example.expected),
        bytes(&example.reported),
    ]
    .map(|text| texts.add(text))
}

fn facts(trial: &TrialResult) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = vec![("Digest".into(), clean(&trial.digest))];
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(
            value
                .filter(|v| !v.is_empty())
                .map(|v| (name.into(), clean(&v))),
        );
    };
    add("Record, SHA-256", trial.record_sha256.clone());
    add(
        "Kernel",
        Some(format!(
            "{} ({})",
            trial.kernel.release, trial.kernel.sha256
        )),
    );
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
    add("Initramfs, SHA-256", trial.provenance.initramfs.clone());
    add("Monitor, SHA-256", trial.provenance.monitor.clone());
    add(
        "Monitor's command",
        trial
            .provenance
            .monitor_command
            .as_ref()
            .map(|c| c.join(" ")),
    );
    add("Compiler", trial.provenance.toolchain.clone());
    add("execlab", Some(trial.provenance.execlab.clone()));
    // What differs from run to run: how long it took, whether it was run at all.
    for (name, value) in trial.host.iter().take(MOST_NAMES) {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            other => shorten(&other.to_string(), LONGEST_NAME),
        };
        add(
            &format!("Host: {}", shorten(&clean(name), LONGEST_NAME)),
            Some(value),
        );
    }
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
