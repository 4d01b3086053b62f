//! The summary of a step in CI: what to conclude, one line for each cell, and what to type where something failed.

use std::collections::BTreeMap;

use execlab_model::{
    exit::ExitCode,
    repeat::Repeat,
    result::{Status, TrialResult},
};

use crate::{
    bound::bounded,
    conclude::conclude,
    matrix::{Cell, Matrix},
    metric::Metric,
    overview::Overview,
    repeat::Repeatability,
    text::{clean, markdown as escape, plural, shell, shorten},
};

/// Bytes that GitHub takes of one step: 1 MiB.
pub const LIMIT: usize = 1 << 20;
/// Rows and failures that anybody reads here; the report has all.
const MOST: usize = 100;
/// Columns of the table.
const COLUMNS: [&str; 5] = [
    "completeness",
    "path_accuracy",
    "true_loss",
    "honesty",
    "added_per_exec",
];

/// The summary, in `room` bytes at most. `run` is the run directory, for commands.
pub fn step_summary(results: &[TrialResult], repeats: &[Repeat], run: &str, room: usize) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let repeatability = Repeatability::new(results, repeats);
    let overview = Overview::new(&bounded, &repeatability, &matrix);
    let mut lines = vec![
        format!("## execlab: {}", escape(&overview.totals_line())),
        String::new(),
    ];
    for line in conclude(&matrix) {
        lines.push(format!("- {}", escape(&line)));
    }
    for warning in &overview.warnings {
        lines.push(format!("- **Mind:** {}", escape(warning)));
    }
    lines.extend(failures(&bounded, &repeatability, run));
    lines.extend(table(&matrix));
    lines.extend([
        String::new(),
        "All of it:".into(),
        String::new(),
        format!("    {}", command(&["execlab", "report", run])),
        String::new(),
    ]);
    fitted(&lines, room)
}

/// Whole lines alone, so that no sign loses its other half.
fn fitted(lines: &[String], room: usize) -> String {
    const CUT: &str = "\n(cut: there is no more room here)\n";
    let whole = lines.join("\n") + "\n";
    if whole.len() <= room {
        return whole;
    }
    let mut out = String::new();
    for line in lines {
        if out.len() + line.len() + 1 + CUT.len() > room {
            break;
        }
        out += line;
        out.push('\n');
    }
    if out.len() + CUT.len() <= room {
        out += CUT;
    }
    out
}

fn command(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    clean(&shell(&words))
}

/// What failed, by status, with the commands that repair it or say more.
fn failures(results: &[TrialResult], repeatability: &Repeatability, run: &str) -> Vec<String> {
    let mut failed: BTreeMap<Status, Vec<&TrialResult>> = BTreeMap::new();
    for trial in results {
        if !matches!(trial.status, Status::Completed | Status::Unsupported) {
            failed.entry(trial.status).or_default().push(trial);
        }
    }
    let mut lines = Vec::new();
    for (status, mut trials) in failed {
        trials.sort_by(|a, b| a.trial.cmp(&b.trial));
        let what = format!("{} {status}", plural(trials.len(), "trial"));
        lines.extend([String::new(), format!("### {what}"), String::new()]);
        for trial in trials.iter().take(MOST) {
            let reason = trial.reason.as_deref().unwrap_or("no reason was given");
            lines.push(format!(
                "- {}: {}",
                escape(&trial.trial),
                escape(&shorten(reason, 300))
            ));
        }
        if trials.len() > MOST {
            lines.push(format!("- and {} more", trials.len() - MOST));
        }
        let (why, typed) = match status {
            Status::Infra => (
                "The host's side broke, or the run did not come to it. This runs again what has no result:",
                command(&["execlab", "run", "--resume", run]),
            ),
            _ => (
                "Its log is in the folder `logs` of the run. This runs the first of them again and shows what happened:",
                command(&["execlab", "replay", run, &trials[0].trial]),
            ),
        };
        lines.extend([
            String::new(),
            why.into(),
            String::new(),
            format!("    {typed}"),
        ]);
    }
    if repeatability.exit_code() == ExitCode::Nondeterministic {
        lines.extend([
            String::new(),
            "A trial did not repeat: the report says where the two differ.".into(),
        ]);
    }
    lines
}

fn table(matrix: &Matrix<'_>) -> Vec<String> {
    let cells: Vec<&Cell<'_>> = matrix.watched().collect();
    if cells.is_empty() {
        return Vec::new();
    }
    let metrics = COLUMNS.map(|id| Metric::by_id(id).expect("a metric of the table"));
    let heads = metrics.map(|metric| metric.title.to_lowercase());
    let mut lines = vec![
        String::new(),
        format!("| cell | status | {} |", heads.join(" | ")),
        format!("|---|---|{}", "---:|".repeat(metrics.len())),
    ];
    for cell in cells.iter().take(MOST) {
        let figures = metrics.map(|metric| {
            let figure = cell.figure(metric);
            let spread = figure.print_spread(metric);
            match (figure.is_empty(), spread) {
                (true, _) => "n/a".into(),
                (false, None) => escape(&figure.print(metric)),
                (false, Some(spread)) => {
                    format!("{} ({})", escape(&figure.print(metric)), escape(&spread))
                }
            }
        });
        // With all that a load is: lives and rates of one name stand in rows of their own.
        let at = cell.at;
        let name = format!(
            "{}, {}: {}",
            matrix.kernels[at.kernel].label,
            matrix.backends[at.backend].label,
            matrix.setups[at.setup].label
        );
        lines.push(format!(
            "| {} | {} | {} |",
            escape(&name),
            escape(&cell.status_label()),
            figures.join(" | ")
        ));
    }
    if cells.len() > MOST {
        let more = plural(cells.len() - MOST, "cell");
        lines.extend([String::new(), format!("{more} more are in the report.")]);
    }
    lines
}
