//! What `execlab run` prints: the scored matrix, one table for each workload, and what to conclude.
//!
//! Nothing is left out on a narrow terminal. Columns that do not fit follow in a second table under
//! the first with the same rows, as data frames are printed; so completeness, loss and cost stand at
//! 80 columns as they do at 200.

mod paint;
mod table;

use execlab_model::{
    repeat::Repeat,
    result::{Status, TrialResult},
};

use crate::{
    bound::bounded,
    conclude::conclude,
    limits::limits,
    matrix::{Cell, Matrix, Role},
    metric::Metric,
    overview::{CACHED, MACHINE, Overview, RUN_AGAIN, WITNESS},
    reading,
    reasons::Reasons,
    repeat::Repeatability,
    text::{shorten, wrap},
};
use paint::Paint;

/// How the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Columns.
    pub width: usize,
    /// Whether to use colour. It never says anything that the text does not say as well.
    pub color: bool,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self {
            width: 100,
            color: false,
        }
    }
}

/// Tables, reasons, totals and conclusions for a terminal; ends with a newline.
pub fn terminal(results: &[TrialResult], repeats: &[Repeat], options: &TerminalOptions) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let repeatability = Repeatability::new(results, repeats);
    let overview = Overview::new(&bounded, &repeatability, &matrix);
    let reasons = Reasons::new(&matrix);
    let page = Page {
        matrix: &matrix,
        reasons: &reasons,
        paint: Paint {
            color: options.color,
        },
        width: options.width.max(40),
    };
    let mut out = String::new();
    for setup in 0..matrix.setups.len() {
        page.setup(setup, &mut out);
    }
    page.notes(&mut out);
    page.reasons(&mut out);
    out += &page.paint.bold("Totals");
    out.push('\n');
    page.item("- ", &overview.totals_line(), &mut out);
    for (name, line) in &overview.facts {
        if [CACHED, MACHINE, RUN_AGAIN, WITNESS].contains(name) {
            page.item("- ", &format!("{name}: {line}"), &mut out);
        }
    }
    out.push('\n');
    out += &page.paint.bold("What to conclude");
    out.push('\n');
    for line in conclude(&matrix) {
        page.item("- ", &line, &mut out);
    }
    for warning in &overview.warnings {
        page.item("! ", warning, &mut out);
    }
    if let Some(first) = limits(&matrix).first().filter(|_| !results.is_empty()) {
        page.item("- ", &format!("Mind: {first}"), &mut out);
    }
    out
}

/// What all parts of the page need.
struct Page<'p, 'a> {
    matrix: &'p Matrix<'a>,
    reasons: &'p Reasons,
    paint: Paint,
    width: usize,
}

impl Page<'_, '_> {
    /// Heading, baselines and table of a workload.
    fn setup(&self, setup: usize, out: &mut String) {
        for (at, line) in wrap(&self.matrix.setups[setup].label, self.width)
            .iter()
            .enumerate()
        {
            if at > 0 {
                out.push('\n');
            }
            *out += &self.paint.bold(line);
        }
        out.push('\n');
        if let Some(line) = baselines(self.matrix, setup) {
            for line in wrap(&line, self.width) {
                *out += &self.paint.dim(&line);
                out.push('\n');
            }
        }
        for part in table::tables(self, setup) {
            *out += &part;
            out.push('\n');
        }
    }

    /// What the signs in the tables mean, if they are there.
    fn notes(&self, out: &mut String) {
        let mut notes = vec![format!(
            "Costs are in {}, against the baseline; n/a: not measured.",
            self.matrix.cost_unit()
        )];
        if self.matrix.only_defaults() {
            notes.push("All backends run with their default settings.".into());
        }
        notes.extend(reading::notes(self.matrix));
        for line in wrap(&notes.join(" "), self.width) {
            *out += &self.paint.dim(&line);
            out.push('\n');
        }
        out.push('\n');
    }

    fn reasons(&self, out: &mut String) {
        if self.reasons.0.is_empty() {
            return;
        }
        *out += &self.paint.bold("Not completed");
        out.push('\n');
        for (at, reason) in self.reasons.0.iter().enumerate() {
            let cells = reason.cells_line(self.matrix);
            // A backend may give pages of evidence; all of it is in the report.
            let text = shorten(&reason.text, 600);
            let start = format!("[{}] ", at + 1);
            self.item(&start, &format!("{} {cells}: {text}", reason.status), out);
        }
        out.push('\n');
    }

    /// A paragraph that hangs under its sign.
    fn item(&self, sign: &str, text: &str, out: &mut String) {
        let room = self.width.saturating_sub(sign.len());
        for (at, line) in wrap(text, room).iter().enumerate() {
            if at == 0 {
                *out += sign;
            } else {
                *out += &" ".repeat(sign.len());
            }
            *out += line;
            out.push('\n');
        }
    }
}

/// What an exec costs without a monitor, kernel by kernel.
pub(crate) fn baselines(matrix: &Matrix<'_>, setup: usize) -> Option<String> {
    let metric = Metric::by_id("per_exec").expect("a metric of the table");
    let each = |cell: &Cell<'_>| {
        let figure = cell.figure(metric);
        let shown = match cell.status() {
            Status::Completed if !figure.is_empty() => {
                let spread = figure.print_spread(metric).map(|spread| {
                    if figure.interval.is_some() {
                        format!(" {spread}")
                    } else {
                        format!(" ({spread})")
                    }
                });
                figure.print(metric) + &spread.unwrap_or_default()
            }
            _ => cell.status_label(),
        };
        format!("{}: {shown}", matrix.kernels[cell.at.kernel].label)
    };
    let cells: Vec<String> = matrix
        .of_setup(setup)
        .filter(|c| {
            let backend = &matrix.backends[c.at.backend];
            backend.role == Role::Baseline && backend.boot.is_empty()
        })
        .map(each)
        .collect();
    (!cells.is_empty()).then(|| {
        format!(
            "Without a monitor, {} per exec. {}",
            matrix.cost_unit_of(setup),
            cells.join("; ")
        )
    })
}
