//! `report.md`, also for the step summary of a CI run.

use execlab_model::{
    repeat::Repeat,
    result::{Status, TrialResult},
};

use crate::{
    bound::bounded,
    conclude::conclude,
    limits::limits,
    matrix::{Cell, Matrix},
    metric::{Metric, Unit},
    overview::Overview,
    reading,
    reasons::Reasons,
    repeat::Repeatability,
    terminal::baselines,
    text::{markdown as escape, shorten},
};

/// The document.
pub fn markdown(results: &[TrialResult], repeats: &[Repeat]) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let overview = Overview::new(&bounded, &Repeatability::new(results, repeats), &matrix);
    let reasons = Reasons::new(&matrix);
    let mut out = String::from("# execlab: what the monitors saw\n\n");
    out += &format!("**{}**\n\n", escape(&overview.totals_line()));
    out += "## What to conclude\n\n";
    for line in conclude(&matrix) {
        out += &format!("- {}\n", escape(&line));
    }
    for warning in &overview.warnings {
        out += &format!("- **Mind:** {}\n", escape(warning));
    }
    out += "\n## What was run\n\n| | |\n|---|---|\n";
    for (name, value) in &overview.facts {
        out += &format!("| {name} | {} |\n", escape(value));
    }
    for kernel in &matrix.kernels {
        let (label, id) = (escape(&kernel.label), kernel.id);
        out += &format!(
            "| Kernel {label} | {}, sha256 {} |\n",
            escape(&id.release),
            escape(&id.sha256)
        );
    }
    for setup in 0..matrix.setups.len() {
        table(&matrix, &reasons, setup, &mut out);
    }
    out += &format!(
        "\nCosts are in {}, against the baseline of the same kernel, workload and seed. n/a: not measured.",
        escape(&matrix.cost_unit()),
    );
    for note in reading::notes(&matrix) {
        out += &format!(" {}", escape(&note));
    }
    out.push('\n');
    if !reasons.0.is_empty() {
        out += "\n## Not completed\n\n";
        for (at, reason) in reasons.0.iter().enumerate() {
            let cells = escape(&reason.cells_line(&matrix));
            let text = escape(&shorten(&reason.text, 2000));
            out += &format!("{}. **{}** {cells}: {text}\n", at + 1, reason.status);
        }
    }
    out += "\n## What these numbers do not say\n\n";
    for limit in limits(&matrix) {
        out += &format!("- {}\n", escape(limit));
    }
    out
}

fn table(matrix: &Matrix<'_>, reasons: &Reasons, setup: usize, out: &mut String) {
    *out += &format!("\n## {}\n\n", escape(&matrix.setups[setup].label));
    if let Some(line) = baselines(matrix, setup) {
        *out += &format!("{}\n\n", escape(&line));
    }
    let rows: Vec<_> = matrix.compared(setup).collect();
    if rows.is_empty() {
        return;
    }
    let seeds = rows.iter().any(|c| c.trials.len() > 1);
    let columns = matrix.columns();
    let mut head = String::from("| kernel | backend |");
    let mut line = String::from("|---|---|");
    if seeds {
        head += " seeds |";
        line += "---:|";
    }
    for metric in &columns {
        head += &format!(
            " {} |",
            escape(&metric.short.replace("-\n", "").replace('\n', " "))
        );
        line += if metric.unit == Unit::Word {
            "---|"
        } else {
            "---:|"
        };
    }
    *out += &format!("{head}\n{line}\n");
    for cell in rows {
        let marks = reasons.marks(cell, (" (", ")"));
        *out += &format!(
            "| {} | {}{marks} |",
            escape(&matrix.kernels[cell.at.kernel].label),
            escape(&matrix.backends[cell.at.backend].brief)
        );
        if seeds {
            *out += &format!(" {} |", cell.trials.len());
        }
        for (at, metric) in columns.iter().enumerate() {
            *out += &format!(" {} |", field(matrix, metric, at == 0, cell));
        }
        out.push('\n');
    }
}

/// A figure; in the first column also what became of the trial.
fn field(matrix: &Matrix<'_>, metric: &Metric, first: bool, cell: &Cell<'_>) -> String {
    let figure = cell.figure(metric);
    let mut text = if figure.is_empty() {
        "n/a".into()
    } else {
        escape(&figure.print(metric))
    };
    if let Some(spread) = figure.print_spread(metric) {
        text += &if figure.interval.is_some() {
            format!(" {}", escape(&spread))
        } else {
            format!(" ({})", escape(&spread))
        };
    }
    if let Some(caveat) = matrix.caveat(cell, metric) {
        text += &format!(", {caveat}");
    }
    if first && cell.status() != Status::Completed {
        let status = format!("**{}**", cell.status_label());
        return if figure.is_empty() {
            status
        } else {
            format!("{text} {status}")
        };
    }
    text
}
