//! `execlab report --conformance`, on runs of the fake laboratory.

use execlab_model::result::TrialResult;

use crate::support::Bench;

/// In the fake laboratory every backend sees everything at once, and nobody reports a container, a parent or
/// a user.
const RUN: &[&str] = &[
    "--kernels=5.10,7.3",
    "--backends=ebpf,ptrace",
    "--workloads=absolute,relative",
    "--execs=20",
    "--seeds=1",
];

/// A run like the one that the built-in table is of.
fn like_the_table(bench: &Bench) {
    bench.run(RUN).code(0);
    let mut text = String::new();
    for mut line in bench.results("o") {
        let fields = [&mut line.parent, &mut line.credentials, &mut line.container];
        for field in fields.into_iter().flatten() {
            field.right += std::mem::take(&mut field.absent);
        }
        text += &(serde_json::to_string(&line).unwrap() + "\n");
    }
    bench.write("like.jsonl", &text);
}

#[test]
fn a_run_as_the_built_in_table_says_passes() {
    let bench = Bench::new();
    like_the_table(&bench);
    let said = bench
        .command(&["report", "like.jsonl", "--conformance", "--check"])
        .code(0);
    insta::assert_snapshot!(said.stdout);
    assert_eq!(said.stderr, "");
}

#[test]
fn a_run_that_contradicts_ends_with_11_and_shows_where() {
    let bench = Bench::new();
    bench.with("drop=2@7.3/ebpf");
    like_the_table(&bench);
    let check = ["report", "like.jsonl", "--conformance", "--check"];
    let said = bench.command(&check).code(11);
    insta::assert_snapshot!(said.stdout);
    insta::assert_snapshot!(said.stderr, @r"
    error: the run contradicts the committed conformance table, in 2 places
    help: mend what changed; or renew the table by `cargo xtask conformance`, and explain each row
    ");
    // Without the check it is only a report.
    bench.command(&check[..3]).code(0);
}

#[test]
fn a_lost_guest_is_no_measurement() {
    let bench = Bench::new();
    bench.with("lose@7.3/ebpf+default/absolute");
    bench.run(RUN).code(20);
    let report = |more: &[&str]| bench.command(&[&["report", "o", "--conformance"], more].concat());
    assert!(
        report(&["--check"])
            .code(20)
            .stdout
            .contains("No measurement")
    );
    let said = report(&["--format", "toml"]).code(20);
    assert_eq!(said.stdout, "");
    insta::assert_snapshot!(said.stderr, @r"
    error: a table has no gaps, and so many trials are no measurement: 1 (the first: 7.3/ebpf+default/absolute/closed/exact/0: lost)
    help: `execlab run --resume` runs again what broke on the host's side; of a lost guest the log says why
    ");
}

#[test]
fn a_run_of_which_the_table_says_nothing_ends_with_12() {
    let bench = Bench::new();
    bench
        .run(&["--kernels=6.1", "--backends=ebpf+tuned", "--execs=5"])
        .code(0);
    let said = bench
        .command(&["report", "o", "--conformance", "--check"])
        .code(12);
    insta::assert_snapshot!(said.stderr, @"error: no cell of the run is in the committed conformance table");
}

#[test]
fn what_is_printed_as_toml_or_json_holds_the_same_rows() {
    let bench = Bench::new();
    like_the_table(&bench);
    let print = |format| {
        let args = ["report", "like.jsonl", "--conformance", "--format", format];
        bench.command(&args).code(0).stdout
    };
    let table: toml::Table = print("toml").parse().unwrap();
    let json: serde_json::Value = serde_json::from_str(&print("json")).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let lines =
            &table["class"][row["scenario"].as_str().unwrap()][row["backend"].as_str().unwrap()];
        let line = lines["5.10-7.3"].as_str().unwrap();
        for (facet, words) in row["class"].as_object().unwrap() {
            assert!(line.contains(&format!("{facet} {}", words.as_str().unwrap())));
        }
    }
    assert_eq!(print("explanations"), "");
    assert!(print("markdown").contains("| absolute | sees all | sees all |"));
}

#[test]
fn a_format_that_there_is_not_is_told_with_those_that_there_are() {
    let bench = Bench::new();
    bench
        .run(&["--kernels=6.1", "--backends=ebpf", "--execs=5"])
        .code(0);
    let said = bench
        .command(&["report", "o", "--conformance", "--format", "csv"])
        .code(22);
    insta::assert_snapshot!(said.stderr, @"error: unknown format of the conformance table `csv` (valid: …)");
    bench.command(&["report", "o", "--check"]).code(22);
    bench
        .command(&["report", "o", "--conformance", "--write"])
        .code(22);
}

#[test]
fn a_trial_of_the_plan_without_a_result_makes_no_table() {
    let bench = Bench::new();
    bench.run(RUN).code(0);
    let lines = bench.results("o");
    let kept: Vec<&TrialResult> = lines[..lines.len() - 1].iter().collect();
    let text: String = kept
        .iter()
        .map(|line| serde_json::to_string(line).unwrap() + "\n")
        .collect();
    bench.write("o/results.jsonl", &text);
    bench
        .command(&["report", "o", "--conformance", "--format", "toml"])
        .code(14);
}
