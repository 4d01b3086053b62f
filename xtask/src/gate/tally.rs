//! What many comparisons said.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bench::numbers::quantile;

/// Sums over comparisons.
#[derive(Default)]
pub struct Tally {
    codes: BTreeMap<u64, usize>,
    rows: BTreeMap<String, Row>,
}

/// What was said of the cost of one row, and of everything else in it.
#[derive(Default)]
struct Row {
    verdicts: BTreeMap<String, usize>,
    others: BTreeMap<String, usize>,
    shifts: Vec<f64>,
    seen_from: Vec<f64>,
}

impl Tally {
    /// Adds what `execlab compare --format json` printed.
    pub fn add(&mut self, gate: &Value) -> Result<()> {
        let code = gate["exit_code"].as_u64().context("no exit code")?;
        *self.codes.entry(code).or_default() += 1;
        for row in gate["rows"].as_array().context("no rows")? {
            let findings = row["findings"].as_array().context("no findings")?;
            if findings.is_empty() {
                continue;
            }
            let cell = row["cell"].as_str().unwrap_or_default().to_owned();
            let tally = self.rows.entry(cell).or_default();
            for finding in findings {
                let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
                let number = |name: &str| finding[name].as_f64();
                if text("metric") != "added_per_exec" {
                    if text("verdict") != "unchanged" {
                        let what = format!("{} {}", text("metric"), text("verdict"));
                        *tally.others.entry(what).or_default() += 1;
                    }
                    continue;
                }
                *tally.verdicts.entry(text("verdict")).or_default() += 1;
                let base = number("base").context("a cost has no base")?;
                tally.shifts.extend(number("relative"));
                let from = number("limit").into_iter().chain(number("noise"));
                tally.seen_from.push(from.fold(0.0, f64::max) / base);
            }
        }
        Ok(())
    }

    /// Comparisons that did not end with 0.
    pub fn alarms(&self) -> usize {
        let alarms = self.codes.iter().filter(|(code, _)| **code != 0);
        alarms.map(|(_, count)| count).sum()
    }

    /// Whether the cost of every row of a backend had one verdict each time.
    pub fn always(&self, backend: &str, verdict: &str) -> bool {
        let of = format!("/{backend}+");
        let mut rows = self
            .rows
            .iter()
            .filter(|(cell, _)| cell.contains(&of))
            .peekable();
        let only = |row: &Row| row.verdicts.keys().eq([verdict]);
        rows.peek().is_some() && rows.all(|(_, row)| only(row))
    }

    /// A table of Markdown.
    pub fn print(&self) {
        let words = |counts: &BTreeMap<String, usize>| {
            let each = counts.iter().map(|(what, count)| format!("{count} {what}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let codes: Vec<String> = self
            .codes
            .iter()
            .map(|(code, count)| format!("{count} times {code}"))
            .collect();
        println!("\nexit code: {}\n", codes.join(", "));
        println!(
            "| row | cost | shift: least, median, most | seen from: median, most | other figures |"
        );
        println!("|---|---|---|---|---|");
        for (cell, row) in &self.rows {
            let percent = |share: f64| format!("{:+.2} %", 100.0 * share);
            let of = |values: &[f64], share: f64| quantile(values, share);
            println!(
                "| `{cell}` | {} | {}, {}, {} | {}, {} | {} |",
                words(&row.verdicts),
                percent(of(&row.shifts, 0.0)),
                percent(of(&row.shifts, 0.5)),
                percent(of(&row.shifts, 1.0)),
                percent(of(&row.seen_from, 0.5)),
                percent(of(&row.seen_from, 1.0)),
                words(&row.others),
            );
        }
        println!();
    }
}
