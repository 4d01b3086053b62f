//! The table as a text: scenario by scenario, backends as columns.

use std::collections::BTreeMap;

use comfy_table::{Cell as Field, ContentArrangement, LineStyle, Table as Laid, TableStyle};

use execlab_model::plan::PROGRAM_PREFIX;

use super::{
    document::{CellName, Conformance, Row},
    kernels::{ranges, shown},
};
use crate::text::{clean, markdown as escape, plural, wrap};

/// What the tables leave out.
pub(crate) const LEGEND: &str = "Left out is what is as good as it can be whatever the scenario: an \
exact path, exact arguments, the host's pid, the right container, a monitor that knew what it lost, no \
phantoms, no duplicates, nothing late. Words joined by \"or\" vary: the technique is a race there.";

impl Conformance {
    /// For a terminal of so many columns; ends with a newline.
    pub fn terminal(&self, width: usize) -> String {
        let width = width.max(60);
        let mut out = String::new();
        if !self.is_empty() {
            out += &self.laid(width);
            out.push('\n');
            for line in wrap(LEGEND, width) {
                out += &format!("{line}\n");
            }
            out.push('\n');
        }
        let mut item = |text: &str, mark: &str| {
            for (at, line) in wrap(text, width - 2).iter().enumerate() {
                out += &format!("{}{line}\n", if at == 0 { mark } else { "  " });
            }
        };
        for (heading, lines) in self.parts() {
            item(&heading, "");
            for line in lines {
                item(&line, "- ");
            }
        }
        out
    }

    /// For a page or the step summary of a CI run.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# execlab: the conformance table\n");
        if !self.is_empty() {
            out += &format!("\n{}\n\n| scenario |", escape(LEGEND));
            for backend in &self.backends {
                out += &format!(" {} |", escape(backend));
            }
            out += &format!("\n|---|{}\n", "---|".repeat(self.backends.len()));
            for (scenario, fields) in self.told() {
                let fields = fields.iter().map(|lines| {
                    let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
                    lines.join("<br>")
                });
                let fields: Vec<String> = fields.collect();
                out += &format!("| {} | {} |\n", escape(scenario), fields.join(" | "));
            }
        }
        for (heading, lines) in self.parts() {
            out += &format!("\n**{}**\n\n", escape(&heading));
            for line in lines {
                out += &format!("- {}\n", escape(&line));
            }
        }
        out
    }

    fn laid(&self, width: usize) -> String {
        let mut table = Laid::new();
        table
            .load_style(
                TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')),
            )
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX))
            .force_no_tty();
        let heads = ["scenario"].into_iter().map(str::to_owned);
        table.set_header(heads.chain(self.backends.iter().cloned()));
        for (scenario, fields) in self.told() {
            let fields = fields.iter().map(|lines| Field::new(lines.join("\n")));
            table.add_row([Field::new(scenario)].into_iter().chain(fields));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        let lines = table
            .lines()
            .flat_map(|line| [line.trim_end().to_owned(), "\n".into()]);
        lines.collect()
    }

    /// As [`Self::by_scenario`]; of a scenario in which all is as in an earlier one, just that.
    fn told(&self) -> Vec<(&str, Vec<Vec<String>>)> {
        let mut told: Vec<(&str, Vec<Vec<String>>)> = Vec::new();
        for (scenario, fields) in self.by_scenario() {
            let earlier = told.iter().find(|(_, known)| *known == fields);
            let fields = match earlier {
                Some((name, _)) => {
                    let mut short = vec![Vec::new(); fields.len()];
                    short[0].push(format!("as {name}"));
                    short
                }
                None => fields,
            };
            told.push((scenario, fields));
        }
        told
    }

    /// For each scenario and then for each backend: a line for each class.
    fn by_scenario(&self) -> BTreeMap<&str, Vec<Vec<String>>> {
        let mut all: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for row in &self.rows {
            let empty = || vec![Vec::new(); self.backends.len()];
            let fields = all.entry(&row.scenario).or_insert_with(empty);
            if let Some(at) = self.backends.iter().position(|b| *b == row.backend) {
                fields[at].push(self.line(row));
            }
        }
        all
    }

    fn line(&self, row: &Row) -> String {
        if row.kernels.len() == self.kernels.len() {
            row.brief.clone()
        } else {
            format!("{}: {}", self.on(&row.kernels), row.brief)
        }
    }

    /// Kernels as people read them.
    pub(crate) fn on(&self, kernels: &[String]) -> String {
        let range = ranges(&self.kernels, |kernel| kernels.iter().any(|k| k == kernel));
        shown(&range, &self.kernels)
    }

    /// What is to be said beside the table: a heading, and lines.
    fn parts(&self) -> Vec<(String, Vec<String>)> {
        let mut parts = Vec::new();
        if !self.is_empty() {
            let ours = |row: &Row| !row.backend.starts_with(PROGRAM_PREFIX);
            let told = match (
                self.rows.iter().any(|row| !row.why.is_empty()),
                self.rows.iter().any(|row| !row.unexplained.is_empty()),
            ) {
                (true, _) => " Otherwise than techniques.md predicts, and why:",
                (false, true) => "",
                (false, false) if !self.rows.iter().any(ours) => {
                    " Nothing is predicted of programs of your own."
                }
                (false, false) => " All is as techniques.md predicts.",
            };
            let heading = format!("On kernels {}.{told}", self.kernels.join(", "));
            parts.push((heading, self.explained()));
        }
        let mut add = |heading: String, lines: Vec<String>| {
            if !lines.is_empty() {
                parts.push((heading, lines));
            }
        };
        add(
            "Otherwise than predicted, and nobody has said why:".into(),
            self.unexplained(),
        );
        add(
            format!(
                "Contradicts the committed table ({} agree):",
                plural(self.agreeing(), "cell")
            ),
            self.contradicted(),
        );
        let unheld: Vec<String> = self.unheld_lines();
        add("The committed table says nothing of:".into(), unheld);
        let unmeasured = self.unmeasured.iter();
        add(
            "No measurement:".into(),
            unmeasured
                .map(|u| format!("{}: {}", u.trial, u.status))
                .collect(),
        );
        if self.left_out > 0 {
            let trials = plural(self.left_out, "trial");
            let line = format!(
                "{trials} with a monitor left out: the table is about the lab exact, one CPU, \
                 and load and every setting as they come"
            );
            parts.push((line, Vec::new()));
        }
        if self.contradictions.is_empty() && self.compared > 0 {
            let cells = plural(self.compared, "cell");
            parts.push((format!("As the committed table says: {cells}"), Vec::new()));
        }
        parts
    }

    /// How many of the compared cells contradict nothing.
    pub(crate) fn agreeing(&self) -> usize {
        let mut cells: Vec<&CellName> = self.contradictions.iter().map(|c| &c.cell).collect();
        cells.dedup();
        self.compared - cells.len()
    }

    /// Each explanation with the rows that it explains.
    fn explained(&self) -> Vec<String> {
        let mut by_why: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            for why in &row.why {
                by_why.entry(why).or_default().push(self.name(row));
            }
        }
        let line = |(why, rows): (&str, Vec<String>)| format!("{}: {why}", rows.join(", "));
        by_why.into_iter().map(line).collect()
    }

    fn unexplained(&self) -> Vec<String> {
        let rows = self.rows.iter().filter(|row| !row.unexplained.is_empty());
        rows.map(|row| {
            let facets = row.unexplained.iter().map(|facet| {
                let found = row.class.get(facet).map_or("nothing", String::as_str);
                format!("{facet} is {found}, predicted {}", row.predicted[facet])
            });
            let facets: Vec<String> = facets.collect();
            format!("{}: {}", self.name(row), facets.join("; "))
        })
        .collect()
    }

    fn contradicted(&self) -> Vec<String> {
        // Kernels on which the same is otherwise in the same way share a line.
        let mut lines: Vec<(String, String, Vec<String>)> = Vec::new();
        for found in &self.contradictions {
            let name = format!("{} × {}", found.cell.scenario, found.cell.backend);
            let what = format!(
                "{}: the table says {}, this run shows {}",
                found.facet, found.held, found.found
            );
            let same = lines.iter_mut().find(|(n, w, _)| *n == name && *w == what);
            match same {
                Some((_, _, kernels)) => kernels.push(found.cell.kernel.clone()),
                None => lines.push((name, what, vec![found.cell.kernel.clone()])),
            }
        }
        lines
            .into_iter()
            .map(|(name, what, kernels)| format!("{name} ({}): {what}", self.on(&kernels)))
            .collect()
    }

    fn unheld_lines(&self) -> Vec<String> {
        let mut by_scenario: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in &self.unheld {
            *by_scenario.entry(&cell.scenario).or_default() += 1;
        }
        let line = |(scenario, count)| format!("{} ({})", clean(scenario), plural(count, "cell"));
        by_scenario.into_iter().map(line).collect()
    }

    /// `memfd × audit (to 6.1)`.
    fn name(&self, row: &Row) -> String {
        format!(
            "{} × {} ({})",
            row.scenario,
            row.backend,
            self.on(&row.kernels)
        )
    }
}
