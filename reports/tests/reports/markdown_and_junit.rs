//! `report.md`, `junit.xml`, CSV and the guide to the metrics.

use execlab_model::result::Status;
use execlab_reports::{csv, csv_columns, junit, markdown, metrics_guide};

use crate::fixture;

#[test]
fn markdown_of_every_status() {
    insta::assert_snapshot!(markdown(&fixture::everything(), &[]));
}

#[test]
fn markdown_of_nothing() {
    insta::assert_snapshot!(markdown(&[], &[]));
}

#[test]
fn rows_of_a_markdown_table_have_as_many_fields_as_its_head() {
    for results in [fixture::everything(), fixture::realistic()] {
        let text = markdown(&results, &[]);
        let mut fields = None;
        for line in text.lines() {
            let count = line.starts_with('|').then(|| line.matches('|').count());
            if let (Some(before), Some(now)) = (fields, count) {
                assert_eq!(before, now, "{line}");
            }
            fields = count;
        }
    }
}

#[test]
fn junit_of_every_status() {
    insta::assert_snapshot!(junit(&fixture::everything(), &[]));
}

#[test]
fn junit_counts_what_the_results_say() {
    let results = fixture::everything();
    let text = junit(&results, &[]);
    let of = |status| results.iter().filter(|t| t.status == status).count();
    assert_eq!(text.matches("<testcase ").count(), results.len());
    assert_eq!(text.matches("<skipped ").count(), of(Status::Unsupported));
    let errors = of(Status::BackendFailed) + of(Status::Lost) + of(Status::Infra);
    assert_eq!(text.matches("<error ").count(), errors);
    assert!(
        text.contains(&format!("tests=\"{}\"", results.len())),
        "{text}"
    );
}

#[test]
fn guide_to_the_metrics() {
    insta::assert_snapshot!(metrics_guide());
}

#[test]
fn csv_of_every_status() {
    insta::assert_snapshot!(csv(&fixture::everything()).replace("\r\n", "\n"));
}

#[test]
fn every_column_of_csv_is_documented() {
    let guide = include_str!("../../../docs/csv.md");
    let mut at = 0;
    for (name, _) in csv_columns() {
        let row = format!("| `{name}` |");
        let found = guide[at..].find(&row);
        at +=
            found.unwrap_or_else(|| panic!("{row} is missing in docs/csv.md or not in its place"));
    }
}
