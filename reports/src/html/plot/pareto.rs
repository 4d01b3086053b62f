//! Completeness against added cost: one point for each backend on each kernel, and which of them no other
//! beats in both.

use plotters::{
    element::EmptyElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    CARD, Drawn, GRID, Group, INK, Machine, PANEL, Panel, SOFT, Section, Table, axis::Log, is_on,
    machine_title, machines, svg, text,
};
use crate::{
    matrix::{At, Cell, Matrix, Role},
    metric::Metric,
    number,
    text::{plural, shorten},
};

/// A backend on a kernel.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    backend: String,
    /// Of its workloads.
    cost: f64,
    complete: f64,
    /// How many workloads have both.
    cells: usize,
    /// Whether no other is at least as good in both, and better in one.
    is_front: bool,
}

/// None where no cell has both figures.
pub(super) fn section(matrix: &Matrix<'_>) -> Option<Section> {
    let groups: Vec<Group> = machines(matrix)
        .into_iter()
        .filter_map(|machine| group(matrix, machine))
        .collect();
    (!groups.is_empty()).then(|| Section {
        id: "plot",
        title: "Completeness against added cost",
        lead: "One point for each backend on each kernel: the mean of completeness over its workloads, each with its worst seed, and the median of what it adds. Best is the upper left corner: everything seen, for nothing. Numbered, filled and joined are those that no other beats in both (the Pareto front); each of the rest has one among them that sees as much for less, or more for the same.".into(),
        groups,
    })
}

fn group(matrix: &Matrix<'_>, machine: Machine) -> Option<Group> {
    let here = matrix.watched().filter(|cell| is_on(matrix, cell, machine));
    let cells: Vec<&Cell<'_>> = here.collect();
    let unit = matrix.cost_unit_of(cells.first()?.at.setup);
    let mut kernels: Vec<(String, Vec<Point>)> = Vec::new();
    for (kernel, of) in matrix.kernels.iter().enumerate() {
        let points = points(matrix, &cells, kernel);
        if !points.is_empty() {
            kernels.push((of.label.clone(), points));
        }
    }
    if kernels.is_empty() {
        return None;
    }
    let all = || kernels.iter().flat_map(|(_, points)| points);
    let axis = Log::of(&all().map(|p| p.cost).collect::<Vec<_>>());
    let worst = all().map(|p| p.complete).fold(1.0, f64::min);
    let bottom = [0.99, 0.9]
        .into_iter()
        .find(|&b| worst >= b + (1.0 - b) * 0.05)
        .unwrap_or(0.0);
    let mut notes = Vec::new();
    if axis.band {
        notes.push("What costs no more than the baseline stands at the left edge: a logarithmic axis has no zero.".into());
    }
    if bottom > 0.0 {
        notes.push(format!(
            "The vertical axis starts at {}, not at zero.",
            number::share(bottom)
        ));
    }
    let panels = kernels
        .iter()
        .map(|(kernel, points)| panel(kernel, points, &axis, bottom, &unit));
    Some(Group {
        title: machine_title(matrix, machine),
        keys: Vec::new(),
        panels: panels.collect(),
        notes,
        table: table(&kernels, &unit),
    })
}

fn points(matrix: &Matrix<'_>, cells: &[&Cell<'_>], kernel: usize) -> Vec<Point> {
    let metric = |id| Metric::by_id(id).expect("a metric of the table");
    let (cost, complete) = (metric("added_per_exec"), metric("completeness"));
    let mut points = Vec::new();
    for (backend, of) in matrix.backends.iter().enumerate() {
        if of.role != Role::Watcher {
            continue;
        }
        let here = |cell: &&&Cell<'_>| matches!(cell.at, At { kernel: k, backend: b, .. } if (k, b) == (kernel, backend));
        let both = cells.iter().filter(here).filter_map(|cell| {
            Some((
                cell.figure(cost).numbers?.median,
                cell.figure(complete).numbers?.min,
            ))
        });
        let (mut costs, shares): (Vec<f64>, Vec<f64>) = both.unzip();
        if costs.is_empty() {
            continue;
        }
        costs.sort_by(f64::total_cmp);
        points.push(Point {
            backend: of.brief.clone(),
            cost: f64::midpoint(costs[(costs.len() - 1) / 2], costs[costs.len() / 2]),
            complete: shares.iter().sum::<f64>() / shares.len() as f64,
            cells: costs.len(),
            is_front: false,
        });
    }
    mark_front(&mut points);
    points
}

fn mark_front(points: &mut [Point]) {
    let all = points.to_vec();
    for point in &mut *points {
        let beats = |other: &Point| {
            other.cost <= point.cost
                && other.complete >= point.complete
                && (other.cost < point.cost || other.complete > point.complete)
        };
        // Whoever sees nothing is beaten by nobody for less, and recommended by nothing.
        point.is_front = point.complete > 0.0 && !all.iter().any(beats);
    }
    points.sort_by(|a, b| {
        b.is_front
            .cmp(&a.is_front)
            .then_with(|| a.cost.total_cmp(&b.cost))
            .then_with(|| b.complete.total_cmp(&a.complete))
    });
}

fn table(kernels: &[(String, Vec<Point>)], unit: &str) -> Table {
    let rows = kernels.iter().flat_map(|(kernel, points)| {
        points.iter().map(move |point| {
            vec![
                point.backend.clone(),
                kernel.clone(),
                number::share(point.complete),
                number::signed(point.cost),
                point.cells.to_string(),
                if point.is_front { "yes" } else { "no" }.to_owned(),
            ]
        })
    });
    Table {
        caption: "Completeness and added cost".into(),
        head: [
            "backend",
            "kernel",
            "completeness",
            &format!("added per exec, {unit}"),
            "workloads",
            "on the front",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    }
}

fn panel(kernel: &str, points: &[Point], axis: &Log, bottom: f64, unit: &str) -> Panel {
    let front: Vec<&Point> = points.iter().filter(|p| p.is_front).collect();
    let names: Vec<&str> = front.iter().map(|p| p.backend.as_str()).collect();
    Panel {
        title: kernel.to_owned(),
        svg: svg(PANEL, |out| draw(out, points, axis, bottom, unit)),
        label: format!(
            "Completeness against added cost of {} on {kernel}; on the front: {}",
            plural(points.len(), "backend"),
            names.join(", ")
        ),
        numbered: front
            .iter()
            .map(|p| {
                format!(
                    "{}: {}, {}",
                    p.backend,
                    number::share(p.complete),
                    number::signed(p.cost)
                )
            })
            .collect(),
    }
}

fn draw(out: &mut String, points: &[Point], axis: &Log, bottom: f64, unit: &str) -> Drawn {
    let root = SVGBackend::with_string(out, PANEL).into_drawing_area();
    let headroom = (1.0 - bottom) * 0.08;
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .margin_right(22)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(
            axis.range().log_scale().with_key_points(axis.ticks()),
            bottom - headroom..1.0 + headroom,
        )?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_desc(format!("added per exec, {}", shorten(unit, 40)))
        .axis_desc_style(text(15.0))
        .label_style(text(14.0))
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|&x| tick(x))
        .y_label_formatter(&|&y| {
            if (bottom - 1e-9..=1.0 + 1e-9).contains(&y) {
                percent(y)
            } else {
                String::new()
            }
        })
        .draw()?;
    if axis.band {
        let (from, to) = (bottom - headroom, 1.0 + headroom);
        let edge = vec![(axis.edge(), from), (axis.edge(), to)];
        chart.draw_series([PathElement::new(edge, GRID.stroke_width(2))])?;
        let style = text(13.0).pos(Pos::new(HPos::Center, VPos::Bottom));
        chart.draw_series([
            EmptyElement::at((axis.place(0.0), from)) + Text::new("≤ 0", (0, -4), style)
        ])?;
    }
    let at = |p: &Point| (axis.place(p.cost), p.complete);
    // Steps: between two of the front nothing better was seen than the cheaper one.
    let front: Vec<&Point> = points.iter().filter(|p| p.is_front).collect();
    let mut steps = Vec::new();
    for point in &front {
        if let Some(&(_, height)) = steps.last() {
            steps.push((axis.place(point.cost), height));
        }
        steps.push(at(point));
    }
    chart.draw_series([PathElement::new(steps, RGBColor(3, 0, 0).stroke_width(2))])?;
    let rest = points.iter().filter(|p| !p.is_front);
    chart.draw_series(rest.map(|p| Circle::new(at(p), 4, SOFT.stroke_width(1))))?;
    for (number, point) in (1..).zip(&front) {
        let style = text(14.0).pos(Pos::new(HPos::Center, VPos::Bottom));
        chart.draw_series([EmptyElement::at(at(point))
            + Circle::new((0, 0), 6, RGBColor(3, 0, 0).filled())
            + Circle::new((0, 0), 6, CARD.stroke_width(1))
            + Text::new(format!("{number}"), (0, -7), style)])?;
    }
    root.present()?;
    Ok(())
}

/// A share at a tick: ticks are sums of steps, and a hair below one is one here.
pub(super) fn percent(y: f64) -> String {
    format!("{}%", number::magnitude((y * 10_000.0).round() / 100.0))
}

fn tick(x: f64) -> String {
    if x >= 1e6 {
        format!("{} M", number::magnitude((x / 1e4).round() / 100.0))
    } else {
        number::magnitude((x * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_nobody_beats() {
        let point = |name: &str, cost, complete| Point {
            backend: name.into(),
            cost,
            complete,
            cells: 1,
            is_front: false,
        };
        let mut points = vec![
            point("dear", 900.0, 1.0),
            point("blind", -5.0, 0.0),
            point("good", 100.0, 1.0),
            point("cheap", 10.0, 0.5),
            point("twin", 100.0, 1.0),
            point("worse", 11.0, 0.4),
            point("gain", -3.0, 0.1),
        ];
        mark_front(&mut points);
        let front = points
            .iter()
            .filter(|p| p.is_front)
            .map(|p| p.backend.as_str());
        assert_eq!(front.collect::<Vec<_>>(), ["gain", "cheap", "good", "twin"]);
    }
}
