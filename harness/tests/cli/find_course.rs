//! The course of a search: cut off, gone on with, interrupted, refused.

use std::{
    fmt::Write as _,
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use execlab_harness::{
    events::{Event, Reporter},
    find::{Searching, resolve},
    lab::{Laboratory, fake::FakeLab},
    registry::Registry,
    store::RunDir,
};
use execlab_reports::find::Find;

use crate::{
    find::{BLIND, WINDOW, find, found},
    support::{Bench, SMALL},
};

/// What differs between two directories of one search: facts of the host.
fn lines(bench: &Bench, dir: &str) -> Vec<String> {
    let lines = bench.results(dir).into_iter().map(|mut line| {
        line.host.clear();
        serde_json::to_string(&line).unwrap()
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn a_search_that_was_cut_off_ends_as_a_whole_one_and_asks_nothing_twice() {
    let bench = Bench::new();
    bench.with(BLIND);
    find(&bench, "whole", WINDOW).code(0);
    find(&bench, "o", WINDOW).code(0);
    let file = bench.path("o/results.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let all = text.lines().count();
    for kept in [0, 5, all - 1, all] {
        let cut: String = text.split_inclusive('\n').take(kept).collect();
        fs::write(&file, cut + "{\"schema\":1,\"tri").unwrap();
        let said = bench.command(&["find", "--resume", "o"]).code(0);
        assert_eq!(lines(&bench, "o"), lines(&bench, "whole"));
        assert_eq!(found(&bench, "o"), found(&bench, "whole"));
        let run = said.stderr.lines().filter(|l| l.starts_with('[')).count();
        assert_eq!(run, all - kept, "{}", said.stderr);
    }
    // Nor is it another search.
    let said = bench
        .command(&["find", "isolation", "--resume", "o"])
        .code(22);
    assert!(said.stderr.contains("blind-window"), "{}", said.stderr);
    // Nor with other inputs.
    bench.with(&format!("changed@;{BLIND}"));
    let said = bench.command(&["find", "--resume", "o"]).code(22);
    assert!(said.stderr.contains("other inputs"), "{}", said.stderr);
}

#[test]
fn neither_workers_nor_a_second_time_change_what_is_found() {
    let bench = Bench::new();
    bench.with(BLIND);
    find(&bench, "o", WINDOW).code(0);
    find(&bench, "p", &[WINDOW, &["-j", "7"]].concat()).code(0);
    assert_eq!(found(&bench, "o"), found(&bench, "p"));
    assert_eq!(lines(&bench, "o"), lines(&bench, "p"));
}

#[test]
fn what_broke_on_the_hosts_side_is_tried_again_by_a_search_that_goes_on() {
    let bench = Bench::new();
    bench.with(&format!("infra@closed/exact/1;{BLIND}"));
    find(&bench, "o", WINDOW).code(14);
    bench
        .with(BLIND)
        .command(&["find", "--resume", "o"])
        .code(0);
    find(&bench, "whole", WINDOW).code(0);
    assert_eq!(found(&bench, "o"), found(&bench, "whole"));
}

#[test]
fn a_cost_without_its_baseline_is_measured_again_by_a_search_that_goes_on() {
    const KNEE: &[&str] = &[
        "loss-knee",
        "--backend=audit",
        "--settings=backlog=2048",
        "--ask=burst",
        "--seeds=1",
    ];
    let bench = Bench::new();
    find(&bench, "whole", KNEE).code(0);
    assert!(found(&bench, "whole").rows[0].cost.is_some());
    bench.with("infra@6.1/none");
    find(&bench, "o", KNEE).code(14);
    assert_eq!(found(&bench, "o").rows[0].cost, None);
    bench.with("").command(&["find", "--resume", "o"]).code(0);
    assert_eq!(found(&bench, "o"), found(&bench, "whole"));
    assert_eq!(lines(&bench, "o"), lines(&bench, "whole"));
}

/// Ctrl-C while it works: what is there is whole, and says that it is not all.
#[test]
fn an_interrupt_leaves_a_report_of_what_was_found_so_far() {
    struct Quiet<'a>(&'a AtomicBool, usize);
    impl Reporter for Quiet<'_> {
        fn event(&mut self, event: &Event) {
            if let Event::TrialFinished { .. } = event {
                self.1 += 1;
                self.0.store(self.1 >= 4, Ordering::Relaxed);
            }
        }
    }

    let bench = Bench::new();
    bench.with(BLIND);
    find(&bench, "whole", WINDOW).code(0);
    let registry = Registry::of_this_build();
    let experiment = resolve(found(&bench, "whole").asked, &registry).unwrap();
    let lab: FakeLab = BLIND.parse().unwrap();
    lab.check(&experiment.samples()).unwrap();
    let plan = Searching::plan(&experiment);
    let mut dir = RunDir::create(&bench.path("o"), &plan).unwrap();
    let interrupted = AtomicBool::new(false);
    let searching = Searching {
        experiment: &experiment,
        lab: &lab,
        registry: &registry,
        jobs: 1,
        interrupted: &interrupted,
    };
    let mut reporter = Quiet(&interrupted, 0);
    let end = searching
        .go(&mut dir, plan, Vec::new(), &mut reporter)
        .unwrap();
    drop(dir);
    assert!(end.interrupted && !end.find.complete);
    assert_eq!(end.exit_code().code(), 14);
    assert_eq!(found(&bench, "o"), end.find);
    assert_eq!(bench.plan("o").trials.len(), bench.results("o").len());
    assert!(bench.path("o/report.html").exists());
    bench.command_when_free(&["find", "--resume", "o"]).code(0);
    assert_eq!(found(&bench, "o"), found(&bench, "whole"));
}

#[test]
fn json_is_what_stands_in_the_directory_and_options_have_their_twins() {
    let bench = Bench::new();
    bench.with(BLIND);
    let said = find(&bench, "o", &[WINDOW, &["--format=json"]].concat()).code(0);
    let printed: Find = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(printed, found(&bench, "o"));
    bench
        .set("EXECLAB_FIND_FORMAT", "json")
        .set("EXECLAB_BACKENDS", "netlink")
        .set("EXECLAB_KERNELS", "6.1")
        .set("EXECLAB_SEEDS", "3")
        .set("EXECLAB_OUT", "p");
    let twin = bench.command(&["find", "blind-window"]).code(0);
    assert_eq!(twin.stdout, said.stdout);
}

#[test]
fn what_is_wrong_is_named() {
    let bench = Bench::new();
    let mut all = String::new();
    for args in [
        &["find"][..],
        &["find", "blind-window"],
        &["find", "blind-window", "--backend=netlnk"],
        &["find", "blind-window", "--backend=none"],
        &["find", "blind-window", "--backend=netlink", "--ask=burst"],
        &[
            "find",
            "isolation",
            "--backend=netlink",
            "--workload=absolute",
        ],
        &[
            "find",
            "loss-knee",
            "--backend=netlink",
            "--settings=rcvbuf",
        ],
        &[
            "find",
            "loss-knee",
            "--backend=netlink",
            "--settings=rcvbfu=1",
        ],
        &[
            "find",
            "loss-knee",
            "--backend=netlink",
            "--settings=rcvbuf=1",
        ],
        &["find", "blind-window", "--backend=netlink", "--precision=2"],
        &["find", "--resume=nowhere"],
    ] {
        let said = bench.command(args).code(22);
        assert!(said.stdout.is_empty());
        let first = said.stderr.lines().next().unwrap_or_default();
        writeln!(all, "{first}").unwrap();
    }
    insta::assert_snapshot!(all, @r#"
    error: the following required arguments were not provided:
    error: the following required arguments were not provided:
    error: --backend: unknown backend `netlnk`; did you mean `netlink`? (valid: …); `exec:./monitor` is a program of your own
    error: --backend: `none` does not watch: name a backend that does
    error: --ask: blind-window is not asked about `burst`: it asks `seen` and `right-path`
    error: --workload: isolation is that of `quiet-victim`: `absolute` has no quiet container
    error: invalid value 'rcvbuf' for '--settings <NAME=VALUES>': `rcvbuf` is no setting with values: write it as `rcvbuf=65536,212992`
    error: --settings: unknown setting of netlink `rcvbfu`; did you mean `rcvbuf`? (valid: …)
    error: --settings: setting `rcvbuf` cannot be `1`; it takes a whole number from 4608 to 1073741824
    error: invalid value '2' for '--precision <SHARE>': `2` is no share: write a number from 0 up to, but not, 1
    error: nowhere holds no search: it has no find.json
    "#);
    // A run that is no search cannot be gone on with as one.
    bench.run(SMALL).code(0);
    let said = bench.command(&["find", "--resume=o"]).code(22);
    assert!(said.stderr.contains("find.json"), "{}", said.stderr);
}
