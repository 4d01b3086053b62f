//! `execlab compare`, with runs of laboratories that are none.

use serde_json::Value;

use crate::support::{Bench, SMALL};

const BACKENDS: &[&str] = &[
    "--backends=audit,netlink,proc-poll,ptrace",
    "--workloads=absolute,relative",
    "--execs=5",
];

/// A run of the exact lab in `exact` and one of the host in `host`.
fn two_labs(bench: &Bench) {
    let exact = ["--kernels=6.1"];
    bench.run_in("exact", &[BACKENDS, &exact].concat()).code(0);
    // Of the fake laboratory: nobody needs to agree to anything, and nothing is changed.
    let host = ["--lab=host", "--seeds=8", "--lab-fake="];
    bench.run_in("host", &[BACKENDS, &host].concat()).code(0);
}

#[test]
fn runs_of_two_labs_are_compared_by_the_order_of_costs() {
    let bench = Bench::new();
    two_labs(&bench);
    let fake = |line: &execlab_model::result::TrialResult| line.kernel.release.ends_with("-fake");
    assert!(bench.results("host").iter().all(fake));
    let said = bench.command(&["compare", "exact", "host"]).code(0);
    let table: Vec<&str> = said.stdout.lines().take(6).collect();
    insta::assert_snapshot!(table.join("\n"));
    assert_eq!(said.stderr, "");

    let json = bench
        .command(&["compare", "exact/results.jsonl", "host", "--format=json"])
        .code(0);
    let found: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(found["comparisons"].as_array().unwrap().len(), 2);
    assert_eq!(found["pooled"]["agreement"]["rho"], 0.8);
    assert_eq!(found["pooled"]["agreement"]["count"], 4);
    assert_eq!(found["base"]["lab"], "exact");
    assert_eq!(found["new"]["unit"], "CPU ns");

    let markdown = bench
        .set("EXECLAB_COMPARE_FORMAT", "markdown")
        .command(&["compare", "exact", "host"])
        .code(0);
    assert!(
        markdown.stdout.starts_with("# execlab"),
        "{}",
        markdown.stdout
    );
}

#[test]
fn kernels_are_named_by_flag_or_environment() {
    let bench = Bench::new();
    two_labs(&bench);
    let flag = bench
        .command(&["compare", "exact", "host", "--kernels", "6.1=running"])
        .code(0);
    let usual = bench.command(&["compare", "exact", "host"]).code(0);
    assert_eq!(flag.stdout, usual.stdout);
    bench.set("EXECLAB_COMPARE_KERNELS", "5.10=running");
    let said = bench.command(&["compare", "exact", "host"]).code(22);
    insta::assert_snapshot!(said.stderr, @"error: the first run has no kernel `5.10` (it has: 6.1)");
    bench
        .command(&["compare", "exact", "host", "--kernels", "6.1"])
        .code(22);
}

#[test]
fn the_order_of_costs_is_of_two_labs() {
    let bench = Bench::new();
    bench.run_in("a", SMALL).code(0);
    bench.run_in("b", SMALL).code(0);
    let said = bench.command(&["compare", "a", "b", "--across"]).code(12);
    insta::assert_snapshot!(said.stderr, @r"
    error: both runs are of the lab exact, and the order of costs is compared across labs
    help: leave `--across` and `--kernels` out: runs of one lab are compared row by row
    ");
    assert_eq!(said.stdout, "");
    let said = bench.command(&["compare", "a", "nowhere"]).code(22);
    insta::assert_snapshot!(said.stderr, @"error: there is no such run, and there is no baseline `nowhere` in execlab-baselines (there is none)");
    two_labs(&bench);
    bench
        .command(&["compare", "exact", "host", "--across", "--format=junit"])
        .code(22);
}

#[test]
fn who_asks_for_a_gate_gets_one_whatever_the_lab_is() {
    let bench = Bench::new();
    let exact = ["--kernels=6.1"];
    bench.run_in("exact", &[BACKENDS, &exact].concat()).code(0);
    let kvm = ["--kernels=6.1", "--lab=kvm"];
    bench.run_in("kvm", &[BACKENDS, &kvm].concat()).code(0);
    bench
        .command(&["baseline", "save", "main", "exact"])
        .code(0);
    bench.write("gate.toml", "unclear = \"ok\"");
    let across = bench.command(&["compare", "exact", "kvm"]).code(0);
    let asked: [&[&str]; 4] = [
        &["compare", "main", "kvm"],
        &["compare", "exact", "kvm", "--policy=gate.toml"],
        &["compare", "exact", "kvm", "--missing-baseline=warn"],
        &["compare", "exact", "kvm", "--format=junit"],
    ];
    for arguments in asked {
        let said = bench.command(arguments).code(12);
        assert!(
            said.stdout
                .contains("not compared across: lab is kvm, was exact"),
            "{}",
            said.stdout
        );
    }
    let explicit = bench
        .command(&["compare", "main", "kvm", "--across"])
        .code(0);
    assert_eq!(explicit.stdout, across.stdout);
}
