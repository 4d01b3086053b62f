//! Points of the plot: backends differ in shape and in colour.

use plotters::{
    element::{PathElement, Polygon},
    style::{Color, RGBColor},
};

/// Colours of the style sheet. Shapes repeat after eight, so that a pair repeats only after 24.
pub(super) const HUES: usize = 6;

/// Sets points apart where they overlap.
const EDGE: RGBColor = RGBColor(4, 4, 4);

/// Of about 14 pixels, around the point.
#[rustfmt::skip]
const SHAPES: [&[(i32, i32)]; 8] = [
    &[(-3, -6), (3, -6), (6, -3), (6, 3), (3, 6), (-3, 6), (-6, 3), (-6, -3)],
    &[(-7, 6), (0, -7), (7, 6)],
    &[(-6, -6), (6, -6), (6, 6), (-6, 6)],
    &[(0, -8), (7, 0), (0, 8), (-7, 0)],
    &[(-7, -6), (7, -6), (0, 7)],
    &[(-2, -7), (2, -7), (2, -2), (7, -2), (7, 2), (2, 2), (2, 7), (-2, 7), (-2, 2), (-7, 2), (-7, -2), (-2, -2)],
    &[(-7, -4), (-4, -7), (0, -3), (4, -7), (7, -4), (3, 0), (7, 4), (4, 7), (0, 3), (-4, 7), (-7, 4), (-3, 0)],
    &[(-7, -7), (7, 7), (7, -7), (-7, 7)],
];

/// The baseline is the first of the backends and is never drawn.
fn place(backend: usize) -> usize {
    backend.saturating_sub(1)
}

/// The shape of a backend in its colour.
pub(super) fn shape(backend: usize) -> Polygon<(i32, i32)> {
    let at = place(backend);
    let hue = u8::try_from(at % HUES).unwrap_or(0);
    Polygon::new(
        SHAPES[at % SHAPES.len()].to_vec(),
        RGBColor(3, 0, hue).filled(),
    )
}

/// A thin line around it, in the colour of the background.
pub(super) fn outline(backend: usize) -> PathElement<(i32, i32)> {
    let mut points = SHAPES[place(backend) % SHAPES.len()].to_vec();
    points.push(points[0]);
    PathElement::new(points, EDGE.stroke_width(1))
}

/// One line of the legend.
pub(super) struct Key {
    pub label: String,
    /// Corners, as an SVG polygon has them.
    pub points: String,
    pub hue: usize,
}

/// The legend's line of a backend.
pub(super) fn key(backend: usize, label: &str) -> Key {
    let at = place(backend);
    let points: Vec<String> = SHAPES[at % SHAPES.len()]
        .iter()
        .map(|(x, y)| format!("{x},{y}"))
        .collect();
    Key {
        label: label.into(),
        points: points.join(" "),
        hue: at % HUES,
    }
}
