//! The answers as a table, for a terminal and for a page.

use super::{Find, Question, Row, State, What};
use crate::{
    number::{bytes, signed, thousands},
    text::{clean, markdown as escape, wrap},
};

/// Columns that hold names stand to the left, figures to the right.
struct Table {
    head: Vec<&'static str>,
    names: usize,
    rows: Vec<Vec<String>>,
}

impl Find {
    /// For a terminal; ends with a newline.
    pub fn terminal(&self, width: usize) -> String {
        let mut out = format!("{}\n\n{}", self.title(), aligned(&self.table()));
        for (heading, lines) in self.sections() {
            if lines.is_empty() {
                continue;
            }
            out += &format!("\n{heading}\n");
            for line in lines {
                let parts = wrap(&clean(&line), width.max(40) - 2);
                for (at, part) in parts.iter().enumerate() {
                    out += &format!("{}{part}\n", if at == 0 { "- " } else { "  " });
                }
            }
        }
        out
    }

    /// For a page or the step summary of a CI run.
    pub fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n{}", escape(&self.title()), piped(&self.table()));
        for (heading, lines) in self.sections() {
            if lines.is_empty() {
                continue;
            }
            out += &format!("\n{heading}:\n\n");
            for line in lines {
                out += &format!("- {}\n", escape(&line));
            }
        }
        out
    }

    fn sections(&self) -> [(&'static str, Vec<String>); 4] {
        [
            ("How to read it", self.reading()),
            ("Not monotone", self.not_monotone()),
            ("Without an answer", self.unanswered()),
            ("Proof", self.proofs()),
        ]
    }

    fn table(&self) -> Table {
        let settings = self.rows.iter().any(|row| row.setting.is_some());
        let costs = self.asked.what == What::LossKnee;
        let mut head = vec!["kernel", "backend"];
        if settings {
            head.push("setting");
        }
        head.push(match self.asked.what {
            What::BlindWindow => "life (instr.) to be",
            What::LossKnee | What::Isolation => "load",
        });
        let names = head.len();
        head.extend(match self.asked.what {
            What::BlindWindow => ["shortest that did", "longest that did not", "median"],
            What::LossKnee | What::Isolation => ["least that lost", "most that did not", "median"],
        });
        head.extend(["seeds", "not monotone"]);
        if costs {
            head.extend(["added per exec (instr.)", "monitor"]);
        }
        let row = |row: &Row| {
            let mut fields = vec![row.kernel.clone(), backend(row)];
            if settings {
                fields.push(row.setting.clone().unwrap_or_else(|| "-".into()));
            }
            fields.push(
                match row.asking.question {
                    Question::Seen => "seen",
                    Question::RightPath => "right path",
                    Question::Burst => "burst (execs)",
                    Question::Rate => "rate (execs/s)",
                }
                .into(),
            );
            fields.extend(figures(row));
            if costs {
                let cost = row.cost.as_ref();
                fields.push(cost.map_or_else(|| "n/a".into(), |c| signed(c.added_per_exec)));
                let peak = cost.and_then(|c| c.monitor_peak_bytes);
                #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
                fields.push(peak.map_or_else(|| "n/a".into(), |p| bytes(p as f64)));
            }
            fields
        };
        Table {
            names,
            rows: self.rows.iter().map(row).collect(),
            head,
        }
    }
}

/// Without the part of its variant that stands in a column of its own.
fn backend(row: &Row) -> String {
    let label = row.backend_label();
    let Some(setting) = &row.setting else {
        return label;
    };
    let shorter = label.strip_suffix(setting.as_str());
    shorter.map_or_else(
        || label.clone(),
        |l| l.trim_end_matches(['+', '.']).to_owned(),
    )
}

/// Both bounds, the median, how many seeds, and how many of them were not monotone.
fn figures(row: &Row) -> [String; 5] {
    let none = || "-".to_owned();
    match row.state {
        State::Unsupported => ["unsupported".into(), none(), none(), none(), none()],
        State::Failed => ["failed".into(), none(), none(), none(), none()],
        State::Answered | State::Unfinished => {
            let yes = row.lowest_yes.as_ref().map(|p| number(p.value));
            let no = row.highest_no.as_ref().map(|p| number(p.value));
            let beyond = || format!("> {}", number(row.asking.most));
            let done = row.seeds.iter().filter(|seed| seed.done).count();
            let seeds = match row.state {
                State::Answered if done == row.seeds.len() => done.to_string(),
                _ => format!("{done} of {}", row.seeds.len()),
            };
            let median = match row.median {
                Some(value) => number(value),
                None if done > 0 => beyond(),
                None => none(),
            };
            let odd = match row.not_monotone().count() {
                0 => none(),
                n => n.to_string(),
            };
            [
                yes.unwrap_or_else(|| "none".into()),
                no.unwrap_or_else(|| "none".into()),
                median,
                seeds,
                odd,
            ]
        }
    }
}

/// A value as every table shows it.
#[allow(
    clippy::cast_precision_loss,
    reason = "lives and loads are far below 2^53"
)]
pub(super) fn number(value: u64) -> String {
    thousands(value as f64)
}

fn aligned(table: &Table) -> String {
    let head: Vec<String> = table.head.iter().map(|h| (*h).to_owned()).collect();
    let clean_row = |row: &Vec<String>| -> Vec<String> { row.iter().map(|f| clean(f)).collect() };
    let rows: Vec<Vec<String>> = [&head]
        .into_iter()
        .chain(&table.rows)
        .map(clean_row)
        .collect();
    let width = |at: usize| {
        rows.iter()
            .map(|r| r[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, (field, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            line += &if at < table.names {
                format!("{gap}{field:<width$}")
            } else {
                format!("{gap}{field:>width$}")
            };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn piped(table: &Table) -> String {
    let line = |row: Vec<String>| format!("| {} |\n", row.join(" | "));
    let figures = table.head.len() - table.names;
    let mut out = line(table.head.iter().map(|&h| h.to_owned()).collect())
        + "|"
        + &"---|".repeat(table.names)
        + &"---:|".repeat(figures)
        + "\n";
    for row in &table.rows {
        out += &line(row.iter().map(|field| escape(field)).collect());
    }
    out
}
