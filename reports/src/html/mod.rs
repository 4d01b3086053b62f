//! `report.html`: one file that needs no network, for a screen, a phone, paper and a screen reader.
//!
//! The templates are files, checked when this crate is compiled; every text that passes through them
//! is escaped. Only the style sheet, the script and the plot, which are ours, go in as they are.

mod conform;
mod detail;
mod glyph;
mod heat;
mod plot;

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
    metric::Metric,
    number::thousands,
    overview::Overview,
    reading,
    reasons::Reasons,
    repeat::Repeatability,
    terminal::baselines,
    text::clean,
};
use conform::Conform;
use detail::{Row, Trial};
use heat::Heat;
use plot::Plot;

/// The document.
pub fn html(results: &[TrialResult], repeats: &[Repeat]) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let overview = Overview::new(&bounded, &Repeatability::new(results, repeats), &matrix);
    let reasons = Reasons::new(&matrix);
    let columns = matrix.columns();
    let page = Page {
        style: include_str!("../../templates/style.css"),
        script: include_str!("../../templates/script.js"),
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
        heats: heat::heats(&matrix, &reasons),
        conform: conform::conform(&of_bounded(&bounded, Held::committed())),
        plots: plot::plots(&matrix),
        rows: detail::rows(&matrix, &reasons, &columns),
        trials: detail::trials(&matrix),
        cost_unit: matrix.cost_unit(),
        reasons: reasons
            .0
            .iter()
            .map(|r| Reason {
                status: r.status.as_str(),
                cells: r.cells_line(&matrix),
                text: r.text.clone(),
            })
            .collect(),
        limits: limits(&matrix),
        has_seeds: matrix.has_seeds(),
        notes: reading::notes(&matrix),
        columns,
    };
    page.render().expect("writing to a string does not fail")
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    totals: Vec<Total>,
    totals_line: String,
    conclusions: Vec<String>,
    warnings: Vec<String>,
    facts: Vec<(&'static str, String)>,
    kernels: Vec<KernelRow>,
    settings: Vec<(String, String)>,
    baselines: Vec<(String, String)>,
    heats: Vec<Heat>,
    conform: Option<Conform>,
    plots: Vec<Plot>,
    columns: Vec<&'static Metric>,
    rows: Vec<Row>,
    trials: Vec<Trial>,
    reasons: Vec<Reason>,
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
