//! Unchanged trials of the exact lab are taken from the cache, and every document says which.

use std::{collections::BTreeMap, fs};

use execlab_model::{repeat::Verdict, result::TrialResult};
use execlab_reports::cached_since;

use crate::support::{Bench, SMALL};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.set("EXECLAB_NO_CACHE", "0");
    bench
}

fn cached(lines: &[TrialResult]) -> usize {
    lines
        .iter()
        .filter(|line| cached_since(line).is_some())
        .count()
}

/// All that a run is for.
fn figures(lines: &[TrialResult]) -> Vec<TrialResult> {
    let without_host = |line: &TrialResult| TrialResult {
        host: BTreeMap::new(),
        ..line.clone()
    };
    lines.iter().map(without_host).collect()
}

#[test]
fn an_unchanged_trial_is_not_run_again_and_says_the_same() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    // Whoever ran a trial now would lose its guest.
    let said = bench.with("lose@").run_in("two", SMALL).code(0);
    let (one, two) = (bench.results("one"), bench.results("two"));
    assert_eq!((cached(&one), cached(&two)), (0, 2));
    assert_eq!(figures(&one), figures(&two));
    insta::assert_snapshot!(said.stderr, @r#"
    run two: 2 trials, 1 at a time
    [1/2] completed      6.1/none/absolute/closed/exact/0  (from the cache)
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %  (from the cache)
    done two: 2 completed
    "#);
    for name in ["report.md", "report.html", "summary.json"] {
        let text = fs::read_to_string(bench.path("two").join(name)).unwrap();
        assert!(
            text.contains("From the cache") || text.contains("\"cached\": 2"),
            "{name}:\n{text}"
        );
    }
    assert!(said.stdout.contains("From the cache"), "{}", said.stdout);
}

#[test]
fn whoever_asks_for_it_runs_them_all_the_same() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    bench
        .with("lose@")
        .run_in("two", &[SMALL, &["--no-cache"]].concat())
        .code(20);
    assert_eq!(cached(&bench.results("two")), 0);
}

#[test]
fn another_input_is_another_trial() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    for (dir, changed) in [
        ("two", &["--population=1"][..]),
        ("three", &["--seeds=1..2"]),
    ] {
        bench.run_in(dir, &[SMALL, changed].concat()).code(0);
        assert_eq!(cached(&bench.results(dir)), 0, "{changed:?}");
    }
    bench
        .with("changed@proc-poll")
        .run_in("four", SMALL)
        .code(0);
    let four = bench.results("four");
    assert!(cached_since(&four[0]).is_some() && cached_since(&four[1]).is_none());
}

#[test]
fn what_broke_is_run_again() {
    let bench = bench();
    bench.with("infra@proc-poll").run_in("one", SMALL).code(14);
    bench.with("").run_in("two", SMALL).code(0);
    assert_eq!(cached(&bench.results("two")), 1, "the baseline alone");
}

#[test]
fn trials_that_are_verified_are_run_and_what_does_not_repeat_is_forgotten() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    let all = &[SMALL, &["--verify"]].concat();
    bench.run_in("two", all).code(0);
    assert_eq!(cached(&bench.results("two")), 2);
    assert_eq!(bench.repeats("two").len(), 2);
    // What the cache has is held against what the guest does now.
    bench.with("again=0@;jitter@").run_in("three", all).code(15);
    assert_eq!(cached(&bench.results("three")), 2);
    let repeats = bench.repeats("three");
    let same = repeats
        .iter()
        .filter(|r| r.verdict == Verdict::Same)
        .count();
    assert!(same < 2);
    bench.with("").run_in("four", SMALL).code(0);
    let left = cached(&bench.results("four"));
    assert_eq!(left, same, "what was wrong is forgotten");
}

#[test]
fn a_run_that_did_not_repeat_leaves_nothing_for_the_next_one() {
    let bench = bench();
    bench
        .with("jitter@")
        .run_in("one", &[SMALL, &["--verify"]].concat())
        .code(15);
    bench.with("").run_in("two", SMALL).code(0);
    assert_eq!(cached(&bench.results("two")), 0);
}

#[test]
fn who_asks_for_boots_gets_them() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    bench.run_in("two", &[SMALL, &["--cold"]].concat()).code(0);
    assert_eq!(cached(&bench.results("two")), 0);
}

#[test]
fn what_is_cached_is_scored_against_the_baseline_of_its_own_run() {
    let bench = bench();
    bench.run_in("one", SMALL).code(0);
    bench
        .with("changed@none;dearer=1000000@none")
        .run_in("two", SMALL)
        .code(0);
    let (one, two) = (bench.results("one"), bench.results("two"));
    assert!(cached_since(&two[0]).is_none() && cached_since(&two[1]).is_some());
    let baseline =
        |lines: &[TrialResult]| lines[1].cost.as_ref().unwrap().baseline_per_exec.unwrap();
    assert!(baseline(&two) > baseline(&one));
}
