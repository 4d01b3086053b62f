//! What is concluded from what.

use execlab_model::result::{Status, TrialResult};
use execlab_reports::{conclude::conclude, matrix::Matrix};

use crate::fixture;

fn lines(results: &[TrialResult]) -> String {
    conclude(&Matrix::new(results)).join("\n")
}

#[test]
fn of_the_first_matrix() {
    insta::assert_snapshot!(lines(&fixture::realistic()));
}

#[test]
fn of_every_status() {
    insta::assert_snapshot!(lines(&fixture::everything()));
}

#[test]
fn of_backends_that_all_lose() {
    let mut results = fixture::realistic();
    results.retain(|t| ["none", "netlink", "proc-poll"].contains(&t.backend.name.as_str()));
    insta::assert_snapshot!(lines(&results));
}

#[test]
fn of_backends_without_any_result() {
    let mut results = fixture::realistic();
    for trial in &mut results {
        *trial = fixture::bare(&trial.kernel.name, &trial.backend.name, "absolute", 1, 1);
        trial.status = Status::Unsupported;
    }
    insta::assert_snapshot!(lines(&results));
}

#[test]
fn of_a_baseline_alone() {
    let baseline = fixture::baseline(fixture::bare("6.1", "none", "absolute", 10, 1), 1.0);
    insta::assert_snapshot!(lines(&[baseline]), @"Only the baseline was run, so nothing was watched and nothing can be concluded about backends.");
}

#[test]
fn a_backend_without_its_dear_cells_does_not_look_cheap() {
    // ptrace has a result only where everything is cheap; so only there the two are compared.
    let mut results = fixture::realistic();
    results.retain(|t| ["none", "ebpf", "ptrace"].contains(&t.backend.name.as_str()));
    for trial in &mut results {
        if trial.backend.name == "ptrace" && trial.kernel.name != "5.10" {
            *trial = fixture::bare(
                &trial.kernel.name,
                "ptrace",
                &trial.workload.scenario,
                200,
                1,
            );
        }
    }
    let text = lines(&results);
    assert!(text.contains("over 3 cells in common: ebpf"), "{text}");
    assert!(
        text.contains("ptrace (a result in only 3 of 9 cells)"),
        "{text}"
    );
}

#[test]
fn of_many_backends_some_are_named() {
    let text = lines(&fixture::large::run());
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("40 backends, among them "), "{text}");
    assert!(text.len() < 1500, "{text}");
}

#[test]
fn one_that_shares_no_cell_ends_no_comparison() {
    let mut results = fixture::realistic();
    results.retain(|t| match t.backend.name.as_str() {
        "none" | "ebpf" | "audit" => t.kernel.name != "7.2",
        "ptrace" => t.kernel.name == "7.2",
        _ => false,
    });
    let text = lines(&results);
    assert!(text.contains("over 6 cells in common: ebpf"), "{text}");
    assert!(text.contains("dearest: audit"), "{text}");
}
