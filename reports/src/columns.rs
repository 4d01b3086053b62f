//! Small tables of figures, for a terminal and for Markdown.

use crate::text::{clean, markdown as escape};

/// A table before it is laid out.
pub(crate) struct Table {
    /// One for each column.
    pub head: Vec<String>,
    /// As many fields each as there are heads.
    pub rows: Vec<Vec<String>>,
}

/// Columns under their heads, the first to the left and figures to the right.
pub(crate) fn aligned(table: &Table) -> String {
    let clean_row = |row: &Vec<String>| -> Vec<String> { row.iter().map(|f| clean(f)).collect() };
    let rows: Vec<Vec<String>> = [&table.head]
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
    let widths: Vec<usize> = (0..table.head.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        for (at, field) in row.iter().enumerate() {
            let width = widths[at];
            if at == 0 {
                out += &format!("{field:<width$}");
            } else {
                out += &format!("  {field:>width$}");
            }
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

/// As a table of Markdown.
pub(crate) fn piped(table: &Table) -> String {
    let line = |row: &[String]| {
        let fields: Vec<String> = row.iter().map(|f| escape(f)).collect();
        format!("| {} |\n", fields.join(" | "))
    };
    let mut out = line(&table.head) + "|---|" + &"---:|".repeat(table.head.len() - 1) + "\n";
    for row in &table.rows {
        out += &line(row);
    }
    out
}
