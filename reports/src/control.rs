//! What the control (A/A) says against the figures that it stands beside.

use crate::{
    interval::FEWEST,
    matrix::{At, CONTROL, Cell, Matrix, print_interval},
    metric::Metric,
    reading,
    text::{list, plural},
};

/// One sentence without a full stop for each kind of doubt that there is.
pub(crate) fn warnings(matrix: &Matrix<'_>) -> Vec<String> {
    let places = places(matrix);
    [
        absent(matrix, &places),
        differing(matrix, &places, "added_per_exec"),
        differing(matrix, &places, "idle_added"),
        few(matrix),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A watched cell of each kernel and workload in a lab where trials are samples.
fn places(matrix: &Matrix<'_>) -> Vec<At> {
    let mut places: Vec<At> = Vec::new();
    for at in matrix.watched().filter(|c| c.is_sampled()).map(|c| c.at) {
        let known = |other: &At| (other.setup, other.kernel) == (at.setup, at.kernel);
        if !places.iter().any(known) {
            places.push(at);
        }
    }
    places
}

fn absent(matrix: &Matrix<'_>, places: &[At]) -> Option<String> {
    let added = Metric::by_id("added_per_exec").expect("a metric of the table");
    let has = |at: &&At| {
        let control = matrix.control(**at);
        control.is_some_and(|c| c.figure(added).numbers.is_some())
    };
    let without: Vec<&At> = places.iter().filter(|at| !has(at)).collect();
    let first = without.first()?;
    Some(format!(
        "costs in doubt: there is no {CONTROL} with a figure beside {} of {} (the first is {}), so that nobody knows what the lab makes of nothing there",
        without.len(),
        plural(places.len(), "comparison"),
        matrix.place(**first)
    ))
}

fn differing(matrix: &Matrix<'_>, places: &[At], id: &str) -> Option<String> {
    let metric = Metric::by_id(id).expect("a metric of the table");
    let all: Vec<&Cell<'_>> = places.iter().filter_map(|at| matrix.control(*at)).collect();
    let say = |cell: &&Cell<'_>| {
        let figure = cell.figure(metric);
        let interval = figure.interval.filter(|i| !i.holds(0.0))?;
        Some(format!(
            "{} by {} {} {}",
            matrix.place(cell.at),
            figure.print(metric),
            print_interval(metric, &interval),
            metric.unit.name(&matrix.cost_unit_of(cell.at.setup))
        ))
    };
    let mut differ: Vec<String> = all.iter().filter_map(say).collect();
    if differ.is_empty() {
        return None;
    }
    let count = differ.len();
    differ.truncate(3);
    Some(format!(
        "costs in doubt: the {CONTROL} differs from the baseline, which it is, in {count} of {} ({}{}); one in twenty may do so by chance",
        plural(all.len(), "place"),
        list(&differ),
        if count > 3 { " and more" } else { "" }
    ))
}

fn few(matrix: &Matrix<'_>) -> Option<String> {
    let count = reading::lacking(matrix).count();
    (count > 0).then(|| {
        format!(
            "no intervals: in {} fewer than {FEWEST} seeds have a figure, and any difference there may be chance",
            plural(count, "cell")
        )
    })
}
