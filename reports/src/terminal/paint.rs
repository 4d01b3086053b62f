//! Colour, where it was asked for.

use std::fmt::Display;

use anstyle::{Effects, Style};
use comfy_table::{Attribute, Cell, Color};
use execlab_model::result::Status;

use crate::metric::{Metric, Polarity, Unit};

/// Paints, or leaves alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub color: bool,
}

impl Paint {
    pub(super) fn bold(self, text: impl Display) -> String {
        self.with(Effects::BOLD, text)
    }

    pub(super) fn dim(self, text: impl Display) -> String {
        self.with(Effects::DIMMED, text)
    }

    fn with(self, effects: Effects, text: impl Display) -> String {
        if !self.color {
            return text.to_string();
        }
        let style = Style::new().effects(effects);
        format!("{style}{text}{style:#}")
    }
}

/// Good is green, short of it is yellow, bad is red; numbers without a good side stay plain.
pub(super) fn number(cell: Cell, metric: &Metric, worst: f64) -> Cell {
    match (metric.unit, metric.polarity) {
        (Unit::Share, Polarity::Higher) if worst >= 1.0 => cell.fg(Color::Green),
        (Unit::Share, Polarity::Higher) if worst < 0.9 => cell.fg(Color::Red),
        (Unit::Share, Polarity::Higher) => cell.fg(Color::Yellow),
        (Unit::Count, Polarity::Lower) if worst > 0.0 => cell.fg(Color::Yellow),
        _ => cell,
    }
}

pub(super) fn word(cell: Cell, word: &str) -> Cell {
    match word {
        w if crate::matrix::is_silent(w) => cell.fg(Color::Red),
        "knew" => cell.fg(Color::Green),
        _ => cell,
    }
}

pub(super) fn status(cell: Cell, status: Status) -> Cell {
    match status {
        Status::Completed => cell,
        Status::Unsupported => cell.fg(Color::Cyan),
        Status::BackendFailed | Status::Lost | Status::Infra => {
            cell.fg(Color::Red).add_attribute(Attribute::Bold)
        }
    }
}
