//! The conformance table: a row for each scenario, a column for each backend, and in each field a line
//! for each class, with the kernels that share it.

use std::collections::BTreeMap;

use crate::conformance::{Conformance, Contradiction, LEGEND, Row};

/// The section.
pub(super) struct Conform {
    pub legend: &'static str,
    /// Series, the oldest first.
    pub kernels: Vec<String>,
    pub backends: Vec<String>,
    pub rows: Vec<ScenarioRow>,
    /// Explanations; a line names them by their number, from 1.
    pub whys: Vec<String>,
    /// How the run stands to the committed table.
    pub verdict: String,
    /// Whether it contradicts it.
    pub is_bad: bool,
}

/// A scenario.
pub(super) struct ScenarioRow {
    pub scenario: String,
    /// One for each backend.
    pub fields: Vec<Vec<Line>>,
}

/// A class.
pub(super) struct Line {
    /// Numbers of its kernels, divided by spaces.
    pub kernels: String,
    /// The same for people.
    pub on: String,
    pub text: String,
    /// Class of the style sheet.
    pub class: &'static str,
    pub evidence: String,
    /// What techniques.md predicts, where that is otherwise.
    pub predicted: Vec<String>,
    /// Numbers of its explanations.
    pub whys: Vec<usize>,
    pub is_unexplained: bool,
    /// What the committed table says otherwise.
    pub contradicted: Vec<String>,
}

impl Line {
    /// What a reader may look for: `differs`, `contradicts`, or neither.
    pub fn marks(&self) -> &'static str {
        match (self.predicted.is_empty(), self.contradicted.is_empty()) {
            (true, true) => "",
            (false, true) => "differs",
            (true, false) => "contradicts",
            (false, false) => "differs contradicts",
        }
    }
}

/// The section; `None` where no trial was run in the manner of the table.
pub(super) fn conform(run: &Conformance) -> Option<Conform> {
    if run.is_empty() {
        return None;
    }
    let mut whys: Vec<&str> = run
        .rows
        .iter()
        .flat_map(|row| &row.why)
        .map(String::as_str)
        .collect();
    whys.sort_unstable();
    whys.dedup();
    let mut rows: BTreeMap<&str, Vec<Vec<Line>>> = BTreeMap::new();
    for row in &run.rows {
        let empty = || run.backends.iter().map(|_| Vec::new()).collect();
        let fields = rows.entry(&row.scenario).or_insert_with(empty);
        if let Some(at) = run.backends.iter().position(|b| *b == row.backend) {
            fields[at].push(line(run, row, &whys));
        }
    }
    let count = run.contradictions.len();
    let verdict = match (run.compared, count) {
        (0, _) => "The table that is built in says nothing of this run's cells.".to_owned(),
        (_, 0) => format!(
            "As the table that is built in says, in all {} cells that it has of this run's.",
            run.compared
        ),
        (cells, count) => format!(
            "Contradicts the table that is built in, in {count} places; {} of {cells} cells agree.",
            run.agreeing()
        ),
    };
    Some(Conform {
        legend: LEGEND,
        kernels: run.kernels.clone(),
        backends: run.backends.clone(),
        rows: rows
            .into_iter()
            .map(|(scenario, fields)| ScenarioRow {
                scenario: scenario.to_owned(),
                fields,
            })
            .collect(),
        verdict,
        is_bad: count > 0,
        whys: whys.into_iter().map(str::to_owned).collect(),
    })
}

fn line(run: &Conformance, row: &Row, whys: &[&str]) -> Line {
    let is_of_row = |c: &&Contradiction| {
        c.cell.scenario == row.scenario
            && c.cell.backend == row.backend
            && row.kernels.contains(&c.cell.kernel)
    };
    let mut contradicted: Vec<String> = run
        .contradictions
        .iter()
        .filter(is_of_row)
        .map(|c| format!("{} {}", c.facet, c.held))
        .collect();
    contradicted.sort_unstable();
    contradicted.dedup();
    let numbers = run.kernels.iter().enumerate();
    let numbers: Vec<String> = numbers
        .filter(|(_, kernel)| row.kernels.contains(kernel))
        .map(|(at, _)| at.to_string())
        .collect();
    let predicted = row.predicted.iter();
    Line {
        kernels: numbers.join(" "),
        on: run.on(&row.kernels),
        text: row.brief.clone(),
        class: if !contradicted.is_empty() {
            "bad"
        } else if ["sees all", "nothing to see"].contains(&row.brief.as_str()) {
            "good"
        } else if row.evidence.is_some() {
            "idle"
        } else {
            "mixed"
        },
        evidence: row.evidence.clone().unwrap_or_default(),
        predicted: predicted.map(|(f, words)| format!("{f} {words}")).collect(),
        whys: row
            .why
            .iter()
            .filter_map(|why| whys.iter().position(|known| known == why))
            .map(|at| at + 1)
            .collect(),
        is_unexplained: !row.unexplained.is_empty(),
        contradicted,
    }
}
