//! The comparison as a text.

use super::{Across, Comparison, Measured, Side, words::chance};
use crate::{
    columns::{Table, aligned, piped},
    metric::Metric,
    number::{magnitude, share},
    rank::Agreement,
    text::{clean, markdown as escape, wrap},
};

impl Across {
    /// For a terminal; ends with a newline.
    pub fn terminal(&self, width: usize) -> String {
        let mut out = String::new();
        for comparison in &self.comparisons {
            out += &format!(
                "{}\n{}",
                title(comparison),
                aligned(&self.table(comparison))
            );
            out += &format!("{}\n\n", agreement(comparison.agreement.as_ref()));
        }
        if let Some((table, line)) = self.together() {
            out += &format!("All together\n{}{line}\n\n", aligned(&table));
        }
        let mut items = |heading: &str, lines: &[String]| {
            if lines.is_empty() {
                return;
            }
            out += &format!("{heading}\n");
            for line in lines {
                for (at, part) in wrap(&clean(line), width.max(40) - 2).iter().enumerate() {
                    out += &format!("{}{part}\n", if at == 0 { "- " } else { "  " });
                }
            }
        };
        items("Left out", &self.left_out_lines());
        items("What it means", &self.words);
        out
    }

    /// For a page or the step summary of a CI run.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# execlab: order of costs across labs\n\n");
        for line in &self.words {
            out += &format!("- {}\n", escape(line));
        }
        let mut section = |title: &str, table: &Table, line: &str| {
            out += &format!(
                "\n## {}\n\n{}\n{}\n",
                escape(title),
                piped(table),
                escape(line)
            );
        };
        if let Some((table, line)) = self.together() {
            section("All together", &table, &line);
        }
        for comparison in &self.comparisons {
            let line = agreement(comparison.agreement.as_ref());
            section(&title(comparison), &self.table(comparison), &line);
        }
        let left_out = self.left_out_lines();
        if !left_out.is_empty() {
            out += "\n## Left out\n\n";
            for line in left_out {
                out += &format!("- {}\n", escape(&line));
            }
        }
        out
    }

    fn left_out_lines(&self) -> Vec<String> {
        let line = |l: &super::LeftOut| format!("{} ({}): {}", l.backend, l.place, l.reason);
        self.left_out.iter().map(line).collect()
    }

    fn table(&self, comparison: &Comparison) -> Table {
        let heads = |side: &Side| {
            let cost = format!("{}, {}", side.lab, side.unit);
            [cost, "saw".to_owned(), "rank".to_owned()]
        };
        let fields = |m: &Measured| {
            let saw = m.completeness.map_or_else(|| "n/a".into(), share);
            [cost(m), saw, rank(m.rank)]
        };
        Table {
            head: ["backend".to_owned()]
                .into_iter()
                .chain(heads(&self.base))
                .chain(heads(&self.new))
                .collect(),
            rows: comparison
                .rows
                .iter()
                .map(|row| {
                    let both = fields(&row.base).into_iter().chain(fields(&row.new));
                    [row.backend.clone()].into_iter().chain(both).collect()
                })
                .collect(),
        }
    }

    fn together(&self) -> Option<(Table, String)> {
        let pooled = self.pooled.as_ref()?;
        let head = |side: &Side| format!("mean rank in {}", side.lab);
        let table = Table {
            head: vec!["backend".into(), head(&self.base), head(&self.new)],
            rows: pooled
                .backends
                .iter()
                .map(|(name, one, other)| vec![name.clone(), rank(*one), rank(*other)])
                .collect(),
        };
        Some((table, agreement(pooled.agreement.as_ref())))
    }
}

fn title(comparison: &Comparison) -> String {
    let (one, other) = (&comparison.base_kernel, &comparison.new_kernel);
    if one == other {
        format!("{}, on {one}", comparison.workload)
    } else {
        format!("{}, on {one} and {other}", comparison.workload)
    }
}

/// The median with its interval, or else the range of the seeds.
fn cost(measured: &Measured) -> String {
    let added = Metric::by_id("added_per_exec").expect("a metric of the table");
    let median = added.print(measured.added_per_exec);
    match measured.interval {
        Some(interval) => format!(
            "{median} {}",
            crate::matrix::print_interval(added, &interval)
        ),
        None if measured.min < measured.max => {
            format!(
                "{median} ({}..{})",
                added.print(measured.min),
                added.print(measured.max)
            )
        }
        None => median,
    }
}

fn rank(rank: f64) -> String {
    magnitude(rank)
}

fn agreement(agreement: Option<&Agreement>) -> String {
    match agreement {
        None => "No order to compare.".into(),
        Some(a) => format!(
            "Spearman's rho {:.2} (p {}), Kendall's tau-b {:.2} (p {}), {} backends{}",
            a.rho,
            chance(a.rho_p, a),
            a.tau_b,
            chance(a.tau_p, a),
            a.count,
            if a.exact { "" } else { ", p approximate" }
        ),
    }
}
