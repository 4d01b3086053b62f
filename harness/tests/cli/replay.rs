//! `execlab replay`, with trials of a laboratory that needs no machines.

use std::{collections::BTreeMap, fs};

use execlab_reports::{
    replay::{Outcome, Replay},
    trace::{Event, Trace, check},
};
use serde_json::Value;

use crate::support::{Bench, SMALL, Said};

const TRIAL: &str = "6.1/proc-poll+default/absolute/closed/exact/0";
const FILE: &str = "6.1@proc-poll+default@absolute@closed@exact@0";

/// A run in `o` of two trials with 20 execs, of which every fourth is missed.
fn with_misses() -> Bench {
    let bench = Bench::new();
    bench.with("drop=4@proc-poll");
    bench.run(&[&SMALL[..3], &["--execs=20"]].concat()).code(0);
    bench
}

fn replay(bench: &Bench, args: &[&str]) -> Said {
    bench.command(&[&["replay", "o"], args].concat())
}

fn json(said: &Said) -> Replay {
    serde_json::from_str(&said.stdout).unwrap()
}

/// The timeline at a path below the bench, which has no flaw.
fn trace(bench: &Bench, path: &str) -> Trace {
    let text = fs::read_to_string(bench.path(path)).unwrap();
    let trace: Trace = serde_json::from_str(&text).unwrap();
    assert_eq!(check(&trace), []);
    trace
}

fn count(trace: &Trace) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in &trace.trace_events {
        let category = event.cat.as_deref().unwrap_or_default();
        *counts.entry(category).or_default() += 1;
    }
    counts.remove("");
    counts
}

fn names(trace: &Trace, of: &str) -> Vec<String> {
    let events = trace.trace_events.iter().filter(|event| event.name == of);
    let name = |event: &Event| event.args["name"].as_str().unwrap().to_owned();
    events.map(name).collect()
}

#[test]
fn a_trial_is_the_same_again_and_its_misses_are_told() {
    let bench = with_misses();
    let said = replay(&bench, &[TRIAL]).code(0);
    insta::assert_snapshot!(said.stdout, @"");
    insta::assert_snapshot!(said.stderr, @"replay: 6.1/proc-poll+default/absolute/closed/exact/0");
    let trace = trace(&bench, &format!("o/replay/{FILE}.trace.json"));
    assert_eq!(
        count(&trace),
        BTreeMap::from([
            ("exec", 20),
            ("image", 20),
            ("loss", 1),
            ("missed", 5),
            ("phase", 4),
            ("sighting", 15),
            ("told", 30),
        ])
    );
    assert_eq!(
        names(&trace, "process_name"),
        ["trial", "truth", "monitor", "losses"]
    );
    assert_eq!(trace.display_time_unit, "ns");
    assert_eq!(trace.other_data["trial"], TRIAL);
}

#[test]
fn a_trial_is_named_by_its_number_or_by_a_part_of_its_id() {
    let bench = with_misses();
    for name in ["2", "proc-poll", TRIAL] {
        let said = replay(&bench, &[name, "--format=json"]).code(0);
        let replay = json(&said);
        assert_eq!(
            (replay.trial.as_str(), replay.outcome),
            (TRIAL, Outcome::Same)
        );
        assert_eq!(replay.before.as_ref(), Some(&replay.now));
    }
    let wrong = |name: &str| replay(&bench, &[name]).code(22).stderr;
    insta::assert_snapshot!(wrong("3") + &wrong("proc-pol+") + &wrong("absolute"), @"");
    bench.command(&["replay", "nowhere", "1"]).code(22);
}

#[test]
fn one_exec_has_a_story_and_a_timeline_of_its_own() {
    let bench = with_misses();
    let said = replay(&bench, &["2", "--around=8", "--margin=2"]).code(0);
    insta::assert_snapshot!(said.stdout, @"");
    let trace = trace(&bench, &format!("o/replay/{FILE}@around-8.trace.json"));
    let execs = trace
        .trace_events
        .iter()
        .filter(|e| e.cat.as_deref() == Some("exec"));
    let ids: Vec<&Value> = execs.map(|event| &event.args["exec"]).collect();
    assert_eq!(ids, [6, 7, 8, 9, 10]);
    assert_eq!(trace.other_data["around"], "#8");

    let seen = replay(&bench, &["2", "--around=9", "--format=json"]).code(0);
    let story = json(&seen).around.unwrap();
    assert_eq!((story.exec, story.verdict.as_str()), (9, "seen"));
    assert_eq!(story.latency_ns, Some(5_000));

    let none = replay(&bench, &["2", "--around=20"]).code(22);
    insta::assert_snapshot!(none.stderr, @"");
    bench.set("EXECLAB_REPLAY_AROUND", "3");
    bench.set("EXECLAB_REPLAY_MARGIN", "0");
    bench.set("EXECLAB_REPLAY_FORMAT", "json");
    let twin = json(&replay(&bench, &["2"]).code(0));
    assert_eq!(twin.around.map(|story| story.exec), Some(3));
}

#[test]
fn the_timeline_goes_where_it_is_wanted() {
    let bench = with_misses();
    replay(&bench, &["2", "--out=a/b/mine.json"]).code(0);
    trace(&bench, "a/b/mine.json");
    replay(&bench, &["2", "--out=there"]).code(0);
    trace(&bench, &format!("there/{FILE}.trace.json"));
    let file = bench
        .command(&["replay", "o/results.jsonl", "2", "--out=c"])
        .code(0);
    assert!(
        file.stdout.contains("The same to the last bit"),
        "{}",
        file.stdout
    );
    bench.write("file", "");
    bench
        .command(&["replay", "o", "2", "--out=file/x"])
        .code(21);
}

#[test]
fn another_record_from_the_same_inputs_ends_with_15() {
    let bench = with_misses();
    bench.with("drop=5@proc-poll");
    let said = replay(&bench, &["2"]).code(15);
    assert!(said.stdout.contains("NOT THE SAME"), "{}", said.stdout);
    let said = replay(&bench, &["2", "--format=json"]).code(15);
    let found = json(&said);
    assert_eq!(found.outcome, Outcome::Differs);
    assert_eq!(found.before.unwrap().digest, found.now.digest);
    assert!(found.trace.is_some(), "what came out is drawn all the same");
}

#[test]
fn other_inputs_are_named_and_need_a_word() {
    let bench = with_misses();
    bench.with("drop=4@proc-poll;changed=7@proc-poll");
    let said = replay(&bench, &["2"]).code(12);
    insta::assert_snapshot!(said.stderr, @"");
    assert_eq!(said.stdout, "");
    let said = replay(&bench, &["2", "--anyway", "--format=json"]).code(0);
    assert!(
        said.stderr.contains("warning: inputs are others"),
        "{}",
        said.stderr
    );
    let found = json(&said);
    assert_eq!(found.outcome, Outcome::OtherInputs);
    assert_eq!(found.changed[0].input, "image (initramfs)");
    assert_eq!(found.changed[0].is.as_deref(), Some("planted 7"));
}

#[test]
fn the_scheduler_is_recorded_in_a_second_run_that_says_what_it_is() {
    let bench = with_misses();
    let said = replay(&bench, &["2", "--sched"]).code(0);
    let told: Vec<&str> = said
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("A second run"))
        .take_while(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"");
    let path = format!("o/replay/{FILE}.trace.json");
    let whole = trace(&bench, &path);
    assert_eq!(
        names(&whole, "process_name").last().unwrap(),
        "scheduler (perturbed second run)"
    );
    let counts = count(&whole);
    // Each run of somebody is on the track of its CPU and on its own.
    assert_eq!((counts["storm"], counts["monitor"]), (2 * 2 * 20, 2 * 20));
    assert_eq!((counts["wakeup"], counts["exec-of-second-run"]), (20, 20));
    assert_eq!(counts["exec"], 20, "the trial's own truth is as it was");

    let cut = ["2", "--sched", "--around=8", "--margin=0", "--format=json"];
    let found = json(&replay(&bench, &cut).code(0));
    let sched = found.sched.unwrap();
    assert_eq!((sched.lost, sched.other_verdicts), (3, Some(0)));
    let cut = trace(&bench, &format!("o/replay/{FILE}@around-8.trace.json"));
    let counts = count(&cut);
    assert!(counts["storm"] < 10 && counts["monitor"] >= 1, "{counts:?}");
}

#[test]
fn trials_without_a_storm_a_guest_or_a_result_are_told_as_what_they_are() {
    let bench = Bench::new();
    let run = |rules: &str, dir: &str, code| {
        bench.with(rules);
        bench.run_in(dir, SMALL).code(code);
    };
    let replay = |dir: &str, which: &str| bench.command(&["replay", dir, which]);
    run("lose@proc-poll", "lost", 20);
    let lost = replay("lost", "2").code(20);
    run("unsupported@proc-poll", "unsupported", 0);
    let unsupported = replay("unsupported", "2").code(0);
    run("backend-failed@proc-poll;drop=2@proc-poll", "failed", 14);
    let failed = replay("failed", "2").code(0);
    run("infra@proc-poll", "infra", 14);
    bench.with("");
    let infra = replay("infra", "2").code(0);
    run("", "fine", 0);
    let baseline = replay("fine", "1").code(0);
    let all = [lost, unsupported, failed, infra, baseline];
    insta::assert_snapshot!(all.map(|said| said.stdout).join("---\n"), @"");

    bench.with("lose@proc-poll");
    let now = replay("fine", "2").code(20);
    assert!(now.stdout.contains("NOT THE SAME"), "{}", now.stdout);
}

#[test]
fn what_is_missing_in_a_run_is_said_and_other_labs_are_refused() {
    let bench = with_misses();
    fs::write(bench.path("o/results.jsonl"), "").unwrap();
    let said = replay(&bench, &["2"]).code(0);
    assert!(
        said.stderr.contains("the run has no result of this trial"),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout.contains("nothing to hold it against"),
        "{}",
        said.stdout
    );

    let host = [
        "--lab=host",
        "--backends=proc-poll",
        "--execs=5",
        "--seeds=2",
    ];
    bench.run_in("host", &host).code(0);
    let said = bench.command(&["replay", "host", "1"]).code(22);
    insta::assert_snapshot!(said.stderr, @"");
}
