//! What the documents say of trials that were run again, and of lines of one digest.

use execlab_model::{
    exit::ExitCode,
    repeat::{self, Difference, Repeat, Start, Verdict},
    result::TrialResult,
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

#[test]
fn lines_of_one_digest_must_be_the_same_but_for_names_and_facts_of_the_host() {
    let mut results = fixture::realistic();
    results.truncate(2);
    let mut twin = results[1].clone();
    twin.trial = "another".into();
    twin.backend.variant = "twin".into();
    twin.host.insert("wall_ms".into(), 9.into());
    results.push(twin);
    assert!(Repeatability::new(&results, &[]).differing.is_empty());
    results[2].record_sha256 = Some("ab".into());
    let found = Repeatability::new(&results, &[]);
    insta::assert_snapshot!(found.warnings().join("\n"), @r#"not deterministic: 6.1/audit+default/relative/closed/exact/1 and another have one digest and differ: record_sha256 is null and "ab""#);
}
