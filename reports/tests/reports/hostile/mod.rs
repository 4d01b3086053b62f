//! Whatever stands in the texts of guests and monitors, it stays text, in every document.
//!
//! Each document is made of results with a hostile text in every place, and of the same with a plain
//! word there; a reader of that format, which is not ours, must find the same structure in both.

pub mod documents;
mod size;
pub mod texts;

use std::sync::LazyLock;

use execlab_model::{bytes::is_hidden, repeat::Repeat, result::TrialResult};
use execlab_reports::{
    Summary, TerminalOptions, csv, html, junit, markdown, terminal,
    text::{clean, json},
};
use proptest::prelude::*;

use crate::{html::without_script, terminal::without_color};
use documents::{csv_shape, html_shape, markdown_shape, xml_shape};
use texts::{TEXTS, any_text, run};

/// What no document may hold: anything that steers a terminal or that nobody sees.
pub fn steers(text: &str) -> Option<char> {
    text.chars()
        .find(|&c| (c.is_control() && c != '\n') || is_hidden(c))
}

fn screen(results: &[TrialResult], repeats: &[Repeat], color: bool) -> String {
    terminal(results, repeats, &TerminalOptions { width: 100, color })
}

/// What is in the documents of plain words.
struct Plain {
    html: Vec<String>,
    markdown: Vec<String>,
    xml: Vec<String>,
    csv: Vec<usize>,
}

static PLAIN: LazyLock<Plain> = LazyLock::new(|| {
    let (results, repeats) = run("plain");
    Plain {
        html: html_shape(&without_script(&html(&results, &repeats))),
        markdown: markdown_shape(&markdown(&results, &repeats)),
        xml: xml_shape(&junit(&results, &repeats)).0,
        csv: csv_shape(&csv(&results)),
    }
});

/// Panics where a document of these results is another one than that of plain words.
fn check(text: &str) {
    let (results, repeats) = run(text);
    let page = html(&results, &repeats);
    assert_eq!(steers(&page), None);
    similar(&html_shape(&without_script(&page)), &PLAIN.html);

    for color in [false, true] {
        let shown = screen(&results, &repeats, color);
        assert_eq!(steers(&without_color(&shown)), None);
    }

    let paper = markdown(&results, &repeats);
    assert_eq!(steers(&paper), None);
    similar(&markdown_shape(&paper), &PLAIN.markdown);

    let cases = junit(&results, &repeats);
    assert_eq!(steers(&cases), None);
    let (shape, values) = xml_shape(&cases);
    similar(&shape, &PLAIN.xml);
    let wanted = clean(text);
    assert!(
        values.contains(&wanted),
        "{wanted:?} comes back as it was written"
    );

    let rows = csv(&results);
    assert_eq!(steers(&rows.replace("\r\n", "\n")), None);
    assert_eq!(csv_shape(&rows), PLAIN.csv);

    let summary = Summary::new(&results, &repeats);
    let written = json(&summary);
    assert_eq!(steers(&written), None);
    assert_eq!(serde_json::from_str::<Summary>(&written).unwrap(), summary);
    assert_eq!(steers(&summary.conclusions.concat()), None);
}

/// As `assert_eq`, without pages of what is the same.
#[track_caller]
fn similar(one: &[String], other: &[String]) {
    let differ = one.iter().zip(other).position(|(a, b)| a != b);
    assert!(
        one.len() == other.len() && differ.is_none(),
        "{} parts and {}, from {differ:?}: {:?} and {:?}",
        one.len(),
        other.len(),
        differ.map(|at| &one[at]),
        differ.map(|at| &other[at])
    );
}

#[test]
fn no_document_is_another_for_any_of_these_texts() {
    for (name, text) in TEXTS {
        let checked = std::panic::catch_unwind(|| check(text));
        assert!(checked.is_ok(), "{name}: {text:?}");
    }
}

#[test]
fn a_comparison_across_labs_is_not_steered() {
    let exact = |text: &str| -> Vec<TrialResult> {
        run(text)
            .0
            .into_iter()
            .filter(|t| t.lab.is_exact())
            .collect()
    };
    let host = |text: &str| -> Vec<TrialResult> {
        run(text)
            .0
            .into_iter()
            .filter(|t| !t.lab.is_exact())
            .collect()
    };
    for (name, text) in TEXTS {
        let found = execlab_reports::across::across(&exact(text), &host(text), &[]);
        match found {
            Ok(found) => {
                for document in [found.terminal(100), found.markdown(), json(&found)] {
                    assert_eq!(steers(&document), None, "{name}");
                }
            }
            Err(error) => assert_eq!(steers(&error.to_string()), None, "{name}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn no_document_is_another_for_any_text(text in any_text()) {
        check(&text);
    }
}
