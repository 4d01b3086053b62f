//! What `execlab run` prints.

use execlab_reports::{TerminalOptions, terminal};

use crate::fixture;

fn plain(width: usize) -> TerminalOptions {
    TerminalOptions {
        width,
        color: false,
    }
}

#[test]
fn every_status_at_80_columns() {
    insta::assert_snapshot!(terminal(&fixture::everything(), &[], &plain(80)));
}

#[test]
fn every_status_at_120_columns() {
    insta::assert_snapshot!(terminal(&fixture::everything(), &[], &plain(120)));
}

#[test]
fn every_status_at_200_columns() {
    insta::assert_snapshot!(terminal(&fixture::everything(), &[], &plain(200)));
}

#[test]
fn every_status_in_color() {
    let options = TerminalOptions {
        width: 120,
        color: true,
    };
    insta::assert_snapshot!(terminal(&fixture::everything(), &[], &options));
}

#[test]
fn the_first_matrix_at_100_columns() {
    insta::assert_snapshot!(terminal(&fixture::realistic(), &[], &plain(100)));
}

#[test]
fn nothing_at_all() {
    insta::assert_snapshot!(terminal(&[], &[], &plain(80)));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for results in [fixture::everything(), fixture::realistic()] {
        for width in 60..=220 {
            let text = terminal(&results, &[], &plain(width));
            let widest = text
                .lines()
                .max_by_key(|l| l.chars().count())
                .unwrap_or_default();
            assert!(
                widest.chars().count() <= width,
                "{width} columns: {widest:?}"
            );
        }
    }
}

#[test]
fn color_says_nothing_that_the_text_does_not() {
    for width in [80, 120, 200] {
        let results = fixture::everything();
        let colored = terminal(&results, &[], &TerminalOptions { width, color: true });
        assert_eq!(
            tight(&without_color(&colored)),
            tight(&terminal(&results, &[], &plain(width)))
        );
    }
}

#[test]
fn loss_and_cost_share_a_row_at_80_columns() {
    let text = terminal(&fixture::realistic(), &[], &plain(80));
    let row = text.lines().find(|l| l.contains("netlink")).unwrap();
    insta::assert_snapshot!(row, @"5.10    netlink      98.50%  41.62%      3  no number  no number    +9,439");
}

/// Takes the escape sequences of colour away; any other stays and is seen.
pub fn without_color(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out += &rest[..at];
        let after = &rest[at + 2..];
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(0);
        if after[end..].starts_with('m') {
            rest = &after[end + 1..];
        } else {
            out += &rest[at..at + 2];
            rest = after;
        }
    }
    out + rest
}

/// Painted cells keep spaces at the end of a line that plain ones lose.
fn tight(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}
