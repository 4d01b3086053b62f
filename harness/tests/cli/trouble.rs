//! What goes wrong in trials: each has its status, and the run its exit code.

use execlab_model::result::Status;

use crate::support::{Bench, SMALL};

#[test]
fn a_lost_guest_is_20_and_the_other_trials_go_on() {
    let bench = Bench::new();
    let ran = bench.with("lose@none/").run(SMALL).code(20);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] lost           6.1/none/absolute/closed/exact/0  (kernel panic: planted)
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5
    run again 1/1: same (cold)  6.1/proc-poll+default/absolute/closed/exact/0
    done o: 1 completed, 1 lost
    "#);
    assert_eq!(bench.statuses("o")[&Status::Lost], 1);
    let watched = &bench.results("o")[1];
    assert_eq!(watched.status, Status::Completed);
    assert!(
        watched
            .notes
            .iter()
            .any(|n| n.contains("6.1/none/absolute/closed/exact/0"))
    );
}

#[test]
fn a_backend_that_failed_is_14_and_its_misses_are_scored() {
    let bench = Bench::new();
    bench
        .with("backend-failed@proc-poll;drop=2@proc-poll")
        .run(SMALL)
        .code(14);
    let line = &bench.results("o")[1];
    assert_eq!(line.status, Status::BackendFailed);
    assert_eq!(line.completeness.as_ref().map(|c| c.missed), Some(3));
}

#[test]
fn a_broken_host_side_is_tried_once_more_and_that_is_shown() {
    let bench = Bench::new();
    let ran = bench.with("infra-once@proc-poll").run(SMALL).code(0);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] completed      6.1/none/absolute/closed/exact/0
    again: 6.1/proc-poll+default/absolute/closed/exact/0  (the machine did not start: planted)
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %  (second try)
    run again 1/1: same (cold)  6.1/none/absolute/closed/exact/0
    done o: 2 completed
    "#);
    let line = &bench.results("o")[1];
    assert_eq!(line.host["tries"], 2);
    assert!(line.host["first_try"].as_str().unwrap().contains("planted"));
}

#[test]
fn a_host_side_that_stays_broken_is_14() {
    let bench = Bench::new();
    let ran = bench.with("infra@proc-poll").run(SMALL).code(14);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] completed      6.1/none/absolute/closed/exact/0
    again: 6.1/proc-poll+default/absolute/closed/exact/0  (the machine did not start: planted)
    [2/2] infra          6.1/proc-poll+default/absolute/closed/exact/0  (the machine did not start: planted)  (second try)
    run again 1/1: same (cold)  6.1/none/absolute/closed/exact/0
    done o: 1 completed, 1 infra
    "#);
    assert_eq!(bench.statuses("o")[&Status::Infra], 1);
}

#[test]
fn a_defect_in_one_trial_is_70_and_the_other_trials_go_on() {
    let bench = Bench::new();
    let ran = bench.with("panic@none/").run(SMALL).code(70);
    assert!(
        ran.stderr.contains("a defect of execlab itself"),
        "{}",
        ran.stderr
    );
    let statuses = bench.statuses("o");
    assert_eq!(
        (statuses[&Status::Infra], statuses[&Status::Completed]),
        (1, 1)
    );
}

#[test]
fn one_digest_with_two_results_is_15() {
    let bench = Bench::new();
    bench.write("m.toml", "[variants.proc-poll.twin]\n");
    let backends = "--backends=proc-poll,proc-poll+twin";
    let args = [SMALL, &[backends, "m.toml"]].concat();
    let args: Vec<_> = args
        .into_iter()
        .filter(|a| *a != "--backends=proc-poll")
        .collect();
    bench.run(&args).code(0);
    let ran = bench.with("jitter@proc-poll").run_in("p", &args).code(15);
    insta::assert_snapshot!(ran.stderr, @r#"
    run p: 3 trials, 1 at a time
    image of kernel 6.1: found
    [1/3] completed      6.1/none/absolute/closed/exact/0
    [2/3] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %
    [3/3] completed      6.1/proc-poll+twin/absolute/closed/exact/0  seen 5/5  cost N %
    run again 1/1: same (cold)  6.1/none/absolute/closed/exact/0
    done p: 3 completed
    warning: not deterministic: 6.1/proc-poll+default/absolute/closed/exact/0 and 6.1/proc-poll+twin/absolute/closed/exact/0 have one digest and differ: cost.added_per_exec is 9200.0 and 9200.199999999997
    "#);
}

#[test]
fn what_the_host_lacks_is_21_before_anything_is_run_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let ran = bench.with("lacks@").run(SMALL).code(21);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: no machine for the trial 6.1/none/absolute/closed/exact/0: planted
    help: take the rule `lacks` away
    "#);
    assert!(!bench.path("o").exists());
}

#[test]
fn the_more_basic_code_wins() {
    let bench = Bench::new();
    bench.with("infra@none/;lose@proc-poll").run(SMALL).code(20);
}

#[test]
fn losses_are_found_as_they_were_planted() {
    let bench = Bench::new();
    bench
        .with("drop=5@proc-poll")
        .run(&[SMALL, &["--seeds=2"]].concat())
        .code(0);
    for line in bench.results("o").iter().filter(|l| !l.is_baseline()) {
        let loss = line.loss.as_ref().unwrap();
        assert_eq!((loss.actual, loss.self_reported), (1, Some(1)));
    }
}

#[test]
fn a_meter_that_lies_and_a_kernel_without_rest_are_warnings_with_what_they_touch() {
    let bench = Bench::new();
    let ran = bench
        .with("stall=30000@none/;unsettled@proc-poll")
        .run(&[SMALL, &["--seeds=2"]].concat())
        .code(0);
    for note in [
        "the meter is not to be trusted",
        "compared with a baseline whose meter is not to be trusted",
        "the kernel did not settle before the trial",
    ] {
        let lines = bench.results("o");
        let noted = lines
            .iter()
            .filter(|l| l.notes.iter().any(|n| n.starts_with(note)));
        assert_eq!(noted.count(), 2, "{note}");
        let all = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.contains(note), "{all}");
    }
    let report = std::fs::read_to_string(bench.path("o/report.md")).unwrap();
    let told: Vec<&str> = report.lines().filter(|l| l.contains("in doubt")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    - **Mind:** costs in doubt: the meter is not to be trusted, since it and the clock do not agree on how long a storm was busy (2 trials, the first is 6.1/none/absolute/closed/exact/0)
    - **Mind:** costs in doubt: compared with a baseline whose meter is not to be trusted (2 trials, the first is 6.1/proc-poll+default/absolute/closed/exact/0)
    - **Mind:** costs in doubt: the kernel did not settle before the trial (2 trials, the first is 6.1/proc-poll+default/absolute/closed/exact/0)
    "#);
    // A backend's own line says nothing of the meter: it may idle.
    let ran = bench
        .with("stall=30000@proc-poll")
        .run_in("p", SMALL)
        .code(0);
    assert!(!ran.stdout.contains("in doubt"), "{}", ran.stdout);
}
