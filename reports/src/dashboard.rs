//! What dashboards of benchmarks take: the two arrays of github-action-benchmark, and Bencher's metric format.
//!
//! A name is the key by which a dashboard joins the points of a line, so it is the trial's id without its seed, and
//! never anything that changes from run to run. A cell is one point: of shares and counts of execs its worst seed, since
//! one that lost must be seen, and of all else the median. Only completed trials have a figure; how many were not
//! completed is a point of its own, so that a line that ends is not taken for peace.

use std::collections::BTreeMap;

use execlab_model::result::{Status, TrialResult};
use serde::{Deserialize, Serialize};

use crate::{
    bound::bounded,
    matrix::{Cell, Matrix, Spread},
    metric::{METRICS, Metric},
    text::{clean, json, plural, shorten},
};

/// Metrics of which less is better.
pub const SMALLER: &[&str] = &[
    "added_per_exec",
    "idle_added",
    "true_loss",
    "late",
    "duplicates",
    "phantoms",
    "latency_p50",
    "latency_p99",
    "memory_peak",
];
/// Metrics of which more is better.
pub const BIGGER: &[&str] = &["completeness", "path_accuracy", "container", "argv_exact"];

/// Name of the point that says how many trials have no figure.
const NOT_COMPLETED: (&str, &str) = ("execlab", "not_completed");
/// Characters of a name: Bencher takes 1024, and of a measure 64.
const LONGEST: usize = 960;

/// One point of github-action-benchmark's tools `customSmallerIsBetter` and `customBiggerIsBetter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The key of its line.
    pub name: String,
    /// What it counts.
    pub unit: String,
    /// The figure.
    pub value: f64,
    /// Least and most of the seeds, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
}

/// One figure of Bencher.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The figure.
    pub value: f64,
    /// Least of the seeds, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_value: Option<f64>,
    /// Most of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_value: Option<f64>,
}

/// Costs, losses and latencies for `customSmallerIsBetter`.
pub fn github_smaller(results: &[TrialResult]) -> String {
    let bounded = bounded(results);
    let mut points = points(&bounded, SMALLER);
    points.push(Point {
        name: NOT_COMPLETED.0.to_owned() + " " + NOT_COMPLETED.1,
        unit: "count".into(),
        value: not_completed(results),
        range: None,
        extra: None,
    });
    json(&points)
}

/// Completeness and accuracy for `customBiggerIsBetter`.
pub fn github_bigger(results: &[TrialResult]) -> String {
    json(&points(&bounded(results), BIGGER))
}

/// All of them in Bencher's metric format.
pub fn bencher(results: &[TrialResult]) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let mut all: BTreeMap<String, BTreeMap<&str, Measure>> = BTreeMap::new();
    for (cell, metric, spread) in figures(&matrix, SMALLER).chain(figures(&matrix, BIGGER)) {
        let ends = Some(spread).filter(Spread::varies);
        let measure = Measure {
            value: value(metric, &spread),
            lower_value: ends.map(|spread| spread.min),
            upper_value: ends.map(|spread| spread.max),
        };
        let measures = all.entry(name(cell)).or_default();
        measures.entry(metric.id).or_insert(measure);
    }
    let count = Measure {
        value: not_completed(results),
        lower_value: None,
        upper_value: None,
    };
    let of_run = all.entry(NOT_COMPLETED.0.into()).or_default();
    of_run.insert(NOT_COMPLETED.1, count);
    json(&all)
}

/// Trials that failed or have no result; what cannot work somewhere has not failed.
fn not_completed(results: &[TrialResult]) -> f64 {
    let failed = |t: &&TrialResult| !matches!(t.status, Status::Completed | Status::Unsupported);
    results.iter().filter(failed).count() as f64
}

fn points(results: &[TrialResult], ids: &'static [&'static str]) -> Vec<Point> {
    let matrix = Matrix::new(results);
    let point = |(cell, metric, spread): (&Cell<'_>, &Metric, Spread)| {
        let setup = &matrix.setups[cell.at.setup];
        Point {
            name: format!("{} {}", name(cell), metric.id),
            unit: metric.unit.name(&matrix.cost_unit_of(cell.at.setup)),
            value: value(metric, &spread),
            range: spread
                .varies()
                .then(|| format!("{}..{}", spread.min, spread.max)),
            extra: Some(format!(
                "{} of {}; {}, {}; {}",
                spread.count,
                plural(cell.trials.len(), "seed"),
                clean(&cell.any().kernel.release),
                setup.label,
                metric.help
            )),
        }
    };
    figures(&matrix, ids).map(point).collect()
}

/// Every figure that there is of these metrics.
fn figures<'m, 'a>(
    matrix: &'m Matrix<'a>,
    ids: &'static [&'static str],
) -> impl Iterator<Item = (&'m Cell<'a>, &'static Metric, Spread)> {
    let metrics = METRICS.iter().filter(|metric| ids.contains(&metric.id));
    matrix.watched().flat_map(move |cell| {
        let completed: Vec<&TrialResult> = cell
            .trials
            .iter()
            .copied()
            .filter(|t| t.status == Status::Completed)
            .collect();
        let completed = Cell {
            at: cell.at,
            trials: completed,
        };
        metrics.clone().filter_map(move |metric| {
            // Without a trial there is no cell to ask.
            completed.trials.first()?;
            Some((cell, metric, completed.figure(metric).numbers?))
        })
    })
}

fn value(metric: &Metric, spread: &Spread) -> f64 {
    if metric.unit.is_sampled() {
        spread.median
    } else {
        spread.worst(metric)
    }
}

/// The id of a cell's trials without the seed.
fn name(cell: &Cell<'_>) -> String {
    let id = clean(&cell.any().trial);
    let name = id.rsplit_once('/').map_or(id.as_str(), |(name, _)| name);
    shorten(name, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Polarity;

    #[test]
    fn each_metric_stands_where_its_better_side_is_and_its_id_fits() {
        for (ids, polarity) in [(SMALLER, Polarity::Lower), (BIGGER, Polarity::Higher)] {
            for id in ids {
                let metric = Metric::by_id(id).expect("a metric of the table");
                assert_eq!(metric.polarity, polarity, "{id}");
                assert!(id.len() <= 64);
            }
        }
    }
}
