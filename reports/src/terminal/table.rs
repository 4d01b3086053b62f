//! The table of one workload, in as many parts as the terminal is too narrow.

use comfy_table::{
    Attribute, Cell as Field, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle,
};
use execlab_model::result::Status;

use super::{Page, paint};
use crate::{
    matrix::{Cell, Figure},
    metric::Metric,
    text::{shorten, wrap},
};

/// Between two columns.
const GAP: usize = 2;
/// A user may name a variant as he likes, but not at the cost of the figures.
const LONGEST_NAME: usize = 32;

/// What stands below an interval is about as wide as one end of it.
const NARROW: usize = 12;

/// One column before it is laid out: heading, then one field for each row.
struct Column {
    heading: String,
    fields: Vec<(String, Field)>,
    left: bool,
}

impl Column {
    fn width(&self) -> usize {
        let texts = self.fields.iter().map(|(text, _)| text);
        texts
            .chain([&self.heading])
            .flat_map(|text| text.lines())
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }
}

/// The tables of a workload, each ready to be printed.
pub(super) fn tables(page: &Page<'_, '_>, setup: usize) -> Vec<String> {
    let rows: Vec<&Cell<'_>> = page.matrix.compared(setup).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let names = names(page, &rows);
    let figures: Vec<Column> = page
        .matrix
        .columns()
        .into_iter()
        .enumerate()
        .map(|(at, metric)| figures(page, metric, at == 0, &rows))
        .collect();
    parts(&names, &figures, page.width)
        .into_iter()
        .map(|part| print(page, &names, part))
        .collect()
}

/// Kernel, backend and, where it tells something, the seeds.
fn names(page: &Page<'_, '_>, rows: &[&Cell<'_>]) -> Vec<Column> {
    let column = |heading: &str, text: &dyn Fn(&Cell<'_>) -> String| Column {
        heading: heading.into(),
        fields: rows
            .iter()
            .map(|cell| text(cell))
            .map(|text| (text.clone(), Field::new(text)))
            .collect(),
        left: true,
    };
    let mut columns = vec![
        column("kernel", &|c| {
            shorten(&page.matrix.kernels[c.at.kernel].label, LONGEST_NAME)
        }),
        column("backend", &|c| {
            let name = shorten(&page.matrix.backends[c.at.backend].brief, LONGEST_NAME);
            let marks = page.reasons.marks(c, ("[", "]"));
            if marks.is_empty() {
                name
            } else {
                format!("{name} {marks}")
            }
        }),
    ];
    if rows.iter().any(|c| c.trials.len() > 1) {
        let mut seeds = column("seeds", &|c| c.trials.len().to_string());
        seeds.left = false;
        columns.push(seeds);
    }
    columns
}

fn figures(page: &Page<'_, '_>, metric: &Metric, first: bool, rows: &[&Cell<'_>]) -> Column {
    Column {
        heading: metric.short.into(),
        fields: rows
            .iter()
            .map(|cell| field(page, metric, first, cell))
            .collect(),
        left: false,
    }
}

/// A figure; in the first column also what became of the trial, if it was not completed.
fn field(page: &Page<'_, '_>, metric: &Metric, first: bool, cell: &Cell<'_>) -> (String, Field) {
    let figure = cell.figure(metric);
    let mut text = print_figure(metric, &figure, cell.is_sampled());
    if let Some(caveat) = page.matrix.caveat(cell, metric) {
        text += &format!("\n{}", wrap(caveat, NARROW).join("\n"));
    }
    let status = cell.status();
    if first && status != Status::Completed {
        text = if figure.is_empty() {
            cell.status_label()
        } else {
            format!("{text}\n{}", cell.status_label())
        };
    }
    let mut field = Field::new(&text);
    if let Some(numbers) = &figure.numbers {
        field = paint::number(field, metric, numbers.worst(metric));
    }
    for word in figure.words.keys() {
        field = paint::word(field, word);
    }
    if figure.is_empty() && !first {
        field = field.add_attribute(Attribute::Dim);
    }
    if first {
        field = paint::status(field, status);
    }
    (text, field)
}

/// Where seeds are many and all of them differ, each end of a spread has a line of its own, so that loss
/// and cost still share a row.
fn print_figure(metric: &Metric, figure: &Figure, narrow: bool) -> String {
    if figure.is_empty() {
        return "n/a".into();
    }
    let text = figure.print_words(metric, short_word).replace(", ", "\n");
    match figure.print_spread(metric) {
        Some(spread) if narrow => {
            let spread = spread.replace("..", "..\n").replace(" … ", " …\n");
            format!("{text}\n{spread}")
        }
        Some(spread) => format!("{text}\n{spread}"),
        None => text,
    }
}

/// The words of [`Honesty`](execlab_model::result::Honesty), as answers to the heading `knew it`.
fn short_word(word: &str) -> &str {
    match word {
        "knew" => "yes",
        "knew-too-little" => "too little",
        "knew-too-much" => "too much",
        "knew-without-a-number" => "no number",
        "did-not-know" => "no",
        other => other,
    }
}

/// Deals the columns out to tables, each with all the names and no wider than the terminal.
fn parts<'c>(names: &[Column], figures: &'c [Column], width: usize) -> Vec<Vec<&'c Column>> {
    let taken: usize = names.iter().map(|c| c.width() + GAP).sum();
    let mut parts: Vec<Vec<&Column>> = Vec::new();
    let mut used = usize::MAX;
    for column in figures {
        let wide = column.width() + GAP;
        if parts.is_empty() || used + wide > width + GAP {
            parts.push(Vec::new());
            used = taken;
        }
        used += wide;
        if let Some(part) = parts.last_mut() {
            part.push(column);
        }
    }
    parts
}

fn print(page: &Page<'_, '_>, names: &[Column], part: Vec<&Column>) -> String {
    let columns: Vec<&Column> = names.iter().chain(part).collect();
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')))
        // Only what is wider than the terminal by itself is wrapped.
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(page.width).unwrap_or(u16::MAX));
    if page.paint.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        columns
            .iter()
            .map(|c| Field::new(&c.heading).add_attribute(Attribute::Bold)),
    );
    for row in 0..columns.first().map_or(0, |c| c.fields.len()) {
        table.add_row(columns.iter().map(|c| c.fields[row].1.clone()));
    }
    for (at, (column, shape)) in table.column_iter_mut().zip(&columns).enumerate() {
        // The table itself puts one more space between columns, and none at the end.
        column.set_padding((0, u16::from(at + 1 < columns.len())));
        column.set_cell_alignment(if shape.left {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        });
    }
    table
        .lines()
        .flat_map(|line| [line.trim_end().to_owned(), "\n".into()])
        .collect()
}
