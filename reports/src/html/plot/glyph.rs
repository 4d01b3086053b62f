//! Points of the curves: series differ in shape and in colour, so that neither is the only sign.

use plotters::{
    element::{PathElement, Polygon},
    style::{Color, RGBColor},
};

use super::CARD;

/// Colours of the style sheet. Shapes repeat after eight, so that a pair repeats only after 24.
pub(super) const HUES: usize = 6;

/// Of about 10 pixels, around the point.
#[rustfmt::skip]
const SHAPES: [&[(i32, i32)]; 8] = [
    &[(-2, -5), (2, -5), (5, -2), (5, 2), (2, 5), (-2, 5), (-5, 2), (-5, -2)],
    &[(-6, 5), (0, -6), (6, 5)],
    &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
    &[(0, -7), (6, 0), (0, 7), (-6, 0)],
    &[(-6, -5), (6, -5), (0, 6)],
    &[(-2, -6), (2, -6), (2, -2), (6, -2), (6, 2), (2, 2), (2, 6), (-2, 6), (-2, 2), (-6, 2), (-6, -2), (-2, -2)],
    &[(-6, -3), (-3, -6), (0, -2), (3, -6), (6, -3), (2, 0), (6, 3), (3, 6), (0, 2), (-3, 6), (-6, 3), (-2, 0)],
    &[(-6, -6), (6, 6), (6, -6), (-6, 6)],
];

/// Stands for a colour of the style sheet.
pub(super) fn color(series: usize) -> RGBColor {
    RGBColor(3, 0, u8::try_from(series % HUES).unwrap_or(0))
}

/// The shape of a series in its colour; hollow on a dashed line.
pub(super) fn shape(series: usize, is_hollow: bool) -> Polygon<(i32, i32)> {
    let points = SHAPES[series % SHAPES.len()].to_vec();
    let color = if is_hollow { CARD } else { color(series) };
    Polygon::new(points, color.filled())
}

/// The line around it: its own colour where it is hollow, else the colour of the background, which sets
/// points apart where they overlap.
pub(super) fn outline(series: usize, is_hollow: bool) -> PathElement<(i32, i32)> {
    let mut points = SHAPES[series % SHAPES.len()].to_vec();
    points.push(points[0]);
    let color = if is_hollow { color(series) } else { CARD };
    PathElement::new(points, color.stroke_width(1))
}

/// One line of the legend.
pub(in crate::html) struct Key {
    pub label: String,
    /// Corners, as an SVG polygon has them.
    pub points: String,
    pub hue: usize,
}

/// The legend's line of a series.
pub(super) fn key(series: usize, label: &str) -> Key {
    let points: Vec<String> = SHAPES[series % SHAPES.len()]
        .iter()
        .map(|(x, y)| format!("{x},{y}"))
        .collect();
    Key {
        label: label.into(),
        points: points.join(" "),
        hue: series % HUES,
    }
}
