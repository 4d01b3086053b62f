//! The plots: SVG that stands in the page, in panels that share their axes' meaning, each with the same
//! figures as a table for those who do not see it.
//!
//! Plotters writes colours as numbers. Ours are impossible ones that are replaced afterwards by
//! properties of the style sheet, so that one drawing serves light, dark and paper.

mod axis;
mod curve;
mod glyph;
mod latency;
mod pareto;
mod varied;

use std::collections::BTreeSet;

use execlab_model::result::Lab;
use plotters::prelude::*;

use crate::{
    matrix::{Cell, Matrix},
    text::plural,
};
use glyph::{HUES, Key};

const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const CARD: RGBColor = RGBColor(4, 4, 4);
const SOFT: RGBColor = RGBColor(5, 5, 5);

/// Size of a panel, in units of its view box.
const PANEL: (u32, u32) = (500, 320);

/// More panels than that are a wall: what is left out is said.
const MOST_PANELS: usize = 48;

/// What one question is answered by.
pub(super) struct Section {
    pub id: &'static str,
    pub title: &'static str,
    /// What is drawn, and how it is read.
    pub lead: String,
    pub groups: Vec<Group>,
}

/// Panels with one legend.
pub(super) struct Group {
    /// Which workload or which machine; empty where there is one.
    pub title: String,
    pub keys: Vec<Key>,
    pub panels: Vec<Panel>,
    /// What else there is to say.
    pub notes: Vec<String>,
    pub table: Table,
}

/// One drawing.
pub(super) struct Panel {
    pub title: String,
    pub svg: String,
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Its numbered points.
    pub numbered: Vec<String>,
}

/// The same figures.
pub(super) struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// All sections that have something to show.
pub(super) fn sections(matrix: &Matrix<'_>) -> Vec<Section> {
    [
        pareto::section(matrix),
        varied::survival(matrix),
        varied::rates(matrix),
        varied::bursts(matrix),
        latency::section(matrix),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A lab with a number of CPUs: figures of two of them share no axis.
type Machine = (Lab, u32);

fn machines(matrix: &Matrix<'_>) -> BTreeSet<Machine> {
    matrix.setups.iter().map(|s| (s.lab, s.cpus)).collect()
}

fn is_on(matrix: &Matrix<'_>, cell: &Cell<'_>, machine: Machine) -> bool {
    let setup = &matrix.setups[cell.at.setup];
    (setup.lab, setup.cpus) == machine
}

/// Empty where there is one.
fn machine_title(matrix: &Matrix<'_>, (lab, cpus): Machine) -> String {
    if matrix.is_mixed() {
        format!("Lab {lab}, {}", plural(cpus as usize, "CPU"))
    } else {
        String::new()
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Makes a drawing of some size.
fn svg(size: (u32, u32), draw: impl FnOnce(&mut String) -> Drawn) -> String {
    let mut drawing = String::new();
    draw(&mut drawing).expect("drawing into a string does not fail");
    themed(&drawing, size)
}

/// Text of a drawing, so many units high; plotters takes a size for something larger than the font's.
fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size * 1.24).into_font().color(&INK)
}

/// Our impossible colours become those of the style sheet, and the size that of the page.
fn themed(svg: &str, (width, height): (u32, u32)) -> String {
    let mut svg = svg
        .replace("\"#010101\"", "\"currentColor\"")
        .replace("\"#020202\"", "\"var(--grid)\"")
        .replace("\"#040404\"", "\"var(--card)\"")
        .replace("\"#050505\"", "\"var(--soft)\"")
        .replace(
            &format!("<svg width=\"{width}\" height=\"{height}\""),
            "<svg aria-hidden=\"true\"",
        );
    for hue in 0..HUES {
        svg = svg.replace(
            &format!("\"#0300{hue:02X}\""),
            &format!("\"var(--series-{hue})\""),
        );
    }
    svg
}
