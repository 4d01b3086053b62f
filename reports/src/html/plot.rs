//! Completeness against added cost, one point for each cell, as an SVG that stands in the page.
//!
//! Plotters writes colours as numbers. Ours are impossible ones that are replaced afterwards by
//! properties of the style sheet, so that one drawing serves light, dark and paper.

use std::collections::BTreeSet;

use execlab_model::result::Lab;
use plotters::{
    element::EmptyElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    html::glyph::{HUES, Key, key, outline, shape},
    matrix::Matrix,
    metric::Metric,
    number,
    text::{plural, shorten},
};

const WIDTH: u32 = 860;
const HEIGHT: u32 = 440;
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);

/// The drawing with what belongs to it.
pub(super) struct Plot {
    /// Whose costs, where there are several labs.
    pub machine: String,
    pub svg: String,
    /// How many points there are.
    pub cells: String,
    /// Which sign is whose.
    pub keys: Vec<Key>,
    /// What it shows, for those who cannot see it.
    pub label: String,
    pub notes: Vec<String>,
}

struct Point {
    setup: usize,
    backend: usize,
    cost: f64,
    complete: f64,
}

/// One for each lab and number of CPUs, since no axis fits the costs of two; none where no cell has both
/// figures.
pub(super) fn plots(matrix: &Matrix<'_>) -> Vec<Plot> {
    let machines: BTreeSet<(Lab, u32)> = matrix.setups.iter().map(|s| (s.lab, s.cpus)).collect();
    machines
        .into_iter()
        .filter_map(|machine| plot(matrix, machine))
        .collect()
}

fn plot(matrix: &Matrix<'_>, machine: (Lab, u32)) -> Option<Plot> {
    let points = points(matrix, machine);
    if points.is_empty() {
        return None;
    }
    let axes = Axes::of(&points);
    let mut drawing = String::new();
    let unit = matrix.cost_unit_of(points[0].setup);
    draw(&mut drawing, &unit, &points, &axes).expect("drawing into a string does not fail");
    let mut notes = Vec::new();
    if axes.band {
        let count = points.iter().filter(|p| p.cost <= 0.0).count();
        notes.push(format!(
            "{} cost no more than the baseline and {} at the left edge: a logarithmic axis has no zero.",
            plural(count, "cell"),
            if count == 1 { "stands" } else { "stand" }
        ));
    }
    if axes.bottom > 0.0 {
        notes.push(format!(
            "The vertical axis starts at {}, not at zero.",
            number::share(axes.bottom)
        ));
    }
    if matrix.has_seeds() {
        notes.push("Of several seeds: the median of cost, and the worst of completeness.".into());
    }
    let label = format!(
        "Completeness against added cost in {unit} per exec of {}",
        plural(points.len(), "cell")
    );
    Some(Plot {
        machine: if matrix.is_mixed() {
            format!("Lab {}, {}", machine.0, plural(machine.1 as usize, "CPU"))
        } else {
            String::new()
        },
        svg: themed(&drawing),
        cells: plural(points.len(), "cell"),
        keys: keys(matrix, &points),
        label,
        notes,
    })
}

fn points(matrix: &Matrix<'_>, machine: (Lab, u32)) -> Vec<Point> {
    let metric = |id| Metric::by_id(id).expect("a metric of the table");
    let (cost, complete) = (metric("added_per_exec"), metric("completeness"));
    let of = |cell: &crate::matrix::Cell<'_>| {
        let setup = &matrix.setups[cell.at.setup];
        if (setup.lab, setup.cpus) != machine {
            return None;
        }
        Some(Point {
            setup: cell.at.setup,
            backend: cell.at.backend,
            cost: cell.figure(cost).numbers?.median,
            complete: cell.figure(complete).numbers?.min,
        })
    };
    matrix.watched().filter_map(of).collect()
}

fn keys(matrix: &Matrix<'_>, points: &[Point]) -> Vec<Key> {
    let all = matrix.backends.iter().enumerate();
    all.filter(|(at, _)| points.iter().any(|p| p.backend == *at))
        .map(|(at, backend)| key(at, &backend.brief))
        .collect()
}

/// Where the axes start and end.
struct Axes {
    left: f64,
    right: f64,
    bottom: f64,
    /// Whether there is room on the left for what cannot be on a logarithmic axis.
    band: bool,
}

impl Axes {
    fn of(points: &[Point]) -> Self {
        let positive = || points.iter().map(|p| p.cost).filter(|&c| c > 0.0);
        let low = positive().reduce(f64::min).unwrap_or(1.0).max(0.01);
        let high = positive().reduce(f64::max).unwrap_or(10.0);
        let band = points.iter().any(|p| p.cost <= 0.0);
        let left = round_down(low * 0.8);
        let right = (1.0 / round_down(1.0 / (high * 1.25))).max(left * 10.0);
        let worst = points.iter().map(|p| p.complete).fold(1.0, f64::min);
        let bottom = [0.99, 0.9]
            .into_iter()
            .find(|&b| worst >= b + (1.0 - b) * 0.05);
        Self {
            left,
            right,
            bottom: bottom.unwrap_or(0.0),
            band,
        }
    }

    fn start(&self) -> f64 {
        if self.band {
            self.left / 3.0
        } else {
            self.left
        }
    }

    /// The decades; where there are few of them, also what is between.
    fn ticks(&self) -> Vec<f64> {
        let digits: &[f64] = if self.right / self.left > 2e3 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let mut decade = 10_f64.powf(self.left.log10().floor());
        let mut ticks = Vec::new();
        while decade <= self.right {
            ticks.extend(digits.iter().map(|d| d * decade));
            decade *= 10.0;
        }
        ticks.retain(|tick| (self.left * 0.99..=self.right * 1.01).contains(tick));
        ticks
    }

    fn x(&self, cost: f64) -> f64 {
        if cost > 0.0 {
            cost.max(self.left)
        } else {
            self.left / 3_f64.sqrt()
        }
    }
}

/// The next 1, 2 or 5 of a decade below.
fn round_down(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let digit = [5.0, 2.0].into_iter().find(|d| value >= d * decade);
    digit.unwrap_or(1.0) * decade
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(out: &mut String, unit: &str, points: &[Point], axes: &Axes) -> Drawn {
    let root = SVGBackend::with_string(out, (WIDTH, HEIGHT)).into_drawing_area();
    let headroom = (1.0 - axes.bottom) * 0.06;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(40)
        .x_label_area_size(54)
        .y_label_area_size(74)
        .build_cartesian_2d(
            (axes.start()..axes.right)
                .log_scale()
                .with_key_points(axes.ticks()),
            axes.bottom - headroom..1.0 + headroom,
        )?;
    let text = |size: f64| ("sans-serif", size).into_font().color(&INK);
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_desc(format!(
            "added per exec, {} (logarithmic)",
            shorten(unit, 40)
        ))
        .y_desc("completeness")
        .axis_desc_style(text(18.0))
        .label_style(text(16.0))
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|&x| tick(x))
        .y_label_formatter(&|&y| {
            if in_range(y, axes) {
                percent(y)
            } else {
                String::new()
            }
        })
        .draw()?;
    if axes.band {
        let edge = axes.left;
        let (bottom, top) = (axes.bottom - headroom, 1.0 + headroom);
        chart.draw_series([PathElement::new(
            vec![(edge, bottom), (edge, top)],
            GRID.stroke_width(2),
        )])?;
        let middle = Pos::new(HPos::Center, VPos::Bottom);
        let style = text(15.0).pos(middle);
        chart.draw_series([EmptyElement::at((axes.x(0.0), axes.bottom - headroom))
            + Text::new("0 or less", (0, -6), style)])?;
    }
    for point in points {
        let at = (axes.x(point.cost), point.complete);
        chart
            .draw_series([EmptyElement::at(at) + shape(point.backend) + outline(point.backend)])?;
    }
    root.present()?;
    Ok(())
}

fn in_range(y: f64, axes: &Axes) -> bool {
    (axes.bottom - 1e-9..=1.0 + 1e-9).contains(&y)
}

fn percent(y: f64) -> String {
    // Ticks are sums of steps, and a hair below one is one here.
    format!("{}%", number::magnitude((y * 10_000.0).round() / 100.0))
}

fn tick(x: f64) -> String {
    if x >= 1e6 {
        format!("{} M", number::magnitude((x / 1e4).round() / 100.0))
    } else {
        number::magnitude((x * 100.0).round() / 100.0)
    }
}

/// Our impossible colours become those of the style sheet, and the size that of the page.
fn themed(svg: &str) -> String {
    let mut svg = svg
        .replace("\"#010101\"", "\"currentColor\"")
        .replace("\"#020202\"", "\"var(--grid)\"")
        .replace("\"#040404\"", "\"var(--card)\"")
        .replace(
            &format!("<svg width=\"{WIDTH}\" height=\"{HEIGHT}\""),
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
