//! In which order trials are run, which no result depends on.

use std::{fs, sync::atomic::AtomicBool, time::Duration};

use execlab_harness::{
    events::{Event, Reporter},
    lab::{Start, fake::FakeLab},
    plan::Plan,
    registry::Registry,
    run::{Done, Run},
    store::{RunDir, read_lines},
    verify::Verify,
};
use execlab_model::result::TrialResult;

use crate::support::Bench;

struct Quiet;

impl Reporter for Quiet {
    fn event(&mut self, _: &Event) {}
}

/// All lines in the order in which they were written, without facts of the host.
fn lines(
    bench: &Bench,
    plan: &Plan,
    dir: &str,
    jobs: usize,
    expected: &[Duration],
) -> Vec<TrialResult> {
    let lab: FakeLab = "drop=3@proc-poll;lose@relative/closed/exact/1"
        .parse()
        .unwrap();
    let mut made = RunDir::create(&bench.path(dir), plan).unwrap();
    let run = Run {
        cache: None,
        plan,
        lab: &lab,
        registry: &Registry::of_this_build(),
        jobs,
        start: Start::Warm,
        verify: Verify::All,
        expected,
        interrupted: &AtomicBool::new(false),
    };
    let end = run.go(&mut made, Done::default(), &mut Quiet).unwrap();
    assert!(end.repeatability().differing.is_empty());
    let mut lines = read_lines(&bench.path(dir)).unwrap().items;
    for line in &mut lines {
        line.host.clear();
    }
    lines
}

#[test]
fn neither_order_nor_workers_change_a_result() {
    let bench = Bench::new();
    let args = [
        "--kernels=6.1,5.10",
        "--backends=proc-poll,audit",
        "--workloads=absolute,relative",
        "--execs=6",
        "--seeds=3",
    ];
    bench.run(&args).code(0);
    let plan = bench.plan("o");
    let count = u64::try_from(plan.trials.len()).unwrap();
    let sorted = |mut lines: Vec<TrialResult>| {
        lines.sort_by(|a, b| a.trial.cmp(&b.trial));
        lines
    };
    let in_order = lines(&bench, &plan, "in-order", 1, &[]);
    let mut orders = 0;
    for jobs in [1, 2, 8] {
        for factor in [1, 7, 31] {
            // A permutation: the factors share nothing with the number of trials.
            assert!(factor == 1 || count % factor != 0);
            let expected: Vec<Duration> = (0..count)
                .map(|at| Duration::from_secs(1 + at * factor % count))
                .collect();
            let shuffled = lines(&bench, &plan, &format!("{jobs}-{factor}"), jobs, &expected);
            orders += usize::from(shuffled != in_order);
            assert_eq!(
                sorted(shuffled),
                sorted(in_order.clone()),
                "-j {jobs}, {factor}"
            );
        }
    }
    assert!(orders > 0, "nothing was ever run in another order");
}

#[test]
fn what_took_long_comes_first_in_the_next_run() {
    let bench = Bench::new();
    let args = [
        "--kernels=6.1",
        "--backends=audit,proc-poll",
        "--workloads=relative",
        "--execs=5",
    ];
    bench.with("slow=60@proc-poll").run(&args).code(0);
    let first = |dir: &str| {
        bench
            .results(dir)
            .iter()
            .find(|l| !l.is_baseline())
            .unwrap()
            .backend
            .name
            .clone()
    };
    let known = bench.path("cache/durations-fake.json");
    assert!(known.exists());
    bench.run_in("p", &args).code(0);
    assert_eq!(first("p"), "proc-poll");
    bench.with("slow=300@audit").run_in("q", &args).code(0);
    bench.run_in("r", &args).code(0);
    assert_eq!(first("r"), "audit");
    // Damaged, it says nothing and hinders nobody.
    fs::write(&known, "{").unwrap();
    bench.run_in("s", &args).code(0);
}
