//! What may become a baseline, and what becomes of one.

use super::{MATRIX, bench, json};
use crate::support::Bench;

#[test]
fn baselines_are_saved_whole_and_overwritten_only_when_asked() {
    let bench = bench();
    let listed = bench
        .command(&["baseline", "list", "--format=json"])
        .code(0);
    let heads = json(&listed);
    assert_eq!(heads[0]["name"], "main");
    assert_eq!(
        heads[0]["backends"],
        serde_json::json!(["ebpf+default", "netlink+default"])
    );
    assert_eq!(heads[0]["seeds"], serde_json::json!([0, 1, 2, 3]));
    assert_eq!(heads[0]["matrix"]["execs"], 100);
    let said = bench
        .command(&["baseline", "save", "main", "base"])
        .code(22);
    assert!(
        said.stderr
            .starts_with("error: there is a baseline `main` already, saved 20"),
        "{}",
        said.stderr
    );
    bench
        .command(&["baseline", "save", "main", "base", "--force"])
        .code(0);
    for name in ["", "../x", ".x", "a b", "-x"] {
        bench
            .command(&["baseline", "save", "--", name, "base"])
            .code(22);
    }
    bench
        .command(&["baseline", "save", "main", "base", "--dir=elsewhere"])
        .code(0);
    bench
        .command(&["compare", "main", "base", "--dir=elsewhere"])
        .code(0);
    bench
        .command(&["baseline", "rm", "main", "--dir=elsewhere"])
        .code(0);
    bench
        .command(&["baseline", "show", "main", "--dir=elsewhere"])
        .code(12);
    bench
        .command(&["baseline", "rm", "main", "--dir=elsewhere"])
        .code(12);
    let none = bench
        .command(&["baseline", "list", "--dir=elsewhere", "--format=json"])
        .code(0);
    assert_eq!(json(&none), serde_json::json!([]));
    // What is left of a file that was cut off is no baseline.
    let path = bench.path("execlab-baselines/main.jsonl.gz");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    bench.command(&["compare", "main", "base"]).code(12);
    // And where a file has the name of a baseline, nothing is guessed.
    std::fs::write(&path, &bytes).unwrap();
    std::fs::create_dir(bench.path("main")).unwrap();
    let said = bench.command(&["compare", "main", "base"]).code(22);
    assert!(
        said.stderr.contains("write `./main` for the file"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_run_with_gaps_becomes_a_baseline_only_when_asked() {
    let bench = Bench::new();
    bench.with("infra@ebpf").run_in("gaps", MATRIX).code(14);
    let said = bench
        .command(&["baseline", "save", "main", "gaps"])
        .code(14);
    assert!(
        said.stderr.contains("4 of 12 trials failed"),
        "{}",
        said.stderr
    );
    assert!(!bench.path("execlab-baselines").exists());
    bench
        .command(&["baseline", "save", "main", "gaps", "--incomplete"])
        .code(0);
    bench.with("").run_in("whole", MATRIX).code(0);
    // Its gaps are no figures to compare with.
    bench.command(&["compare", "main", "whole"]).code(12);
    bench.with("lose@ebpf").run_in("lost", MATRIX).code(20);
    bench
        .command(&["baseline", "save", "other", "lost"])
        .code(20);
}

#[test]
fn a_run_that_did_not_repeat_is_no_baseline_at_all_and_fails_within_itself() {
    let bench = Bench::new();
    let twice = [&MATRIX[..5], &["--verify=all"]].concat();
    bench
        .with("again=1@netlink")
        .run_in("shaky", &twice)
        .code(15);
    for more in [None, Some("--incomplete")] {
        let save = ["baseline", "save", "main", "shaky"]
            .into_iter()
            .chain(more);
        let said = bench.command(&save.collect::<Vec<_>>()).code(15);
        assert!(
            said.stderr.contains("not deterministic: "),
            "{}",
            said.stderr
        );
    }
    assert!(!bench.path("execlab-baselines").exists());
    // Also of two of its backends, where one of them is the one.
    bench
        .command(&["compare", "shaky", "--ab=ebpf,netlink"])
        .code(15);
    bench
        .command(&["compare", "shaky", "--ab=ebpf,ebpf"])
        .code(0);
    let said = bench
        .command(&["compare", "shaky", "--ab=netlink,ebpf"])
        .code(12);
    assert!(
        said.stdout.contains("the base is none: "),
        "{}",
        said.stdout
    );
}
