//! Where words go: what was asked for to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write as _};

use execlab_harness::documents::TerminalOptions;
use execlab_harness::progress::tell;
use execlab_reports::text::clean;

use super::{args::Color, errors::ExpectedError};

/// Stderr, with or without colour.
#[derive(Debug, Clone, Copy)]
pub struct Stderr {
    /// Whether words may be coloured.
    pub color: bool,
    /// Whether bars can be drawn.
    pub terminal: bool,
}

impl Stderr {
    /// As the user wants it.
    pub fn new(color: Color) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            color: wants_color(color, terminal),
            terminal,
        }
    }

    /// One line that starts with a word such as `error`. Paths, and words of QEMU or of a server, may be
    /// in it: none of them steers the terminal.
    pub fn say(self, word: &str, text: &str) {
        let text = clean(text);
        let sgr = match word {
            "error" => "1;31",
            "warning" => "1;33",
            _ => "1;36",
        };
        if self.color {
            tell(format_args!("\x1b[{sgr}m{word}\x1b[0m: {text}"));
        } else {
            tell(format_args!("{word}: {text}"));
        }
    }
}

/// What stdout can show.
pub fn screen(color: Color) -> TerminalOptions {
    let usual = TerminalOptions::default();
    let asked = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let width = asked.or_else(|| {
        let (_rows, columns) = console::Term::stdout().size_checked()?;
        Some(usize::from(columns))
    });
    TerminalOptions {
        width: width.unwrap_or(usual.width),
        color: wants_color(color, io::stdout().is_terminal()),
    }
}

fn wants_color(color: Color, terminal: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color,
    }
}

/// Prints what was asked for.
pub fn print(text: &str) -> Result<(), ExpectedError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(ExpectedError::Stdout)
}

/// Plain data as JSON for people and programs.
pub fn json(value: &impl serde::Serialize) -> String {
    execlab_reports::text::json(value) + "\n"
}

/// One line for each.
pub fn lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for text in texts {
        out.push_str(&clean(text));
        out.push('\n');
    }
    out
}

/// Rows in aligned columns under their heads.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|r| r[column].chars().count());
        cells.max().unwrap_or(0).max(heads[column].len())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let heads: Vec<String> = heads.iter().map(|h| (*h).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_clean() {
        let rows = [["a", "bcd"], ["efgh", ""]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(table(&["X", "Y"], &rows), "X     Y\na     bcd\nefgh\n");
    }
}
