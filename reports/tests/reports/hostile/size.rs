//! No trial makes a report that nobody can open.

use execlab_model::result::{LossSum, TrialResult};
use execlab_model::sighting::LossUnit;
use execlab_reports::{Summary, csv, html, junit, markdown, text::json};

use super::{
    screen,
    texts::{Soil, run},
};
use crate::fixture;

const MIB: usize = 1 << 20;

fn documents(results: &[TrialResult]) -> [(&'static str, String); 6] {
    [
        ("html", html(results, &[])),
        ("markdown", markdown(results, &[])),
        ("terminal", screen(results, &[], true)),
        ("junit", junit(results, &[])),
        ("csv", csv(results)),
        ("summary", json(&Summary::new(results, &[]))),
    ]
}

/// A trial with a mebibyte in every place, and three hundred entries in every list.
fn huge() -> TrialResult {
    let mut trials = fixture::everything();
    let at = trials
        .iter()
        .position(|t| !t.examples.is_empty() && !t.notes.is_empty())
        .unwrap();
    let mut trial = Soil::of(&trials.swap_remove(at)).planted(&"a".repeat(MIB));
    let (note, example) = (trial.notes[0][..5000].to_owned(), trial.examples[0].clone());
    trial.notes = vec![note; 300];
    let mut example = example;
    example.expected.as_mut().unwrap().0.truncate(5000);
    example.what.truncate(5000);
    example.reported = None;
    trial.examples = vec![example; 300];
    trial.provenance.command_line = vec!["b".repeat(300); 300];
    let loss = trial.loss.as_mut().unwrap();
    loss.reports = (0..300)
        .map(|n| LossSum {
            source: format!("source {n}"),
            unit: LossUnit::Event,
            count: Some(1),
            reports: 1,
        })
        .collect();
    trial.backend.settings = (0..300)
        .map(|n| (format!("{n}"), "c".repeat(300)))
        .collect();
    trial
}

#[test]
fn what_one_trial_adds_is_bounded_and_cut_with_a_mark() {
    for (name, text) in documents(&[huge()]) {
        assert!(text.len() < MIB, "{name}: {}", text.len());
        assert!(text.contains('…'), "{name}");
    }
    let page = html(&[huge()], &[]);
    assert!(page.contains("… 280 more notes"));
    assert!(page.contains("… 280 more sources of loss reports"));
}

#[test]
fn names_that_differ_only_where_they_are_cut_stay_two() {
    let mut two = [huge(), huge()];
    two[1].kernel.name.push('x');
    two[1].backend.name.push('x');
    two[1].trial.push('x');
    two[1].digest = "another".into();
    assert_eq!(Summary::new(&two, &[]).cells.len(), 2);
}

#[test]
fn a_guest_does_not_talk_a_doubt_away() {
    let mut trials = fixture::realistic();
    trials[1].notes = vec!["something".into(); 50];
    let doubt = format!("{}: after 9 rounds", execlab_reports::doubts::UNSETTLED);
    trials[1].notes.push(doubt);
    assert!(markdown(&trials, &[]).contains("did not settle"));
}

#[test]
fn what_is_not_too_long_is_not_touched() {
    let (results, _) = run("plain");
    for (name, text) in documents(&results) {
        // Intervals have the same sign in them.
        assert!(
            !text.replace(" … ", "").contains('…') || name == "terminal",
            "{name}"
        );
    }
}
