//! The comparison as a text.

use std::collections::BTreeMap;

use super::{Finding, Gate, Input, Row, Side, Verdict, judge, measure::Measure, words};
use crate::{
    columns::{Table, aligned, piped},
    number::{magnitude, signed},
    text::{clean, list, markdown as escape, plural, wrap},
};

/// The measure that has a table of its own.
const COST: &str = "added_per_exec";
/// Columns of its parts, which the lists name too.
const PARTS: [&str; 3] = ["inline", "monitor", "rest"];
/// Rows named with a changed input.
const NAMED: usize = 3;

impl Gate {
    /// For a terminal; ends with a newline.
    pub fn terminal(&self, width: usize) -> String {
        let mut out = String::new();
        for (what, side) in [("base", &self.base), ("new ", &self.new)] {
            out += &format!("{what}  {}\n", clean(&side_line(side)));
        }
        out.push('\n');
        for (title, table) in self.tables() {
            out += &format!("{title}\n{}\n", fitting(&table, width));
        }
        for (heading, lines) in self.lists() {
            out += &format!("{heading}\n");
            for line in lines {
                for (at, part) in wrap(&clean(&line), width.max(40) - 2).iter().enumerate() {
                    out += &format!("{}{part}\n", if at == 0 { "- " } else { "  " });
                }
            }
            out.push('\n');
        }
        out += &format!("{}\n", self.conclusion());
        out
    }

    /// For a page or the step summary of a CI run.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# execlab: {} against {}\n\n**{}**\n\n",
            escape(&self.new.name),
            escape(&self.base.name),
            escape(&self.conclusion())
        );
        for (what, side) in [("Base", &self.base), ("New", &self.new)] {
            out += &format!("- {what}: {}\n", escape(&side_line(side)));
        }
        for (title, table) in self.tables() {
            out += &format!("\n## {title}\n\n{}", piped(&table));
        }
        for (heading, lines) in self.lists() {
            out += &format!("\n## {heading}\n\n");
            for line in lines {
                out += &format!("- {}\n", escape(&line));
            }
        }
        out
    }

    /// One sentence: `3 rows: 1 regressed, 2 unchanged; exit code 10`.
    pub fn conclusion(&self) -> String {
        let counts: Vec<String> = self
            .counts
            .iter()
            .rev()
            .map(|(verdict, count)| format!("{count} {}", verdict.as_str()))
            .collect();
        let code = self.exit_code();
        format!(
            "{}: {}; exit code {} ({})",
            plural(self.rows.len(), "row"),
            if counts.is_empty() {
                "nothing".into()
            } else {
                counts.join(", ")
            },
            code.code(),
            code.meaning()
        )
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        let mut tables = Vec::new();
        let costs = self.table(
            &[
                "base",
                "new",
                "change",
                "inline",
                "monitor",
                "rest",
                "seen from",
                "verdict",
            ],
            |row, finding| (finding.metric == COST).then(|| cost_fields(row, finding)),
        );
        if !costs.rows.is_empty() {
            tables.push(("What watching adds, per exec", costs));
        }
        let others = self.table(&["what", "base", "new", "verdict"], |row, finding| {
            let told = finding.metric != COST && finding.verdict != Verdict::Unchanged;
            told.then(|| other_fields(row, finding))
        });
        if !others.rows.is_empty() {
            tables.push(("What else is not as it was", others));
        }
        tables
    }

    fn table(
        &self,
        heads: &[&str],
        fields: impl Fn(&Row, &Finding) -> Option<Vec<String>>,
    ) -> Table {
        let mut rows = Vec::new();
        for row in &self.rows {
            for finding in &row.findings {
                if let Some(fields) = fields(row, finding) {
                    rows.push([vec![row.cell.clone()], fields].concat());
                }
            }
        }
        let heads = heads.iter().map(|h| (*h).to_owned());
        Table {
            head: ["row".to_owned()].into_iter().chain(heads).collect(),
            rows,
        }
    }

    /// Headings with their lines; those without any are left out.
    fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        let with = |verdicts: &[Verdict]| -> Vec<String> {
            let rows = self.rows.iter().filter(|r| verdicts.contains(&r.verdict));
            rows.map(told).collect()
        };
        let lists = vec![
            (
                "Lost or incomplete",
                with(&[Verdict::Lost, Verdict::Incomplete]),
            ),
            ("Disappeared", with(&[Verdict::Disappeared])),
            ("Not deterministic", with(&[Verdict::Nondeterministic])),
            ("Not comparable", with(&[Verdict::NotComparable])),
            ("Regressed", with(&[Verdict::Regressed, Verdict::Suspected])),
            ("Unclear", with(&[Verdict::Unclear])),
            ("New", with(&[Verdict::New])),
            ("Ignored", with(&[Verdict::Ignored])),
            ("Improved", with(&[Verdict::Improved])),
            ("Since which input", self.since()),
            ("Notes", self.notes.clone()),
        ];
        lists.into_iter().filter(|l| !l.1.is_empty()).collect()
    }

    /// Changed inputs, each with the rows that it is of.
    fn since(&self) -> Vec<String> {
        let mut rows: BTreeMap<(Input, &str, &str), Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            for change in &row.changed {
                let key = (change.input, change.base.as_str(), change.new.as_str());
                rows.entry(key).or_default().push(row.cell.clone());
            }
        }
        let line = |((input, base, new), mut cells): ((Input, &str, &str), Vec<String>)| {
            let more = cells.len().saturating_sub(NAMED);
            cells.truncate(NAMED);
            if more > 0 {
                cells.push(format!("{more} more"));
            }
            let change = match (base.is_empty(), new.is_empty()) {
                (true, true) => String::new(),
                (false, true) => format!(": {base}"),
                _ => format!(": {} → {}", or_none(base), or_none(new)),
            };
            format!("{}{change} ({})", input.as_str(), list(&cells))
        };
        rows.into_iter().map(line).collect()
    }
}

/// A table in columns; where it is too wide for them, without those that are said again below it.
fn fitting(table: &Table, width: usize) -> String {
    let text = aligned(table);
    if text.lines().all(|line| line.chars().count() <= width) {
        return text;
    }
    let kept: Vec<usize> = (0..table.head.len())
        .filter(|&at| !PARTS.contains(&table.head[at].as_str()))
        .collect();
    let row = |row: &Vec<String>| kept.iter().map(|&at| row[at].clone()).collect();
    aligned(&Table {
        head: row(&table.head),
        rows: table.rows.iter().map(row).collect(),
    })
}

/// A text, or that there is none.
pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn side_line(side: &Side) -> String {
    let labs: Vec<&str> = side.labs.iter().map(|l| l.as_str()).collect();
    let kernels: Vec<String> = side.kernels.iter().map(|k| k.1.clone()).collect();
    let mut parts = vec![format!("lab {}", labs.join(", ")), kernels.join(", ")];
    if !side.qemu.is_empty() {
        parts.push(format!("QEMU {}", side.qemu.join(", ")));
    }
    parts.push(format!("execlab {}", side.execlab.join(", ")));
    parts.push(plural(side.trials, "trial"));
    parts.retain(|p| !p.is_empty());
    format!("{}: {}", side.name, parts.join("; "))
}

/// A row and why it stands in its list.
fn told(row: &Row) -> String {
    let mut parts = row.why.clone();
    for finding in &row.findings {
        let judged = finding.verdict != Verdict::Unchanged;
        let shown = judged || (row.verdict == Verdict::NotComparable && finding.metric == COST);
        if shown {
            let title = Measure::by_id(&finding.metric).map_or("", |m| m.title);
            parts.push(format!("{title}: {}", finding.words));
        }
    }
    let mut since: Vec<String> = row
        .changed
        .iter()
        .map(|c| c.input.as_str().into())
        .collect();
    since.dedup();
    let moved = matches!(
        row.verdict,
        Verdict::Regressed | Verdict::Improved | Verdict::Suspected
    );
    if moved && !since.is_empty() {
        parts.push(format!("since a change of {}", list(&since)));
    }
    if !row.exceptions.is_empty() {
        parts.push(format!("exception: {}", row.exceptions.join("; ")));
    }
    if parts.is_empty() {
        row.cell.clone()
    } else {
        format!("{}: {}", row.cell, parts.join("; "))
    }
}

fn cost_fields(row: &Row, finding: &Finding) -> Vec<String> {
    let figure = |value: Option<f64>| value.map_or_else(|| "n/a".into(), signed);
    let change = match (finding.difference, finding.relative) {
        (Some(by), Some(share)) => format!("{} ({}%)", signed(by), signed(100.0 * share)),
        (by, _) => figure(by),
    };
    let parts = finding.parts;
    vec![
        figure(finding.base),
        figure(finding.new),
        change,
        figure(parts.map(|p| p.inline)),
        figure(parts.map(|p| p.monitor)),
        figure(parts.map(|p| p.rest)),
        seen_from(finding),
        verdict_of(row, finding),
    ]
}

/// From which difference on a change shows, with so many trials.
fn seen_from(finding: &Finding) -> String {
    let from = finding.limit.max(finding.noise.unwrap_or(0.0));
    match finding.base.filter(|base| *base != 0.0) {
        None => magnitude(from),
        Some(base) => format!(
            "{} ({}%)",
            magnitude(from),
            magnitude(100.0 * from / base.abs())
        ),
    }
}

fn other_fields(row: &Row, finding: &Finding) -> Vec<String> {
    let measure = Measure::by_id(&finding.metric);
    let print = |value: Option<f64>| match (value, measure) {
        (Some(value), Some(measure)) => measure.unit.print(value),
        _ => "n/a".to_owned(),
    };
    vec![
        measure.map_or_else(|| finding.metric.clone(), |m| m.title.to_owned()),
        print(finding.base),
        print(finding.new),
        verdict_of(row, finding),
    ]
}

/// What is said of a figure counts for nothing where its row is not judged by figures.
fn verdict_of(row: &Row, finding: &Finding) -> String {
    let own = judge::by_figures(row) || finding.verdict == Verdict::NotComparable;
    let verdict = if own { finding.verdict } else { row.verdict };
    verdict.as_str().to_owned()
}

/// `inline +3, monitor +184, rest 0`, for other documents.
pub(super) fn parts_of(finding: &Finding) -> Option<String> {
    finding.parts.as_ref().map(words::parts)
}
