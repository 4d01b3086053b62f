//! `report.html`: one file that needs no network, for a screen, a phone, paper and a screen reader.
//!
//! The templates are files, checked when this crate is compiled; every text that passes through them
//! is escaped. Only the style sheet, the script and the plots, which are ours, go in as they are, and two
//! blocks of data, in which nothing is markup.
//!
//! With a script, the page is quick whatever the number of trials: it holds the few elements that are on
//! the screen, and makes others of the data as they are asked for. Without one, it holds a table of all
//! cells, which a browser with a script does not even parse.

mod cells;
mod conform;
mod counts;
mod plot;
mod pool;
mod trials;

use askama::Template;
use execlab_model::{
    repeat::Repeat,
    result::{Status, TrialResult},
};

use crate::{
    bound::bounded,
    conclude::conclude,
    conformance::{Held, of_bounded},
    limits::limits,
    matrix::{Matrix, Role},
    number::thousands,
    overview::Overview,
    reading,
    reasons::Reasons,
    repeat::Repeatability,
    terminal::baselines,
    text::{clean, embedded},
};
use cells::Board;
use conform::Conform;

/// The script: one scope, and a file for each concern.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("../../templates/script/dom.js"),
    include_str!("../../templates/script/data.js"),
    include_str!("../../templates/script/filter.js"),
    include_str!("../../templates/script/heat.js"),
    include_str!("../../templates/script/table.js"),
    include_str!("../../templates/script/trial.js"),
    include_str!("../../templates/script/conform.js"),
    include_str!("../../templates/script/paper.js"),
    include_str!("../../templates/script/route.js"),
    "})();"
);

/// How many reasons are listed: each trial's own page says its own.
const MOST_REASONS: usize = 100;

/// The document.
pub fn html(results: &[TrialResult], repeats: &[Repeat]) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let overview = Overview::new(&bounded, &Repeatability::new(results, repeats), &matrix);
    let reasons = Reasons::new(&matrix);
    let columns = cells::columns(&matrix);
    let cells = Board::new(&matrix, &reasons, &columns);
    let page = Page {
        style: include_str!("../../templates/style.css"),
        script: SCRIPT,
        totals: overview
            .totals
            .iter()
            .map(|&(status, count)| Total::new(status, count))
            .collect(),
        totals_line: overview.totals_line(),
        conclusions: conclude(&matrix),
        kernels: kernels(&matrix),
        settings: settings(&matrix),
        warnings: overview.warnings,
        facts: overview.facts,
        baselines: (0..matrix.setups.len())
            .filter_map(|setup| {
                Some((
                    matrix.setups[setup].label.clone(),
                    baselines(&matrix, setup)?,
                ))
            })
            .collect(),
        data: embedded(&cells),
        trials: embedded(&trials::trials(&matrix, &columns)),
        cells,
        conform: conform::conform(&of_bounded(&bounded, Held::committed())),
        plots: plot::sections(&matrix),
        cost_unit: matrix.cost_unit(),
        reasons: reasons
            .0
            .iter()
            .take(MOST_REASONS)
            .map(|r| Reason {
                status: r.status.as_str(),
                cells: r.cells_line(&matrix),
                text: r.text.clone(),
            })
            .collect(),
        limits: limits(&matrix),
        has_seeds: matrix.has_seeds(),
        notes: reading::notes(&matrix),
        more_reasons: reasons.0.len().saturating_sub(MOST_REASONS),
    };
    page.render().expect("writing to a string does not fail")
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    data: String,
    trials: String,
    cells: Board,
    totals: Vec<Total>,
    totals_line: String,
    conclusions: Vec<String>,
    warnings: Vec<String>,
    facts: Vec<(&'static str, String)>,
    kernels: Vec<KernelRow>,
    settings: Vec<(String, String)>,
    baselines: Vec<(String, String)>,
    conform: Option<Conform>,
    plots: Vec<plot::Section>,
    reasons: Vec<Reason>,
    more_reasons: usize,
    limits: Vec<&'static str>,
    cost_unit: String,
    has_seeds: bool,
    notes: Vec<String>,
}

struct Total {
    status: &'static str,
    count: String,
    class: &'static str,
}

impl Total {
    fn new(status: Status, count: usize) -> Self {
        let class = if count == 0 {
            "none"
        } else {
            status_class(status)
        };
        Self {
            status: status.as_str(),
            count: thousands(count as f64),
            class,
        }
    }
}

struct KernelRow {
    label: String,
    release: String,
    sha256: String,
}

struct Reason {
    status: &'static str,
    cells: String,
    text: String,
}

/// The class of the style sheet that paints a status.
fn status_class(status: Status) -> &'static str {
    match status {
        Status::Completed => "good",
        Status::Unsupported => "idle",
        Status::BackendFailed | Status::Lost | Status::Infra => "bad",
    }
}

fn kernels(matrix: &Matrix<'_>) -> Vec<KernelRow> {
    let row = |k: &crate::matrix::Kernel<'_>| KernelRow {
        label: k.label.clone(),
        release: clean(&k.id.release),
        sha256: clean(&k.id.sha256),
    };
    matrix.kernels.iter().map(row).collect()
}

/// Each backend with its settings in one line.
fn settings(matrix: &Matrix<'_>) -> Vec<(String, String)> {
    let watching = matrix.backends.iter().filter(|b| b.role == Role::Watcher);
    watching
        .map(|backend| {
            let each = backend
                .spec
                .settings
                .iter()
                .map(|(k, v)| format!("{} = {}", clean(k), clean(v)));
            let line = each.collect::<Vec<_>>().join("; ");
            (
                backend.label.clone(),
                if line.is_empty() {
                    "as built in".into()
                } else {
                    line
                },
            )
        })
        .collect()
}
