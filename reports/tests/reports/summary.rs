//! `summary.json`.

use execlab_model::{exit::ExitCode, result::Status};
use execlab_reports::{Summary, Totals};

use crate::fixture;

#[test]
fn totals_and_exit_code_follow_from_the_statuses() {
    let summary = Summary::new(&fixture::everything(), &[]);
    let totals = Totals {
        trials: 17,
        completed: 13,
        unsupported: 1,
        backend_failed: 1,
        lost: 1,
        infra: 1,
    };
    assert_eq!(summary.totals, totals);
    assert_eq!(summary.exit_code(), ExitCode::GuestLost);
    assert_eq!(summary.exit.meaning, "a guest was lost");
}

#[test]
fn each_status_has_its_exit_code() {
    for (status, code) in [
        (Status::Completed, ExitCode::Ok),
        (Status::Unsupported, ExitCode::Ok),
        (Status::BackendFailed, ExitCode::Incomplete),
        (Status::Infra, ExitCode::Incomplete),
        (Status::Lost, ExitCode::GuestLost),
    ] {
        let mut trial = fixture::bare("6.1", "ebpf", "absolute", 10, 1);
        trial.status = status;
        assert_eq!(Summary::new(&[trial], &[]).exit_code(), code, "{status}");
    }
    assert_eq!(
        Summary::new(&[], &[]).exit_code(),
        ExitCode::NothingSelected
    );
}

#[test]
fn what_the_results_do_not_show_can_only_make_the_exit_code_more_basic() {
    let summary = Summary::new(&fixture::realistic(), &[]);
    assert_eq!(summary.exit_code(), ExitCode::Ok);
    let summary = summary.and(ExitCode::Nondeterministic);
    assert_eq!(summary.exit.code, 15);
    assert_eq!(
        summary.clone().and(ExitCode::Ok).exit_code(),
        ExitCode::Nondeterministic
    );
    assert_eq!(
        summary.and(ExitCode::GuestLost).exit_code(),
        ExitCode::GuestLost
    );
}

#[test]
fn a_cell_has_the_spread_of_its_seeds() {
    let summary = Summary::new(&fixture::everything(), &[]);
    let cell = |backend: &str, kernel: &str| {
        summary
            .cells
            .iter()
            .find(|c| c.backend == backend && c.kernel == kernel)
            .unwrap()
    };
    insta::assert_json_snapshot!(cell("netlink", "6.1"));
    let lost = cell("ptrace", "5.10");
    assert!(lost.figures.is_empty());
    assert_eq!(lost.reasons, ["Kernel panic - not syncing: <IRQ>"]);
}

#[test]
fn it_reads_back_as_it_was_written() {
    let summary = Summary::new(&fixture::everything(), &[]);
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
}

#[test]
fn the_order_of_the_lines_does_not_matter() {
    let mut results = fixture::everything();
    let forward = serde_json::to_value(Summary::new(&results, &[])).unwrap();
    let page = execlab_reports::html(&results, &[]);
    results.reverse();
    assert_eq!(
        serde_json::to_value(Summary::new(&results, &[])).unwrap(),
        forward
    );
    assert!(execlab_reports::html(&results, &[]) == page);
}
