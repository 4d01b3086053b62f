//! How long a sighting takes: for each kernel a row for each backend, from its median to its longest.

use std::collections::BTreeMap;

use execlab_model::result::Latency;
use plotters::{
    element::EmptyElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    CARD, Drawn, GRID, Group, INK, Machine, Panel, SOFT, Section, Table, axis::Log, is_on,
    machine_title, machines, svg, text,
};
use crate::{
    matrix::{Matrix, Role},
    number,
    text::{plural, shorten},
};

/// Height of a row, and of all that is no row.
const ROW: u32 = 19;
const AROUND: u32 = 62;
const WIDTH: u32 = 500;

/// Nanoseconds: the middle of the trials' percentiles, and the longest of all.
struct Row {
    backend: String,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
    trials: usize,
}

/// None where nothing was measured.
pub(super) fn section(matrix: &Matrix<'_>) -> Option<Section> {
    let groups: Vec<Group> = machines(matrix)
        .into_iter()
        .filter_map(|machine| group(matrix, machine))
        .collect();
    (!groups.is_empty()).then(|| Section {
        id: "latency",
        title: "Latency",
        lead: "Time from an exec to the delivery of its sighting, on a logarithmic axis: a filled circle is the median, a stroke the 90th percentile, a hollow circle the 99th, and the line ends at the longest. Over all workloads of a backend: the middle of each, and the longest of all; the matrix has each workload by itself.".into(),
        groups,
    })
}

fn group(matrix: &Matrix<'_>, machine: Machine) -> Option<Group> {
    let mut by_place: BTreeMap<(usize, usize), Vec<&Latency>> = BTreeMap::new();
    for cell in matrix.watched().filter(|cell| is_on(matrix, cell, machine)) {
        let all = by_place
            .entry((cell.at.kernel, cell.at.backend))
            .or_default();
        all.extend(cell.trials.iter().filter_map(|t| t.latency.as_ref()));
    }
    let mut kernels: Vec<(String, Vec<Row>)> = Vec::new();
    for (kernel, of) in matrix.kernels.iter().enumerate() {
        let watching = matrix.backends.iter().enumerate();
        let rows: Vec<Row> = watching
            .filter(|(_, b)| b.role == Role::Watcher)
            .filter_map(|(at, b)| row(&b.brief, by_place.get(&(kernel, at))?))
            .collect();
        if !rows.is_empty() {
            kernels.push((of.label.clone(), rows));
        }
    }
    let values = kernels
        .iter()
        .flat_map(|(_, rows)| rows)
        // A clock that counts nanoseconds has no less than one.
        .flat_map(|row| [row.p50.max(1.0), row.max.max(1.0)]);
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    let axis = Log::of(&values);
    let panels = kernels.iter().map(|(kernel, rows)| {
        let rows_high = u32::try_from(rows.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(ROW);
        let size = (WIDTH, rows_high.saturating_add(AROUND));
        Panel {
            title: kernel.clone(),
            svg: svg(size, |out| draw(out, size, rows, &axis)),
            label: format!("Latencies of {} on {kernel}", plural(rows.len(), "backend")),
            numbered: Vec::new(),
        }
    });
    Some(Group {
        title: machine_title(matrix, machine),
        keys: Vec::new(),
        panels: panels.collect(),
        notes: Vec::new(),
        table: table(&kernels),
    })
}

fn row(backend: &str, all: &[&Latency]) -> Option<Row> {
    let middle = |of: fn(&Latency) -> u64| {
        let mut values: Vec<u64> = all.iter().map(|l| of(l)).collect();
        values.sort_unstable();
        values.get(values.len() / 2).map(|&ns| ns as f64)
    };
    Some(Row {
        backend: backend.to_owned(),
        p50: middle(|l| l.p50)?,
        p90: middle(|l| l.p90)?,
        p99: middle(|l| l.p99)?,
        max: all.iter().map(|l| l.max).max()? as f64,
        trials: all.len(),
    })
}

fn table(kernels: &[(String, Vec<Row>)]) -> Table {
    let rows = kernels.iter().flat_map(|(kernel, rows)| {
        rows.iter().map(move |row| {
            let mut fields = vec![row.backend.clone(), kernel.clone()];
            fields.extend([row.p50, row.p90, row.p99, row.max].map(number::duration));
            fields.push(row.trials.to_string());
            fields
        })
    });
    Table {
        caption: "Latencies".into(),
        head: [
            "backend", "kernel", "median", "p90", "p99", "longest", "trials",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    }
}

fn draw(out: &mut String, size: (u32, u32), rows: &[Row], axis: &Log) -> Drawn {
    let root = SVGBackend::with_string(out, size).into_drawing_area();
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .margin_right(22)
        .x_label_area_size(46)
        .y_label_area_size(150)
        .build_cartesian_2d(
            axis.range().log_scale().with_key_points(axis.ticks()),
            count..0.0,
        )?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .disable_y_mesh()
        .y_labels(0)
        .x_desc("from exec to delivery")
        .axis_desc_style(text(15.0))
        .label_style(text(14.0))
        .x_labels(10)
        .x_label_formatter(&|&x| number::duration(x.round()))
        .draw()?;
    for (at, row) in rows.iter().enumerate() {
        let y = at as f64 + 0.5;
        let place = |ns: f64| (axis.place(ns.max(1.0)), y);
        let style = text(13.0).pos(Pos::new(HPos::Right, VPos::Center));
        let name = Text::new(shorten(&row.backend, 22), (-6, 0), style);
        let blue = RGBColor(3, 0, 0);
        chart.draw_series([EmptyElement::at((axis.range().start, y)) + name])?;
        chart.draw_series([PathElement::new(
            vec![place(row.p50), place(row.max)],
            SOFT.stroke_width(1),
        )])?;
        chart.draw_series([EmptyElement::at(place(row.p90))
            + PathElement::new(vec![(0, -5), (0, 5)], blue.stroke_width(2))])?;
        chart.draw_series([EmptyElement::at(place(row.p99))
            + Circle::new((0, 0), 4, CARD.filled())
            + Circle::new((0, 0), 4, blue.stroke_width(2))])?;
        chart.draw_series([Circle::new(place(row.p50), 4, blue.filled())])?;
    }
    root.present()?;
    Ok(())
}
