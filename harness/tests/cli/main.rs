//! The `execlab` command end to end, with a laboratory that needs no machines.

mod bad_input;
mod cache;
mod ci;
mod compare;
mod conformance;
mod dashboards;
mod decide;
mod doctor;
mod find;
mod find_course;
mod gate;
mod guide;
mod host;
mod images;
mod merge;
mod order;
mod other_commands;
mod replay;
mod resume;
mod support;
mod trouble;
mod verify;
mod watch;

use execlab_model::result::Status;

use support::{Bench, SMALL};

#[test]
fn a_good_run_leaves_a_whole_directory_and_ends_with_0() {
    let bench = Bench::new();
    let ran = bench.run(SMALL).code(0);
    let ids: Vec<_> = bench.results("o").into_iter().map(|r| r.trial).collect();
    insta::assert_snapshot!(ids.join("\n"), @r#"
    6.1/none/absolute/closed/exact/0
    6.1/proc-poll+default/absolute/closed/exact/0
    "#);
    insta::assert_snapshot!(bench.files("o").join("\n"), @r#"
    o/junit.xml
    o/lock
    o/logs/6.1@none@absolute@closed@exact@0.again.serial.log
    o/logs/6.1@none@absolute@closed@exact@0.serial.log
    o/logs/6.1@proc-poll+default@absolute@closed@exact@0.serial.log
    o/plan.json
    o/report.html
    o/report.md
    o/results.jsonl
    o/summary.json
    o/verify.jsonl
    "#);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] completed      6.1/none/absolute/closed/exact/0
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %
    run again 1/1: same (cold)  6.1/none/absolute/closed/exact/0
    done o: 2 completed
    "#);
    assert!(ran.stdout.contains("proc-poll"), "{}", ran.stdout);
}

#[test]
fn every_trial_is_scored_and_compared_with_its_own_baselines() {
    let bench = Bench::new();
    bench
        .run(&["--backends", "audit,proc-poll", "--execs", "10"])
        .code(0);
    for line in bench.results("o") {
        let cost = line.cost.as_ref().expect("every trial has a cost");
        if line.is_baseline() {
            continue;
        }
        let seen = line.completeness.as_ref().expect("it was scored");
        assert_eq!((seen.seen, seen.missed), (10, 0), "{}", line.trial);
        assert_eq!(line.path_share(), Some(1.0));
        assert_eq!(cost.baseline_per_exec, Some(80_000.0));
        let boot = (!line.boot.is_empty()).then_some(2_000.0);
        assert_eq!(cost.boot_option_per_exec, boot);
    }
}

#[test]
fn two_runs_write_the_same_lines_but_for_facts_of_the_host() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    bench.run_in("p", SMALL).code(0);
    let strip = |dir: &str| {
        let mut lines = bench.results(dir);
        for line in &mut lines {
            line.host.clear();
        }
        lines
    };
    assert_eq!(strip("o"), strip("p"));
}

#[test]
fn as_many_workers_as_one_likes_write_one_line_for_each_trial() {
    let bench = Bench::new();
    let args = ["--execs", "5", "--seeds", "4", "-j", "8"];
    bench.run(&args).code(0);
    let plan = bench.plan("o");
    let mut lines = bench.results("o");
    assert_eq!(lines.len(), plan.trials.len());
    // Whatever was compared stands after what it was compared with.
    let first_watched = lines.iter().position(|l| !l.is_baseline()).unwrap();
    assert!(
        lines[first_watched..]
            .iter()
            .all(|l| l.cost.is_some() || l.is_baseline())
    );
    lines.dedup_by(|a, b| a.trial == b.trial);
    assert_eq!(lines.len(), plan.trials.len());
}

#[test]
fn seeds_are_a_range_in_flag_environment_and_file_and_a_cell_in_the_report() {
    let bench = Bench::new();
    bench.write("m.toml", "seeds = \"0..32\"\n");
    let flag = bench.run(&[SMALL, &["--seeds=0..32", "--dry-run"]].concat());
    let file = bench.run(&[SMALL, &["m.toml", "--dry-run"]].concat());
    let env = bench
        .set("EXECLAB_SEEDS", "0..32")
        .run(&[SMALL, &["--dry-run"]].concat());
    assert_eq!(flag.code(0).stdout, file.code(0).stdout);
    let planned = env.code(0).stdout;
    assert_eq!(planned.lines().count(), 64);

    // One seed of three loses execs.
    bench
        .set("EXECLAB_SEEDS", "0..3")
        .with("drop=3@proc-poll+default/absolute/closed/exact/1");
    let ran = bench.run(SMALL).code(0);
    let row = ran.stdout.lines().skip_while(|l| !l.contains("proc-poll"));
    insta::assert_snapshot!(row.take(2).collect::<Vec<_>>().join("\n"), @r#"
    6.1     proc-poll      3         100%   100%      0     0      yes    +9,200  +11.5%  not offered
                              60.00..100%          0..2  0..2
    "#);
    let summary = std::fs::read_to_string(bench.path("o/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let cell = &summary["cells"][1]["figures"]["completeness"];
    insta::assert_snapshot!(cell, @r#"{"count":3,"max":1.0,"mean":0.8666666666666667,"median":1.0,"min":0.6,"sd":0.23094010767585033}"#);
}

#[test]
fn without_a_directory_runs_go_side_by_side_below_the_usual_one() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench
            .command(&["run", "--execs", "5", "--backends", "none"])
            .code(0);
    }
    let runs = std::fs::read_dir(bench.path("execlab-out"))
        .unwrap()
        .count();
    assert_eq!(runs, 2);
}

#[test]
fn unsupported_alone_is_a_good_run() {
    let bench = Bench::new();
    bench.with("unsupported@proc-poll").run(SMALL).code(0);
    assert_eq!(bench.statuses("o")[&Status::Unsupported], 1);
    let line = &bench.results("o")[1];
    assert!(line.reason.as_ref().unwrap().contains("planted"));
}
