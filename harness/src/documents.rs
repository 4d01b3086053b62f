//! Reports made from results alone, and the files of a run directory that hold them.

use std::str::FromStr;

use execlab_model::{repeat::Repeat, result::TrialResult};
use execlab_reports::Summary;
pub use execlab_reports::TerminalOptions;

use crate::{
    plan::Plan,
    results::of_plan,
    store::{RunDir, StoreError},
};

/// In what form results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables for people.
    Terminal,
    /// As in `report.md`.
    Markdown,
    /// As in `report.html`.
    Html,
    /// As in `summary.json`.
    Json,
    /// As in `junit.xml`.
    Junit,
    /// One row for each trial.
    Csv,
    /// Points of github-action-benchmark of which less is better.
    GithubSmaller,
    /// And those of which more is.
    GithubBigger,
    /// Bencher's metric format.
    Bencher,
    /// When each trial ran, on which worker: a Chrome trace.
    Trace,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Terminal,
        Self::Markdown,
        Self::Html,
        Self::Json,
        Self::Junit,
        Self::Csv,
        Self::GithubSmaller,
        Self::GithubBigger,
        Self::Bencher,
        Self::Trace,
    ];

    /// The name used in flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::GithubSmaller => "github-smaller",
            Self::GithubBigger => "github-bigger",
            Self::Bencher => "bencher",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or_else(|| crate::matrix::unknown("format", text, Self::ALL.map(Self::as_str)))
    }
}

/// In what form the conformance table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConformanceFormat {
    /// For people.
    Terminal,
    /// For a page.
    Markdown,
    /// For programs.
    Json,
    /// As the file that is committed.
    Toml,
    /// The file that is committed, with every row of this run in the place of its own.
    Renewed,
    /// What is still to be explained, to be filled in.
    Explanations,
}

impl ConformanceFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Terminal,
        Self::Markdown,
        Self::Json,
        Self::Toml,
        Self::Renewed,
        Self::Explanations,
    ];

    /// The name used in flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Renewed => "renewed",
            Self::Explanations => "explanations",
        }
    }
}

impl FromStr for ConformanceFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or_else(|| {
                let valid = Self::ALL.map(Self::as_str);
                crate::matrix::unknown("format of the conformance table", text, valid)
            })
    }
}

/// Results as a document that ends with a newline. `screen` matters to the terminal only.
pub fn render(
    results: &[TrialResult],
    repeats: &[Repeat],
    format: Format,
    screen: &TerminalOptions,
) -> String {
    let mut text = match format {
        Format::Terminal => execlab_reports::terminal(results, repeats, screen),
        Format::Markdown => execlab_reports::markdown(results, repeats),
        Format::Html => execlab_reports::html(results, repeats),
        Format::Junit => execlab_reports::junit(results, repeats),
        Format::Csv => execlab_reports::csv(results),
        Format::GithubSmaller => execlab_reports::github_smaller(results),
        Format::GithubBigger => execlab_reports::github_bigger(results),
        Format::Bencher => execlab_reports::bencher(results),
        Format::Trace => execlab_reports::run_trace(results),
        Format::Json => execlab_reports::text::json(&Summary::new(results, repeats)),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Rewrites `summary.json`.
pub fn write_summary(
    dir: &RunDir,
    plan: &Plan,
    results: &[TrialResult],
    repeats: &[Repeat],
) -> Result<(), StoreError> {
    let whole = of_plan(plan, results);
    write(dir, "summary.json", &whole, repeats, Format::Json)
}

/// Rewrites every document of a run directory.
pub fn write_all(
    dir: &RunDir,
    plan: &Plan,
    results: &[TrialResult],
    repeats: &[Repeat],
) -> Result<(), StoreError> {
    let whole = of_plan(plan, results);
    write(dir, "summary.json", &whole, repeats, Format::Json)?;
    for (name, format) in [
        ("report.md", Format::Markdown),
        ("report.html", Format::Html),
        ("junit.xml", Format::Junit),
    ] {
        write(dir, name, &whole, repeats, format)?;
    }
    Ok(())
}

fn write(
    dir: &RunDir,
    name: &str,
    results: &[TrialResult],
    repeats: &[Repeat],
    format: Format,
) -> Result<(), StoreError> {
    let screen = TerminalOptions::default();
    dir.write(name, render(results, repeats, format, &screen).as_bytes())
}
