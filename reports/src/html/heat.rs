//! The matrix as heat maps: for each metric that has one, a small table for each workload, backends
//! down and kernels across.
//!
//! Small tables, not one wide one: on a phone each fits, on a wide screen they stand side by side.

use std::collections::BTreeSet;

use execlab_model::result::Status;

use crate::{
    matrix::{Apart, At, Cell, Matrix, Role},
    metric::{self, Metric, Polarity, Unit},
    reasons::Reasons,
};

/// All tables of one metric.
pub(super) struct Heat {
    pub id: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    pub polarity: &'static str,
    /// What stands small below each figure, or nothing.
    pub beside: &'static str,
    /// Level and meaning.
    pub legend: Vec<(u8, &'static str)>,
    pub tables: Vec<HeatTable>,
}

/// One workload.
pub(super) struct HeatTable {
    pub caption: String,
    pub kernels: Vec<String>,
    pub rows: Vec<HeatRow>,
}

/// One backend.
pub(super) struct HeatRow {
    pub backend: String,
    pub fields: Vec<Field>,
}

/// One cell.
pub(super) struct Field {
    /// Class of the style sheet.
    pub class: String,
    pub text: String,
    /// A second line, or nothing.
    pub small: String,
    /// What became of the trials, where they were not completed.
    pub status: String,
    /// Numbers of its reasons.
    pub reasons: Vec<usize>,
}

/// The heat maps of all metrics that have one.
pub(super) fn heats(matrix: &Matrix<'_>, reasons: &Reasons) -> Vec<Heat> {
    if matrix.watched().next().is_none() {
        return Vec::new();
    }
    Metric::heats()
        .map(|(metric, heat)| Heat {
            id: metric.id,
            title: metric.title,
            help: metric.help,
            polarity: match metric.polarity {
                Polarity::Neutral => "",
                polarity => polarity.as_str(),
            },
            beside: heat.beside.and_then(Metric::by_id).map_or("", |m| m.title),
            legend: (0..).zip(heat.legend).collect(),
            tables: (0..matrix.setups.len())
                .filter_map(|setup| table(matrix, reasons, metric, &heat, setup))
                .collect(),
        })
        .collect()
}

fn table(
    matrix: &Matrix<'_>,
    reasons: &Reasons,
    metric: &Metric,
    heat: &metric::Heat,
    setup: usize,
) -> Option<HeatTable> {
    let all = matrix
        .backends
        .iter()
        .enumerate()
        .filter(|(_, b)| b.role == Role::Watcher);
    // Another lab may have kernels of its own.
    let kernels: BTreeSet<usize> = matrix.of_setup(setup).map(|c| c.at.kernel).collect();
    let rows: Vec<HeatRow> = all
        .map(|(backend, b)| HeatRow {
            backend: b.brief.clone(),
            fields: kernels
                .iter()
                .map(|&kernel| {
                    field(
                        matrix,
                        matrix.cell(At {
                            setup,
                            kernel,
                            backend,
                        }),
                        reasons,
                        metric,
                        heat,
                    )
                })
                .collect(),
        })
        .collect();
    (!rows.is_empty()).then(|| HeatTable {
        caption: matrix.setups[setup].label.clone(),
        kernels: kernels
            .iter()
            .map(|&kernel| matrix.kernels[kernel].label.clone())
            .collect(),
        rows,
    })
}

fn field(
    matrix: &Matrix<'_>,
    cell: Option<&Cell<'_>>,
    reasons: &Reasons,
    metric: &Metric,
    heat: &metric::Heat,
) -> Field {
    let Some(cell) = cell else {
        // Another kernel or workload has this backend. What was planned has a line, whatever became
        // of it; so this was not planned.
        return Field {
            class: "void".into(),
            text: "no trial".into(),
            small: String::new(),
            status: String::new(),
            reasons: Vec::new(),
        };
    };
    let figure = cell.figure(metric);
    let status = if cell.status() == Status::Completed {
        String::new()
    } else {
        cell.status_label()
    };
    let mut small: Vec<String> = figure.print_spread(metric).into_iter().collect();
    let beside = heat.beside.and_then(Metric::by_id);
    small.extend(
        beside
            .map(|m| cell.figure(m).print(m))
            .filter(|text| !text.is_empty()),
    );
    let apart = matrix.apart(cell, metric).and_then(Apart::caveat);
    small.extend(apart.map(str::to_owned));
    let class = match figure.numbers {
        // A seed that lost colours its cell: a share is as good as its worst seed.
        Some(numbers) => {
            let level = match metric.unit {
                Unit::Share => numbers.worst(metric),
                _ => numbers.median,
            };
            format!("h{}", (heat.level)(level))
        }
        None => format!("void {}", super::status_class(cell.status())),
    };
    Field {
        class,
        text: if figure.is_empty() {
            if status.is_empty() {
                "n/a".into()
            } else {
                String::new()
            }
        } else {
            figure.print(metric)
        },
        small: small.join(", "),
        status,
        reasons: reasons.numbers(cell),
    }
}
