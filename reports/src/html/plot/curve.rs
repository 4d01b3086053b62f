//! A panel with lines: shares over something that a workload was varied in.

use plotters::{
    element::{DashedPathElement, EmptyElement},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Drawn, GRID, INK, PANEL, axis::Log, glyph, pareto::percent, svg, text};

/// One line.
pub(super) struct Line {
    /// Colour and shape.
    pub series: usize,
    pub is_dashed: bool,
    /// Sorted; shares from 0 to 1.
    pub points: Vec<(f64, f64)>,
}

/// What the axes say.
pub(super) struct Axes<'a> {
    pub x: &'a Log,
    pub x_title: &'a str,
    /// What stands at zero, where there is such a point.
    pub zero: &'a str,
    pub x_label: fn(f64) -> String,
    /// Where the vertical axis ends.
    pub top: f64,
}

/// The drawing.
pub(super) fn panel(lines: &[Line], axes: &Axes<'_>) -> String {
    svg(PANEL, |out| draw(out, lines, axes))
}

fn draw(out: &mut String, lines: &[Line], axes: &Axes<'_>) -> Drawn {
    let root = SVGBackend::with_string(out, PANEL).into_drawing_area();
    let room = axes.top * 0.08;
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .margin_right(22)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(
            axes.x.range().log_scale().with_key_points(axes.x.ticks()),
            -room..axes.top + room,
        )?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_desc(axes.x_title)
        .axis_desc_style(text(15.0))
        .label_style(text(14.0))
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|&x| (axes.x_label)(x))
        .y_label_formatter(&|&y| {
            if (-1e-9..=axes.top + 1e-9).contains(&y) {
                percent(y.max(0.0))
            } else {
                String::new()
            }
        })
        .draw()?;
    if axes.x.band {
        let edge = vec![(axes.x.edge(), -room), (axes.x.edge(), axes.top + room)];
        chart.draw_series([PathElement::new(edge, GRID.stroke_width(2))])?;
        let style = text(13.0).pos(Pos::new(HPos::Center, VPos::Bottom));
        chart.draw_series([EmptyElement::at((axes.x.place(0.0), -room))
            + Text::new(axes.zero.to_owned(), (0, -3), style)])?;
    }
    for line in lines {
        let at = line.points.iter().map(|&(x, y)| (axes.x.place(x), y));
        let style = glyph::color(line.series).stroke_width(2);
        if line.is_dashed {
            chart.draw_series([DashedPathElement::new(at.clone(), 6, 4, style)])?;
        } else {
            chart.draw_series([PathElement::new(at.clone().collect::<Vec<_>>(), style)])?;
        }
        for point in at {
            chart.draw_series([EmptyElement::at(point)
                + glyph::shape(line.series, line.is_dashed)
                + glyph::outline(line.series, line.is_dashed)])?;
        }
    }
    root.present()?;
    Ok(())
}
