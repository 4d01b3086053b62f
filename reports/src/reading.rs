//! What the signs in the tables mean, where they are there.

use std::collections::BTreeMap;

use crate::{
    interval::{FEWEST, Interval},
    matrix::{CONTROL, Cell, Matrix, Role},
    metric::{METRICS, Metric},
    number,
    text::list,
};

/// Sentences for people below or above the tables.
pub(crate) fn notes(matrix: &Matrix<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if matrix.has_seeds() {
        notes.push(
            "Of several seeds: their median, with the least and the most where they differ.".into(),
        );
    }
    let sampled = || matrix.cells().filter(|c| c.is_sampled());
    if sampled().next().is_none() {
        return notes;
    }
    notes.push("In the labs kvm and host a trial is one sample, and a difference is that of a trial and the baseline of its own seed.".into());
    let intervals = coverages(sampled());
    if !intervals.is_empty() {
        notes.push(format!(
            "Of costs and times there, in square brackets: an interval for the median, from the order of the samples alone; at least 95 of 100 such intervals hold it ({}).",
            list(&intervals)
        ));
    }
    if lacking(matrix).next().is_some() {
        notes.push(format!(
            "Where fewer than {FEWEST} seeds have a figure there is no interval: take `--seeds {FEWEST}` or more."
        ));
    }
    let wide = "which is not to say that it costs nothing: an interval may be wide";
    if matrix.backends.iter().any(|b| b.role == Role::Control) {
        notes.push(format!(
            "The {CONTROL} is `none+again`, the baseline once more, compared as if it watched: what it shows is what the lab makes of nothing. A backend whose interval holds 0 or overlaps the control's is not told apart from nothing (unclear), {wide}."
        ));
    } else if !intervals.is_empty() {
        notes.push(format!(
            "A backend whose interval holds 0 is not told apart from nothing (unclear), {wide}."
        ));
    }
    notes
}

/// Cells of labs with intervals that were compared and have too few seeds for one.
pub(crate) fn lacking<'m, 'a>(matrix: &'m Matrix<'a>) -> impl Iterator<Item = &'m Cell<'a>> {
    let added = Metric::by_id("added_per_exec").expect("a metric of the table");
    matrix.cells().filter(move |cell| {
        let figure = cell.figure(added);
        let compared = matrix.role(cell.at) != Role::Baseline && figure.numbers.is_some();
        cell.is_sampled() && compared && figure.interval.is_none()
    })
}

/// `99.21% with 8 seeds`, for each number of seeds that an interval was made of.
fn coverages<'c, 'a: 'c>(cells: impl Iterator<Item = &'c Cell<'a>>) -> Vec<String> {
    let mut by_seeds: BTreeMap<usize, Interval> = BTreeMap::new();
    for cell in cells {
        for figure in METRICS.iter().map(|metric| cell.figure(metric)) {
            if let (Some(numbers), Some(interval)) = (figure.numbers, figure.interval) {
                by_seeds.insert(numbers.count, interval);
            }
        }
    }
    let say = |(seeds, interval): (&usize, &Interval)| {
        format!("{} with {seeds} seeds", number::share(interval.coverage))
    };
    by_seeds.iter().map(say).collect()
}
