//! Why trials have no result, or a doubtful one: each reason once, with a number to point at it.

use execlab_model::result::Status;

use crate::{
    matrix::{At, Cell, Matrix},
    text::clean,
};

/// One reason and the cells that have it.
#[derive(Debug)]
pub(crate) struct Reason {
    /// What became of the trials.
    pub status: Status,
    /// Why, in somebody else's words, cleaned.
    pub text: String,
    /// Whose trials.
    pub cells: Vec<At>,
}

/// All reasons; the number of one is its place plus one.
#[derive(Debug, Default)]
pub(crate) struct Reasons(pub Vec<Reason>);

impl Reasons {
    pub(crate) fn new(matrix: &Matrix<'_>) -> Self {
        let mut all: Vec<Reason> = Vec::new();
        for cell in matrix.cells() {
            for trial in cell.trials.iter().filter(|t| t.status != Status::Completed) {
                let text = match trial.reason.as_deref() {
                    Some(reason) if !reason.trim().is_empty() => clean(reason),
                    _ => "no reason was given".into(),
                };
                match all
                    .iter_mut()
                    .find(|r| r.status == trial.status && r.text == text)
                {
                    Some(known) if known.cells.last() == Some(&cell.at) => {}
                    Some(known) => known.cells.push(cell.at),
                    None => all.push(Reason {
                        status: trial.status,
                        text,
                        cells: vec![cell.at],
                    }),
                }
            }
        }
        all.sort_by_key(|r| r.status);
        Self(all)
    }

    /// The numbers of a cell's reasons.
    pub(crate) fn numbers(&self, cell: &Cell<'_>) -> Vec<usize> {
        (1..)
            .zip(&self.0)
            .filter(|(_, reason)| reason.cells.contains(&cell.at))
            .map(|(number, _)| number)
            .collect()
    }

    /// `[1][3]` with brackets of a kind, or nothing.
    pub(crate) fn marks(&self, cell: &Cell<'_>, (open, close): (&str, &str)) -> String {
        let mut marks = String::new();
        for number in self.numbers(cell) {
            marks += &format!("{open}{number}{close}");
        }
        marks
    }
}

impl Reason {
    /// The cells, the first few by name.
    pub(crate) fn cells_line(&self, matrix: &Matrix<'_>) -> String {
        const NAMED: usize = 4;
        let names: Vec<String> = self
            .cells
            .iter()
            .take(NAMED)
            .map(|&at| matrix.name(at))
            .collect();
        match self.cells.len().saturating_sub(NAMED) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}
