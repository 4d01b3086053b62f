//! What the documents say of trials that were run again, and of lines of one digest.

use execlab_model::{
    exit::ExitCode,
    repeat::{self, Difference, Repeat, Start, Verdict},
    result::{Status, TrialResult},
};
use execlab_reports::{Repeatability, Summary, TerminalOptions, html, junit, markdown, terminal};

use crate::fixture;

fn repeat(line: &TrialResult, start: Start, verdict: Verdict) -> Repeat {
    Repeat {
        schema: repeat::SCHEMA,
        trial: line.trial.clone(),
        digest: line.digest.clone(),
        start,
        verdict,
        difference: (verdict == Verdict::Differs).then(|| Difference {
            path: "cost.windows.storm.busy_ns".into(),
            one: "1200".into(),
            other: "1201<".into(),
        }),
        reason: (verdict == Verdict::Failed).then(|| "no space\n left".into()),
        record_sha256: None,
        wall_ms: 7,
    }
}

fn repeats(results: &[TrialResult]) -> [Repeat; 3] {
    [
        repeat(&results[2], Start::Cold, Verdict::Same),
        repeat(&results[1], Start::Warm, Verdict::Differs),
        repeat(&results[0], Start::Warm, Verdict::Failed),
    ]
}

#[test]
fn what_came_out_is_in_every_document() {
    let results = fixture::realistic();
    let repeats = repeats(&results);
    let screen = terminal(&results, &repeats, &TerminalOptions::default());
    insta::assert_snapshot!(&screen[screen.find("Totals").unwrap()..]);
    for document in [markdown(&results, &repeats), html(&results, &repeats)] {
        assert!(document.contains("3 trials (1 cold): 1 same"));
        assert!(document.contains("not deterministic"));
        assert!(!document.contains("1201<"));
    }
    let cases = junit(&results, &repeats);
    insta::assert_snapshot!(&cases[cases.find("<testsuite name=\"run again\"").unwrap()..]);
    let summary = Summary::new(&results, &repeats);
    insta::assert_json_snapshot!(summary.repeatability);
}

#[test]
fn a_difference_and_a_failure_have_their_exit_codes() {
    let results = fixture::realistic();
    let [same, differs, failed] = repeats(&results);
    let code = |repeats: &[Repeat]| Summary::new(&results, repeats).exit_code();
    assert_eq!(code(&[same]), ExitCode::Ok);
    assert_eq!(
        code(std::slice::from_ref(&differs)),
        ExitCode::Nondeterministic
    );
    assert_eq!(code(&[differs, failed]), ExitCode::Incomplete);
}

/// Two lines of one digest under different names.
fn twins() -> Vec<TrialResult> {
    let mut results = fixture::realistic();
    results.truncate(2);
    let mut twin = results[1].clone();
    twin.trial = "another".into();
    twin.backend.variant = "twin".into();
    twin.kernel.name = "alias".into();
    twin.host.insert("wall_ms".into(), 9.into());
    results.push(twin);
    results
}

#[test]
fn lines_of_one_digest_must_be_the_same_but_for_names_and_facts_of_the_host() {
    let mut results = twins();
    assert_eq!(
        Repeatability::new(&results, &[]),
        Repeatability::default(),
        "they are the same"
    );
    results[2].record_sha256 = Some("ab".into());
    let found = Repeatability::new(&results, &[]);
    insta::assert_snapshot!(found.warnings().join("\n"), @r#"not deterministic: 6.1/audit+default/relative/closed/exact/1 and another have one digest and differ: record_sha256 is null and "ab""#);
}

#[test]
fn lines_of_one_digest_and_different_statuses_are_not_deterministic() {
    for status in [Status::BackendFailed, Status::Unsupported, Status::Lost] {
        let mut results = twins();
        results[2].status = status;
        let found = Repeatability::new(&results, &[]);
        assert_eq!(found.exit_code(), ExitCode::Nondeterministic, "{status}");
        let told = found.warnings().join("\n");
        let both = format!("status is \"completed\" and \"{status}\"");
        assert!(told.contains(&both), "{told}");
        // Of what the host's side broke nothing is known.
        results[2].status = Status::Infra;
        assert!(Repeatability::new(&results, &[]).differing.is_empty());
    }
}

#[test]
fn lost_guests_agree_whatever_is_said_of_their_end() {
    let mut results = twins();
    for (line, reason) in results[1..].iter_mut().zip(["it hung", "it stopped"]) {
        line.status = Status::Lost;
        line.reason = Some(reason.into());
    }
    assert_eq!(Repeatability::new(&results, &[]), Repeatability::default());
    // One of them came as far as a record.
    results[1].record_sha256 = Some("ab".into());
    assert_eq!(Repeatability::new(&results, &[]).differing.len(), 1);
}

#[test]
fn one_record_that_was_scored_in_two_ways_is_a_warning_and_no_difference() {
    let mut results = twins();
    for line in &mut results[1..] {
        line.record_sha256 = Some("ab".into());
    }
    results[2].late = 7;
    results[2].status = Status::BackendFailed;
    let found = Repeatability::new(&results, &[]);
    assert_eq!(
        (found.differing.len(), found.rescored.len()),
        (0, 1),
        "{found:?}"
    );
    assert_eq!(found.exit_code(), ExitCode::Ok);
    insta::assert_snapshot!(found.warnings().join("\n"), @r#"
    different versions of execlab have scored lines of one run, which must not be compared: 6.1/audit+default/relative/closed/exact/1 and another have one digest and equal records, and late is 0 and 7
    "#);

    // A repeat says it by a difference although it came out the same.
    let mut again = repeat(&results[0], Start::Warm, Verdict::Differs);
    again.verdict = Verdict::Same;
    let found = Repeatability::new(&results[..1], &[again]);
    assert_eq!((found.same, found.exit_code()), (1, ExitCode::Ok));
    insta::assert_snapshot!(found.warnings().join("\n"), @r#"
    different versions of execlab have scored lines of one run, which must not be compared: 6.1/none/relative/closed/exact/1 was run again with an equal record, and cost.windows.storm.busy_ns is 1200 and 1201<
    "#);
}
