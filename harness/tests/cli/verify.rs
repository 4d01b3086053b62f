//! Trials that are run again: which, what is said of them, and how the run ends.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use execlab_harness::{
    events::{Event, Reporter},
    lab::fake::FakeLab,
    plan::Plan,
    registry::Registry,
    run::{Done, Run, RunEnd},
    store::RunDir,
    verify::Verify,
};
use execlab_model::repeat::{Start, Verdict};

use crate::support::{Bench, SMALL};

const MORE: &[&str] = &[
    "--kernels=6.1",
    "--backends=proc-poll,audit",
    "--workloads=absolute,relative",
    "--execs=5",
    "--seeds=0..5",
];

#[test]
fn a_trial_that_differs_when_it_is_run_again_is_15_with_the_first_difference() {
    let bench = Bench::new();
    let ran = bench.with("again=7@").run(SMALL).code(15);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] completed      6.1/none/absolute/closed/exact/0
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %
    run again 1/1: differs (cold)  6.1/none/absolute/closed/exact/0  (cost.per_exec was 80000.0 and then 80001.4)
    done o: 2 completed
    warning: not deterministic: 6.1/none/absolute/closed/exact/0 differs when it is run again (cold): cost.per_exec was 80000.0 and then 80001.4
    "#);
    let repeats = bench.repeats("o");
    assert_eq!(repeats.len(), 1);
    assert_eq!(repeats[0].verdict, Verdict::Differs);
    let report = fs::read_to_string(bench.path("o/report.md")).unwrap();
    assert!(report.contains("not deterministic: 6.1/"), "{report}");
    assert!(report.contains("1 not the same"), "{report}");
    let cases = fs::read_to_string(bench.path("o/junit.xml")).unwrap();
    assert_eq!(cases.matches("<failure ").count(), 1, "{cases}");
    let summary = fs::read_to_string(bench.path("o/summary.json")).unwrap();
    assert!(summary.contains("\"code\": 15"), "{summary}");
    assert!(ran.stdout.contains("not deterministic"), "{}", ran.stdout);
}

#[test]
fn a_trial_that_differs_only_when_it_is_booted_is_15() {
    let bench = Bench::new();
    let ran = bench
        .with("cold=3@none/")
        .run(&[SMALL, &["--verify"]].concat())
        .code(15);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: found
    [1/2] completed      6.1/none/absolute/closed/exact/0
    [2/2] completed      6.1/proc-poll+default/absolute/closed/exact/0  seen 5/5  cost N %
    run again 1/2: differs (cold)  6.1/none/absolute/closed/exact/0  (cost.per_exec was 80000.0 and then 80000.6)
    run again 2/2: same (warm)  6.1/proc-poll+default/absolute/closed/exact/0
    done o: 2 completed
    warning: not deterministic: 6.1/none/absolute/closed/exact/0 differs when it is run again (cold): cost.per_exec was 80000.0 and then 80000.6
    "#);
    // All of them booted, nothing differs.
    bench
        .run_in("p", &[SMALL, &["--cold", "--verify"]].concat())
        .code(0);
    assert!(bench.repeats("p").iter().all(|r| r.start == Start::Cold));
    assert!(bench.results("p").iter().all(|l| l.host["start"] == "cold"));
}

#[test]
fn a_sample_is_repeated_and_all_or_none_on_request() {
    let bench = Bench::new();
    let count = |args: &[&str], dir: &str| {
        bench.run_in(dir, &[MORE, args].concat()).code(0);
        let cold = bench
            .repeats(dir)
            .iter()
            .filter(|r| r.start == Start::Cold)
            .count();
        (bench.repeats(dir).len(), cold)
    };
    let trials = 40;
    assert_eq!(count(&[], "o"), (2, 1));
    assert_eq!(bench.results("o").len(), trials);
    assert_eq!(count(&["--verify=sample"], "s"), (2, 1));
    assert_eq!(count(&["--verify"], "a"), (trials, 2));
    assert_eq!(count(&["--verify=none"], "n"), (0, 0));
    bench
        .run_in("x", &[SMALL, &["--verify=some"]].concat())
        .code(22);
}

#[test]
fn repeats_are_no_lines_and_records_are_named_by_their_hash() {
    let bench = Bench::new();
    bench.run(&[SMALL, &["--verify"]].concat()).code(0);
    let lines = bench.results("o");
    assert_eq!(lines.len(), 2);
    for repeat in bench.repeats("o") {
        let line = lines.iter().find(|l| l.trial == repeat.trial).unwrap();
        assert_eq!(line.digest, repeat.digest);
        assert!(repeat.record_sha256.is_some());
        assert_eq!(line.record_sha256, repeat.record_sha256);
    }
    let hashes = lines.iter().map(|l| &l.record_sha256).collect::<Vec<_>>();
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn what_was_verified_before_a_cut_is_not_verified_again() {
    let bench = Bench::new();
    let args = [SMALL, &["--verify"]].concat();
    bench.run(&args).code(0);
    let whole = bench.repeats("o");
    assert_eq!(whole.len(), 2);
    // The second one was being written.
    let file = bench.path("o/verify.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let cut = text.split_inclusive('\n').next().unwrap().to_owned() + "{\"schema\":1,\"tri";
    fs::write(&file, cut).unwrap();
    let kept = &whole[0].trial;
    let rule = format!("panic@{kept}");
    let ran = bench
        .with(&rule)
        .command(&["run", "--resume", "o", "--verify"])
        .code(0);
    assert!(ran.stderr.contains("run again 2/2: same"), "{}", ran.stderr);
    assert_eq!(bench.repeats("o").len(), 2);
    assert_eq!(bench.repeats("o")[0], whole[0]);
}

#[test]
fn a_difference_that_was_found_before_a_cut_stays() {
    let bench = Bench::new();
    bench.with("again=7@").run(SMALL).code(15);
    bench.with("").command(&["run", "--resume", "o"]).code(15);
}

#[test]
fn a_repeat_that_the_hosts_side_broke_is_14_and_tried_again_by_the_next_run() {
    let bench = Bench::new();
    bench.run(&[SMALL, &["--verify=none"]].concat()).code(0);
    let ran = bench
        .with("infra@")
        .command(&["run", "--resume", "o", "--verify"])
        .code(14);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 2 of them done, 1 at a time
    image of kernel 6.1: found
    again: 6.1/none/absolute/closed/exact/0  (the machine did not start: planted)
    run again 1/2: failed (cold)  6.1/none/absolute/closed/exact/0  (the machine did not start: planted)
    again: 6.1/proc-poll+default/absolute/closed/exact/0  (the machine did not start: planted)
    run again 2/2: failed (warm)  6.1/proc-poll+default/absolute/closed/exact/0  (the machine did not start: planted)
    done o: 2 completed
    warning: 2 trials could not be run again: whether they repeat is not known
    "#);
    bench
        .with("")
        .command(&["run", "--resume", "o", "--verify"])
        .code(0);
    assert!(
        bench
            .repeats("o")
            .iter()
            .all(|r| r.verdict == Verdict::Same)
    );
}

#[test]
fn a_run_whose_directory_is_older_than_verification_is_gone_on_with() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    fs::remove_file(bench.path("o/verify.jsonl")).unwrap();
    bench.command(&["run", "--resume", "o"]).code(0);
    assert_eq!(bench.repeats("o").len(), 1);
}

#[test]
fn all_trials_of_which_guests_say_anything_are_repeated() {
    let bench = Bench::new();
    let args = &[MORE, &["--verify"]].concat();
    bench
        .with("backend-failed@proc-poll;unsupported@audit+;lose@relative/closed/exact/3")
        .run(args)
        .code(20);
    let repeats = bench.repeats("o");
    assert_eq!(repeats.len(), 40);
    assert!(repeats.iter().all(|r| r.verdict == Verdict::Same));
    // The sample is of trials that were completed.
    bench
        .with("backend-failed@proc-poll")
        .run_in("s", SMALL)
        .code(14);
    let of_sample = bench.repeats("s");
    assert_eq!(of_sample.len(), 1);
    assert!(of_sample[0].trial.contains("/none/"));
}

#[test]
fn a_guest_that_is_lost_only_once_is_15_with_its_reason() {
    let bench = Bench::new();
    bench.run(&[SMALL, &["--verify=none"]].concat()).code(0);
    let ran = bench
        .with("lose@proc-poll")
        .command(&["run", "--resume", "o", "--verify"])
        .code(15);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 2 of them done, 1 at a time
    image of kernel 6.1: found
    run again 1/2: same (cold)  6.1/none/absolute/closed/exact/0
    run again 2/2: differs (warm)  6.1/proc-poll+default/absolute/closed/exact/0  (status was "completed" and then "lost")  (kernel panic: planted)
    done o: 2 completed
    warning: not deterministic: 6.1/proc-poll+default/absolute/closed/exact/0 differs when it is run again (warm): status was "completed" and then "lost"
    "#);
}

#[test]
fn equal_records_in_lines_of_two_versions_are_a_warning() {
    let bench = Bench::new();
    bench.run(&[SMALL, &["--verify=none"]].concat()).code(0);
    // As another version may have scored it.
    let file = bench.path("o/results.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"late\":0"));
    fs::write(&file, text.replacen("\"late\":0", "\"late\":3", 1)).unwrap();
    let ran = bench.command(&["run", "--resume", "o", "--verify"]).code(0);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 2 of them done, 1 at a time
    image of kernel 6.1: found
    run again 1/2: same (cold)  6.1/none/absolute/closed/exact/0  (scored otherwise: late was 3 and then 0)
    run again 2/2: same (warm)  6.1/proc-poll+default/absolute/closed/exact/0
    done o: 2 completed
    warning: different versions of execlab have scored lines of one run, which must not be compared: 6.1/none/absolute/closed/exact/0 was run again with an equal record, and late is 3 and 0
    "#);
    let report = fs::read_to_string(bench.path("o/report.md")).unwrap();
    assert!(report.contains("different versions of execlab"), "{report}");
}

/// What interrupts a run once something has happened.
struct StopAt<'a, F>(&'a AtomicBool, F);

impl<F: Fn(&Event) -> bool> Reporter for StopAt<'_, F> {
    fn event(&mut self, event: &Event) {
        if self.1(event) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// A run of all trials and repeats in the directory `p`, interrupted where `at` says.
fn stopped(bench: &Bench, plan: &Plan, at: impl Fn(&Event) -> bool) -> RunEnd {
    let lab: FakeLab = "slow=50@".parse().unwrap();
    let interrupted = AtomicBool::new(false);
    let mut dir = RunDir::create(&bench.path("p"), plan).unwrap();
    let run = Run {
        cache: None,
        plan,
        lab: &lab,
        registry: &Registry::of_this_build(),
        jobs: 1,
        start: Start::Warm,
        verify: Verify::All,
        expected: &[],
        interrupted: &interrupted,
    };
    let mut reporter = StopAt(&interrupted, at);
    run.go(&mut dir, Done::default(), &mut reporter).unwrap()
}

#[test]
fn an_interrupt_between_two_repeats_is_14_and_the_rest_is_repeated_later() {
    let bench = Bench::new();
    bench.run(&MORE[..4]).code(0);
    let plan = bench.plan("o");
    let end = stopped(&bench, &plan, |event| {
        matches!(event, Event::Repeated { .. })
    });
    // One that was running when the interrupt came is whole.
    assert!(
        (1..=2).contains(&end.repeats.len()),
        "{}",
        end.repeats.len()
    );
    assert_eq!(end.repeats.len() + end.unverified, plan.trials.len());
    assert_eq!(end.exit_code().code(), 14);
    bench
        .command_when_free(&["run", "--resume", "p", "--verify"])
        .code(0);
    assert_eq!(bench.repeats("p").len(), plan.trials.len());
}

#[test]
fn an_interrupt_behind_the_last_trial_is_14_and_all_is_repeated_later() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let plan = bench.plan("o");
    let end = stopped(&bench, &plan, |event| match event {
        Event::TrialFinished { tally, .. } => tally.done == tally.total,
        _ => false,
    });
    assert_eq!((end.absent.len(), end.repeats.len()), (0, 0));
    assert_eq!(end.unverified, 2);
    assert_eq!(end.exit_code().code(), 14);
    bench
        .command_when_free(&["run", "--resume", "p", "--verify"])
        .code(0);
    assert_eq!(bench.repeats("p").len(), 2);
}
