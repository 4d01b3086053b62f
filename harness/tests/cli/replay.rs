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
    insta::assert_snapshot!(said.stdout, @r#"
    6.1/proc-poll+default/absolute/closed/exact/0
    The same to the last bit: digest b9532537aa3a, record f2d620014c08.
    20 execs: 15 seen and 5 missed; 15 of those seen have the best path.

    What the monitor says that it lost
      planted: 5 execs, between +0.000000 ms and +1.920000 ms

    Missed, and what stood around it (times since the storm began)
      #0 /opt/storm/bin/true: +0.000000 ms to +0.020000 ms, lived 10 µs; told of none before and of #1 after; loss reported by planted
      #4 /opt/storm/bin/true: +0.400000 ms to +0.420000 ms, lived 10 µs; told of #3 before and of #5 after; loss reported by planted
      #8 /opt/storm/bin/true: +0.800000 ms to +0.820000 ms, lived 10 µs; told of #7 before and of #9 after; loss reported by planted
      #12 /opt/storm/bin/true: +1.200000 ms to +1.220000 ms, lived 10 µs; told of #11 before and of #13 after; loss reported by planted
      #16 /opt/storm/bin/true: +1.600000 ms to +1.620000 ms, lived 10 µs; told of #15 before and of #17 after; loss reported by planted
      the story of one: --around 0

    Timeline: o/replay/6.1@proc-poll+default@absolute@closed@exact@0.trace.json
    "#);
    insta::assert_snapshot!(said.stderr, @"replay: 6.1/proc-poll+default/absolute/closed/exact/0");
    let trace = trace(&bench, &format!("o/replay/{FILE}.trace.json"));
    assert_eq!(
        count(&trace),
        BTreeMap::from([
            ("exec", 20),
            ("image", 20),
            ("loss", 1),
            ("missed", 5),
            ("phase", 3),
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
    insta::assert_snapshot!(wrong("3") + &wrong("proc-pol+") + &wrong("absolute"), @r#"
    error: there is no trial 3: the plan has 2, counted from 1
    help: its number, its id, or a part of it that no other has; results.jsonl holds the ids
    error: no trial is called `proc-pol+`, or has that in its name (near to it: 6.1/none/absolute/closed/exact/0, 6.1/proc-poll+default/absolute/closed/exact/0)
    help: its number, its id, or a part of it that no other has; results.jsonl holds the ids
    error: 2 trials have `absolute` in their names: 6.1/none/absolute/closed/exact/0, 6.1/proc-poll+default/absolute/closed/exact/0
    help: its number, its id, or a part of it that no other has; results.jsonl holds the ids
    "#);
    bench.command(&["replay", "nowhere", "1"]).code(22);
}

#[test]
fn one_exec_has_a_story_and_a_timeline_of_its_own() {
    let bench = with_misses();
    let said = replay(&bench, &["2", "--around=8", "--margin=2"]).code(0);
    insta::assert_snapshot!(said.stdout, @r#"
    6.1/proc-poll+default/absolute/closed/exact/0
    The same to the last bit: digest b9532537aa3a, record f2d620014c08.
    20 execs: 15 seen and 5 missed; 15 of those seen have the best path.

    What the monitor says that it lost
      planted: 5 execs, between +0.000000 ms and +1.920000 ms

    Exec #8 (pid 1008, /opt/storm/bin/true): missed
      +0.000000 ms  begin of the window of a loss report: 5 (exec), planted
      +0.000000 ms  the storm begins
      +0.515000 ms  the monitor tells of #5 (seen)
      +0.615000 ms  the monitor tells of #6 (seen)
      +0.715000 ms  the monitor tells of #7 (seen)
    > +0.800000 ms  its child is about to be made, by pid 999
    > +0.810000 ms  its image runs its first instructions: the exec was before this
    > +0.820000 ms  it has ended: it exited with 0
      +0.915000 ms  the monitor tells of #9 (seen)
      +1.015000 ms  the monitor tells of #10 (seen)
      +1.115000 ms  the monitor tells of #11 (seen)
      +1.920000 ms  end of the window of a loss report: 5 (exec), planted
      +1.920000 ms  the storm is over

      path: not told; it is /opt/storm/bin/true
      given: not told; it is /opt/storm/bin/true
      argv: not told; it is /opt/storm/bin/true x00000008
      pid: not told; it is 1008
      parent: not told; it is 999
      uid: not told; it is 0
      container: not told; it is cgroup /storm

    Timeline: o/replay/6.1@proc-poll+default@absolute@closed@exact@0@around-8.trace.json
    "#);
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
    insta::assert_snapshot!(none.stderr, @r#"
    replay: 6.1/proc-poll+default/absolute/closed/exact/0
    error: no exec of 6.1/proc-poll+default/absolute/closed/exact/0 has the id 20: its 20 execs have ids from 0 to 19; missed were 0, 4, 8, 12, 16
    "#);
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
    insta::assert_snapshot!(said.stderr, @r#"
    error: 6.1/proc-poll+default/absolute/closed/exact/0 was run from other inputs than it would be run from now
      image (initramfs): planted 7, was nothing
    help: `--anyway` runs it all the same, as another trial of that name; to have the same one, take the execlab, the QEMU and the kernel of the run
    "#);
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
    insta::assert_snapshot!(told.join("\n"), @r#"
    A second run, with the scheduler's events recorded. That perturbs it: its figures are not the trial's.
      100 events, 3 LOST, as the buffer was full
      the CPU was given to the storm 40 times and to the monitor 20 times, which was woken 20 times
      every exec has the verdict that it has in the trial
      busy instructions of the storm: 1,784,000 here, 1,784,000 in the trial (0, 0%)
      instructions of the monitor in it: 184,000 here, 184,000 in the trial (0, 0%)
      switches in it: 0 here, 0 in the trial (0)
      execs seen: 15 here, 15 in the trial (0, 0%)
      execs missed: 5 here, 5 in the trial (0, 0%)
    "#);
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
    insta::assert_snapshot!(all.map(|said| said.stdout).join("---\n"), @r#"
    6.1/proc-poll+default/absolute/closed/exact/0
    It is lost again: digest f969cd150404, and no record, as in the run.
    It is lost: kernel panic: planted
    ---
    6.1/proc-poll+default/absolute/closed/exact/0
    The same to the last bit: digest f969cd150404, record 83c267829013.
    It is unsupported: planted: this kernel has no such thing
    ---
    6.1/proc-poll+default/absolute/closed/exact/0
    The same to the last bit: digest f969cd150404, record bbb56e4f35cd.
    It is backend-failed: planted: the monitor died by signal 11
    5 execs: 2 seen and 3 missed; 2 of those seen have the best path.

    What the monitor says that it lost
      planted: 3 execs, between +0.000000 ms and +0.420000 ms

    Missed, and what stood around it (times since the storm began)
      #0 /opt/storm/bin/true: +0.000000 ms to +0.020000 ms, lived 10 µs; told of none before and of #1 after; loss reported by planted
      #2 /opt/storm/bin/true: +0.200000 ms to +0.220000 ms, lived 10 µs; told of #1 before and of #3 after; loss reported by planted
      #4 /opt/storm/bin/true: +0.400000 ms to +0.420000 ms, lived 10 µs; told of #3 before and of none after; loss reported by planted
      the story of one: --around 0

    Timeline: failed/replay/6.1@proc-poll+default@absolute@closed@exact@0.trace.json
    ---
    6.1/proc-poll+default/absolute/closed/exact/0
    The run has nothing to hold it against.
    5 execs: 5 seen; 5 of those seen have the best path.

    Timeline: infra/replay/6.1@proc-poll+default@absolute@closed@exact@0.trace.json
    ---
    6.1/none/absolute/closed/exact/0
    The same to the last bit: digest ebe4703c4c5c, record dc2964b0969b.
    Nobody watched: there is truth alone.

    Timeline: fine/replay/6.1@none@absolute@closed@exact@0.trace.json
    "#);

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
    insta::assert_snapshot!(said.stderr, @r#"
    error: running/none/absolute/closed/host/0 is of the lab host, where nothing repeats: only trials of the lab exact can be run again as they were
    help: run the same workload in the lab exact, and replay that trial
    "#);
}
