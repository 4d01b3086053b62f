//! A run that contradicts the committed table fails, with the difference shown.

use execlab_model::{
    exit::ExitCode,
    result::{PathCounts, Status, TrialResult},
};
use execlab_reports::conformance::{Conformance, Held, conformance};

use super::{as_predicted, held, nothing, with_paths};

/// The table of what is predicted.
fn committed() -> Held {
    let table = conformance(&as_predicted(), &held("", "")).toml().unwrap();
    held("", &table)
}

fn against(trials: &[TrialResult]) -> Conformance {
    conformance(trials, &committed())
}

#[test]
fn a_run_that_agrees_passes_also_with_another_end_of_a_race() {
    let mut trials = as_predicted();
    trials[7].path = Some(PathCounts {
        basename: 20,
        ..PathCounts::default()
    });
    let run = against(&trials);
    assert_eq!(run.contradictions, []);
    assert_eq!((run.compared, run.exit_code()), (12, ExitCode::Ok));
}

fn contradicting() -> Vec<TrialResult> {
    let mut trials = as_predicted();
    let paths = || PathCounts {
        exact: 19,
        wrong: 1,
        ..PathCounts::default()
    };
    for (at, kernel) in [(1, "6.1"), (2, "6.12")] {
        trials[at] = with_paths(kernel, "sure", paths());
    }
    trials[7] = with_paths("6.1", "racer", paths());
    let mut invented = nothing("6.12", "sure");
    invented.completeness.as_mut().unwrap().phantoms = 2;
    trials[5] = invented;
    trials
}

#[test]
fn a_run_that_contradicts_fails_with_the_difference_shown() {
    let run = against(&contradicting());
    assert_eq!(run.exit_code(), ExitCode::AccuracyRegressed);
    insta::assert_snapshot!("contradiction_terminal", run.terminal(100));
    insta::assert_snapshot!("contradiction_markdown", run.markdown());
    insta::assert_snapshot!(
        "contradiction_json",
        execlab_reports::text::json(&run.contradictions)
    );
}

#[test]
fn a_change_for_the_better_contradicts_as_well() {
    let table = conformance(&contradicting(), &held("", "")).toml().unwrap();
    let run = conformance(&as_predicted(), &held("", &table));
    assert_eq!(run.exit_code(), ExitCode::AccuracyRegressed);
}

#[test]
fn what_is_not_in_the_table_is_told_and_is_not_agreement() {
    let mut trials = as_predicted();
    for trial in &mut trials {
        trial.workload.scenario.insert_str(0, "other-");
    }
    let run = against(&trials);
    assert_eq!((run.compared, run.unheld.len()), (0, 12));
    assert_eq!(run.exit_code(), ExitCode::NoBaseline);
    assert_eq!(against(&[]).exit_code(), ExitCode::NoBaseline);
}

/// Nothing is predicted of it, and the table has no rows for it.
#[test]
fn a_program_of_the_user_is_shown_and_held_against_nothing() {
    let mut trials = as_predicted();
    for trial in &mut trials {
        trial.backend.name.insert_str(0, "exec:");
    }
    let run = against(&trials);
    assert!(!run.rows.is_empty());
    assert!(
        run.rows
            .iter()
            .all(|row| row.unexplained.is_empty() && row.predicted.is_empty())
    );
    assert_eq!((run.compared, run.unheld.len()), (0, 0));
    assert!(
        run.terminal(100)
            .contains("Nothing is predicted of programs")
    );
    let held = held("", "");
    assert_eq!(run.renewed(&held), Some(held.table.toml()));
}

#[test]
fn a_trial_without_a_measurement_is_a_failure_and_makes_no_table() {
    for (status, code) in [
        (Status::Lost, ExitCode::GuestLost),
        (Status::Infra, ExitCode::Incomplete),
    ] {
        let mut trials = as_predicted();
        trials[1].status = status;
        let run = against(&trials);
        assert_eq!(run.exit_code(), code);
        assert_eq!(run.toml(), None);
        assert_eq!((run.unmeasured.len(), run.compared), (1, 11));
    }
}
