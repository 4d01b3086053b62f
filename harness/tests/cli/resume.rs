//! A run that was cut off is gone on with, and ends as if it had not been.

use std::fs;

use execlab_harness::{run::Run, store::RunDir};
use execlab_model::repeat::Start;

use crate::support::{Bench, SMALL};

fn cut(bench: &Bench, lines: usize, and: &str) {
    let file = bench.path("o/results.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(lines).collect();
    fs::write(file, kept + and).unwrap();
}

fn lines(bench: &Bench, dir: &str) -> Vec<String> {
    let mut results = bench.results(dir);
    for line in &mut results {
        line.host.clear();
    }
    let mut lines: Vec<_> = results
        .iter()
        .map(|l| serde_json::to_string(l).unwrap())
        .collect();
    lines.sort();
    lines
}

const MORE: &[&str] = &[
    "--kernels=6.1",
    "--backends=proc-poll,audit",
    "--workloads=absolute",
    "--execs=5",
];

#[test]
fn a_run_that_was_cut_in_the_middle_of_a_line_ends_as_a_whole_one() {
    let bench = Bench::new();
    bench.run(MORE).code(0);
    bench.run_in("whole", MORE).code(0);
    for kept in 0..4 {
        cut(&bench, kept, "{\"schema\":1,\"trial\":\"6.1/no");
        let ran = bench.command(&["run", "--resume", "o"]).code(0);
        assert_eq!(lines(&bench, "o"), lines(&bench, "whole"), "{}", ran.stderr);
    }
    for report in ["report.md", "report.html", "junit.xml", "summary.json"] {
        assert!(fs::metadata(bench.path("o").join(report)).unwrap().len() > 0);
    }
}

#[test]
fn what_is_done_is_not_run_again() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let ran = bench
        .with("panic@")
        .command(&["run", "--resume", "o"])
        .code(0);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 2 of them done, 1 at a time
    done o: 2 completed
    "#);
}

#[test]
fn what_broke_on_the_hosts_side_is_run_again_with_all_that_needs_it() {
    let bench = Bench::new();
    bench.with("infra@none/").run(MORE).code(14);
    assert!(
        bench
            .results("o")
            .iter()
            .any(|l| l.notes.iter().any(|n| n.contains("infra")))
    );
    bench.with("").command(&["run", "--resume", "o"]).code(0);
    bench.run_in("whole", MORE).code(0);
    assert_eq!(lines(&bench, "o"), lines(&bench, "whole"));
}

#[test]
fn a_lost_guest_stays_lost() {
    let bench = Bench::new();
    bench.with("lose@proc-poll").run(SMALL).code(20);
    bench.with("").command(&["run", "--resume", "o"]).code(20);
}

#[test]
fn the_plan_must_be_the_same() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    bench
        .command(&[&["run", "--resume", "o"], SMALL].concat())
        .code(0);
    let ran = bench
        .command(&[&["run", "--resume", "o"], &SMALL[..3], &["--execs=6"]].concat())
        .code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: o was to run something else: 6.1/none/absolute/closed/exact/0 has other settings there
    help: resume it without a matrix and without options that select, or start a new run
    "#);
}

#[test]
fn kept_lines_must_have_been_made_from_the_same_inputs() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let ran = bench
        .with("changed@proc-poll")
        .command(&["run", "--resume", "o"])
        .code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: 6.1/proc-poll+default/absolute/closed/exact/0 was run from other inputs than it would be run from now
    help: QEMU, a kernel or execlab itself is another one now: start a new run
    "#);
}

#[test]
fn what_is_no_run_or_was_damaged_is_refused() {
    let bench = Bench::new();
    let ran = bench.command(&["run", "--resume", "nowhere"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: nowhere holds no run: it has no plan.json
    help: give the directory that `execlab run` wrote to
    "#);
    bench.run(SMALL).code(0);
    cut(&bench, 1, "not json\n");
    let ran = bench.command(&["run", "--resume", "o"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: o/results.jsonl:2 is damaged
      because: expected ident at line 1 column 2
    help: take the damaged line out, or run the matrix again
    "#);
}

#[test]
fn two_processes_never_share_a_directory() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let mine = RunDir::resume(&bench.path("o")).unwrap();
    let ran = bench.command(&["run", "--resume", "o"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: o is in use by another execlab (execlab 0.1.0, process N, since TIME)
    help: wait until it has ended, or give another directory
    "#);
    drop(mine);
    bench.command(&["run", "--resume", "o"]).code(0);
}

/// An interrupt ends a run after the trials that are running; what has a line is whole.
#[test]
fn an_interrupted_run_says_how_to_go_on() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use execlab_harness::{
        events::{Event, Reporter},
        lab::{Start, fake::FakeLab},
        registry::Registry,
        run::Done,
        verify::Verify,
    };

    struct StopAfterFirst<'a>(&'a AtomicBool);
    impl Reporter for StopAfterFirst<'_> {
        fn event(&mut self, event: &Event) {
            if matches!(event, Event::TrialFinished { .. }) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
    }

    let bench = Bench::new();
    bench.run_in("whole", MORE).code(0);
    let plan = bench.plan("whole");
    let lab: FakeLab = "slow=50@".parse().unwrap();
    let interrupted = AtomicBool::new(false);
    let mut dir = RunDir::create(&bench.path("o"), &plan).unwrap();
    let run = Run {
        cache: None,
        plan: &plan,
        lab: &lab,
        registry: &Registry::of_this_build(),
        jobs: 1,
        start: Start::Warm,
        verify: Verify::Sample,
        expected: &[],
        interrupted: &interrupted,
    };
    let end = run
        .go(&mut dir, Done::default(), &mut StopAfterFirst(&interrupted))
        .unwrap();
    assert!(end.interrupted && !end.absent.is_empty());
    assert_eq!(end.exit_code().code(), 14);
    assert_eq!(bench.results("o").len(), end.results.len());
    drop(dir);
    bench.command_when_free(&["run", "--resume", "o"]).code(0);
    assert_eq!(lines(&bench, "o"), lines(&bench, "whole"));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_with_14_and_the_way_to_go_on() {
    use std::{
        io::{BufRead as _, BufReader, Read as _},
        process::{Command, Stdio},
    };

    let bench = Bench::new();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("execlab"))
        .args(
            [
                &["run", "--out", "o", "-j1", "--lab-fake", "slow=400@"],
                MORE,
            ]
            .concat(),
        )
        .current_dir(bench.path(""))
        .env("EXECLAB_CACHE", bench.path("cache"))
        .env("EXECLAB_NO_CACHE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The second line tells that a trial has ended.
    for _ in 0..2 {
        stderr.read_line(&mut said).unwrap();
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(14), "{said}");
    assert!(said.contains("execlab run --resume o"), "{said}");
    bench.command(&["run", "--resume", "o"]).code(0);
}

#[test]
fn a_run_goes_on_in_the_manner_in_which_it_was_begun() {
    let bench = Bench::new();
    bench
        .run(&[SMALL, &["--verify", "--cold"]].concat())
        .code(0);
    let again = |flags: &[&str]| {
        cut(&bench, 1, "");
        fs::write(bench.path("o/verify.jsonl"), "").unwrap();
        bench
            .command(&[&["run", "--resume", "o"], flags].concat())
            .code(0);
        let repeats = bench.repeats("o");
        assert!(repeats.iter().all(|r| r.start == Start::Cold));
        repeats.len()
    };
    assert_eq!(again(&[]), 2);
    assert_eq!(again(&["--verify=none"]), 0, "a flag goes before the plan");
}

/// A report that is silent about what is missing is a false pass.
#[test]
fn what_has_no_result_is_no_pass_in_any_document() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let results = bench.path("o/results.jsonl");
    let whole = fs::read_to_string(&results).unwrap();
    let first = whole.lines().next().unwrap();
    fs::write(&results, format!("{first}\n")).unwrap();
    bench.command(&["report", "--write", "o"]).code(0);
    let read = |name: &str| fs::read_to_string(bench.path("o").join(name)).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["exit"]["code"], 14);
    assert!(
        read("junit.xml").contains("errors=\"1\""),
        "{}",
        read("junit.xml")
    );
    for document in [
        read("report.md"),
        bench.command(&["report", "o"]).code(0).stdout,
    ] {
        assert!(
            !document.contains("Every trial was completed"),
            "{document}"
        );
        assert!(document.contains("it has no result"), "{document}");
    }
}
