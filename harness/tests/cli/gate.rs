//! `execlab baseline` and `execlab compare` of runs of one lab, from the run to the exit code.

mod baselines;

use serde_json::Value;

use crate::support::{Bench, Said};

const MATRIX: &[&str] = &[
    "--kernels=6.1",
    "--backends=ebpf,netlink",
    "--workloads=absolute",
    "--execs=100",
    "--seeds=4",
    "--verify=none",
];

/// A baseline `main` of [`MATRIX`] without any trouble.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.run_in("base", MATRIX).code(0);
    bench.command(&["baseline", "save", "main", "base"]).code(0);
    bench
}

/// Runs the matrix with trouble and compares it with the baseline.
fn against(bench: &Bench, dir: &str, rules: &str) -> Said {
    bench.with(rules);
    bench.run_in(dir, MATRIX);
    bench.with("");
    bench.command(&["compare", "main", dir])
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn a_run_against_its_own_baseline_is_silent() {
    let bench = bench();
    let said = against(&bench, "same", "").code(0);
    assert!(
        said.stdout.contains("unchanged; exit code 0"),
        "{}",
        said.stdout
    );
    assert_eq!(said.stderr, "");
}

#[test]
fn what_costs_more_ends_with_10_and_what_costs_less_with_0() {
    let bench = bench();
    // ebpf adds 4,110 instructions to each of 100 execs here: 5,000 in all are little more than 1 %.
    let rules = "dearer=6000@ebpf;changed@ebpf";
    let said = against(&bench, "slow", rules).code(10);
    // Lines are wrapped.
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    let told = words.join(" ");
    assert!(
        told.contains("since a change of part of the digest"),
        "{told}"
    );
    let back = bench
        .command(&["compare", "slow", "base", "--format=json"])
        .code(0);
    let found = json(&back);
    assert_eq!(
        (&found["verdict"], &found["exit_code"]),
        (&"improved".into(), &0.into())
    );
    // A better result moves no baseline.
    let shown = bench
        .command(&["baseline", "show", "main", "--format=json"])
        .code(0);
    assert_eq!(json(&shown)["trials"]["completed"], 12);
    against(&bench, "slow2", rules).code(10);
}

#[test]
fn one_lost_exec_in_ten_thousand_ends_with_11() {
    let bench = Bench::new();
    let matrix = [
        "--kernels=6.1",
        "--backends=ebpf",
        "--workloads=absolute",
        "--execs=10000",
        "--verify=none",
    ];
    bench.run_in("a", &matrix).code(0);
    bench
        .with("drop=10000@ebpf;changed@ebpf")
        .run_in("b", &matrix)
        .code(0);
    let said = bench.command(&["compare", "a", "b"]).code(11);
    assert!(
        said.stdout.contains("-1 of 10,000 execs"),
        "{}",
        said.stdout
    );
    bench.command(&["compare", "b", "a"]).code(0);
}

#[test]
fn worse_paths_and_what_is_unsupported_now_end_with_11() {
    let bench = bench();
    let said = against(&bench, "short", "basename=100@netlink;changed@netlink").code(11);
    assert!(said.stdout.contains("right paths"), "{}", said.stdout);
    let said = against(&bench, "gone", "unsupported@ebpf;changed@ebpf").code(11);
    assert!(
        said.stdout.contains("it worked, and is unsupported now"),
        "{}",
        said.stdout
    );
    // Accuracy is more basic than cost.
    against(
        &bench,
        "both",
        "basename=100@netlink;dearer=60000@ebpf;changed@/",
    )
    .code(11);
}

#[test]
fn what_has_no_baseline_ends_with_12_unless_told() {
    let bench = bench();
    let said = bench.command(&["compare", "master", "base"]).code(12);
    insta::assert_snapshot!(said.stderr, @r"
    error: there is no baseline `master` in execlab-baselines (there are: main)
    help: save one by `execlab baseline save NAME RUN`; for the first run there is `--missing-baseline warn`
    ");
    let said = bench
        .command(&["compare", "master", "base", "--missing-baseline=warn"])
        .code(0);
    assert!(
        said.stderr
            .starts_with("warning: there is no baseline `master`")
    );
    assert!(
        said.stdout.contains("3 new; exit code 0"),
        "{}",
        said.stdout
    );
    let more = [
        &["--backends=ebpf,netlink,ptrace"],
        &MATRIX[..1],
        &MATRIX[2..],
    ]
    .concat();
    bench.run_in("more", &more).code(0);
    bench.command(&["compare", "main", "more"]).code(12);
    bench
        .set("EXECLAB_MISSING_BASELINE", "ok")
        .command(&["compare", "main", "more"])
        .code(0);
    let other = [&MATRIX[..3], &["--execs=50"], &MATRIX[4..]].concat();
    bench.run_in("other", &other).code(0);
    let said = bench.command(&["compare", "main", "other"]).code(12);
    assert!(
        said.stdout.contains("workload is 50 execs, was 100 execs"),
        "{}",
        said.stdout
    );
}

#[test]
fn what_vanished_or_failed_ends_with_14_and_a_lost_guest_with_20() {
    let bench = bench();
    let fewer = [&MATRIX[..1], &["--backends=ebpf"], &MATRIX[2..]].concat();
    bench.run_in("fewer", &fewer).code(0);
    let said = bench.command(&["compare", "main", "fewer"]).code(14);
    assert!(
        said.stdout.contains("Disappeared\n- 6.1/netlink+default"),
        "{}",
        said.stdout
    );
    bench.write("gate.toml", "disappeared = \"ok\"");
    bench
        .command(&["compare", "main", "fewer", "--policy=gate.toml"])
        .code(0);
    against(&bench, "broke", "infra@ebpf").code(14);
    against(&bench, "died", "backend-failed@ebpf").code(14);
    against(&bench, "lost", "lose@ebpf+default/absolute/closed/exact/2").code(20);
}

#[test]
fn the_same_inputs_with_other_figures_end_with_15() {
    let bench = bench();
    let said = against(&bench, "other", "dearer=1@ebpf").code(15);
    assert!(
        said.stdout
            .contains("was made from the same inputs, and is not the same"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_policy_is_read_printed_and_refused_with_what_is_valid() {
    let bench = bench();
    let printed = bench.command(&["compare", "--print-policy"]).code(0);
    bench.write("gate.toml", &printed.stdout);
    let again = bench
        .command(&["compare", "--print-policy", "--policy=gate.toml"])
        .code(0);
    assert_eq!(again.stdout, printed.stdout);
    bench.write("gate.toml", "[metrics.cost]\nrelative = 0.1\n");
    let said = bench
        .command(&["compare", "main", "base", "--policy=gate.toml"])
        .code(22);
    insta::assert_snapshot!(said.stderr, @r"
    error: gate.toml is no policy
      because: metrics: there is no metric `cost` (valid: …)
    help: `execlab compare --print-policy` prints a whole one
    ");
    bench.write("gate.toml", "[metrics.added_per_exec]\nrelative = 0.5\n");
    bench.set("EXECLAB_POLICY", "gate.toml");
    against(&bench, "slow", "dearer=6000@ebpf;changed@ebpf").code(0);
    bench
        .set("EXECLAB_POLICY", "nowhere.toml")
        .command(&["compare", "main", "base"])
        .code(22);
}

#[test]
fn every_format_has_the_same_verdict() {
    let bench = bench();
    bench
        .with("drop=50@netlink;changed@netlink")
        .run_in("new", MATRIX)
        .code(0);
    let as_format = |format: &str| {
        let format = format!("--format={format}");
        bench
            .command(&["compare", "main", "new", &format])
            .code(11)
            .stdout
    };
    let found: Value = serde_json::from_str(&as_format("json")).unwrap();
    assert_eq!(found["schema"], 1);
    assert_eq!(found["counts"]["regressed"], 1);
    assert!(as_format("markdown").contains("1 regressed, 2 unchanged"));
    assert!(as_format("junit").contains("<failure"));
}

const VARIANTS: &str = r#"
    kernels = ["6.1"]
    backends = ["ebpf", "ebpf+slow"]
    workloads = ["absolute"]
    execs = 100
    seeds = 8
    lab = "kvm"
    [variants.ebpf.slow]
    burden = 10
"#;

#[test]
fn where_time_is_real_it_takes_boots_in_turn() {
    let bench = Bench::new();
    bench.write("m.toml", VARIANTS);
    bench
        .with("dearer=200000@ebpf+slow")
        .run_in("k", &["m.toml"])
        .code(0);
    let said = bench
        .command(&["compare", "k", "--ab=ebpf,ebpf+slow"])
        .code(10);
    assert!(said.stdout.contains("run in turn"), "{}", said.stdout);
    bench
        .command(&["compare", "k", "--ab=ebpf+slow,ebpf"])
        .code(0);
    let said = bench
        .command(&["compare", "k", "--ab=ebpf,netlink"])
        .code(22);
    assert!(
        said.stderr.contains("it has: ebpf+default, ebpf+slow"),
        "{}",
        said.stderr
    );
    // The same as two runs: seen, and not judged.
    bench.with("").run_in("l", &["m.toml"]).code(0);
    let said = bench.command(&["compare", "l", "k"]).code(0);
    assert!(said.stdout.contains("1 suspected"), "{}", said.stdout);
    bench.write("gate.toml", "[sampled]\nseparate_runs = \"fail\"\n");
    bench
        .command(&["compare", "l", "k", "--policy=gate.toml"])
        .code(10);
    bench.run_in("few", &["m.toml", "--seeds=4"]).code(0);
    bench.command(&["compare", "few", "few"]).code(12);
}
