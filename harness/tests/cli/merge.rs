//! Parts of a plan, run apart and put together.

use std::collections::BTreeMap;

use execlab_model::{
    repeat::{Repeat, Verdict},
    result::TrialResult,
};
use proptest::prelude::*;

use crate::support::Bench;

const MATRIX: &[&str] = &[
    "--kernels=5.10,6.1",
    "--backends=audit,proc-poll,netlink",
    "--workloads=absolute,relative",
    "--execs=5",
    "--verify=none",
];

fn parts(bench: &Bench, by: &str, parts: u32) -> Vec<String> {
    (1..=parts)
        .map(|part| {
            let (dir, partition) = (
                format!("{by}-{part}"),
                format!("--partition={by}:{part}/{parts}"),
            );
            bench
                .run_in(&dir, &[MATRIX, &[&partition]].concat())
                .code(0);
            dir
        })
        .collect()
}

fn merge<'a>(bench: &Bench, out: &'a str, parts: &[impl AsRef<str> + 'a]) -> crate::support::Said {
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    bench.command(&[&["merge", "--out", out], parts.as_slice()].concat())
}

/// All that a run is for, by name: trials end in any order.
fn figures(lines: Vec<TrialResult>) -> BTreeMap<String, TrialResult> {
    let without_host = |line: TrialResult| {
        let line = TrialResult {
            host: BTreeMap::new(),
            ..line
        };
        (line.trial.clone(), line)
    };
    lines.into_iter().map(without_host).collect()
}

#[test]
fn all_parts_together_are_the_run_that_was_not_divided() {
    let bench = Bench::new();
    bench.run_in("whole", MATRIX).code(0);
    for by in ["slice", "hash"] {
        let parts = parts(&bench, by, 3);
        let sizes: Vec<usize> = parts.iter().map(|dir| bench.results(dir).len()).collect();
        assert!(
            sizes.iter().all(|&n| n < bench.results("whole").len()),
            "{sizes:?}"
        );
        let out = format!("merged-{by}");
        merge(&bench, &out, &parts).code(0);
        let (merged, whole) = (bench.results(&out), bench.results("whole"));
        assert!(figures(merged) == figures(whole), "by {by}");
        assert_eq!(bench.plan(&out).shard, None);
        let logs = bench
            .files(&out)
            .iter()
            .filter(|f| f.ends_with(".serial.log"))
            .count();
        assert_eq!(logs, bench.results("whole").len());
        // Baselines that several parts ran have to be the same.
        assert!(
            bench
                .repeats(&out)
                .iter()
                .all(|r| r.verdict == Verdict::Same)
        );
    }
    assert!(!bench.repeats("merged-slice").is_empty());
}

#[test]
fn a_missing_part_is_an_incomplete_run_that_can_be_gone_on_with() {
    let bench = Bench::new();
    let mut parts = parts(&bench, "hash", 3);
    parts.remove(1);
    let said = merge(&bench, "m", &parts).code(14);
    assert!(
        said.stderr.contains("warning: part hash:2/3 is missing"),
        "{}",
        said.stderr
    );
    bench.command(&["run", "--resume", "m"]).code(0);
    bench.run_in("whole", MATRIX).code(0);
    assert!(figures(bench.results("m")) == figures(bench.results("whole")));
}

#[test]
fn what_is_no_part_of_one_whole_is_refused() {
    let bench = Bench::new();
    let three = parts(&bench, "slice", 3);
    bench.run_in("whole", MATRIX).code(0);
    let other = |dir: &str, arguments: &[&str]| {
        bench.run_in(dir, &[MATRIX, arguments].concat()).code(0);
    };
    other("two", &["--partition=slice:2/2"]);
    other("hash", &["--partition=hash:2/3"]);
    other("more", &["--partition=slice:2/3", "--population=1"]);
    bench.with("changed@");
    let refused = |parts: &[&str]| {
        let said = merge(&bench, "m", parts).code(22);
        assert!(!bench.path("m").exists());
        said.stderr.lines().next().unwrap_or_default().to_owned()
    };
    let said = [
        refused(&["slice-1", "whole"]),
        refused(&["slice-1", "two"]),
        refused(&["slice-1", "hash"]),
        refused(&["slice-1", "more"]),
        refused(&["slice-1", "slice-2", "slice-1"]),
        refused(&["slice-1", "nothing"]),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    error: whole is a whole run and no part of one
    error: slice-1 is part slice:1/3 and two is part slice:2/2: they were not divided in the same way
    error: slice-1 is part slice:1/3 and hash is part hash:2/3: they were not divided in the same way
    error: slice-1 and more are parts of different plans
    error: slice-1 and slice-1 are both part slice:1/3
    error: nothing holds no run: it has no results.jsonl
    "#);
    assert_eq!(three.len(), 3);
}

#[test]
fn a_plan_of_another_version_is_refused() {
    let bench = Bench::new();
    let parts = parts(&bench, "slice", 2);
    let path = bench.path("slice-2/plan.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let version = format!("\"execlab\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    std::fs::write(&path, text.replace(&version, "\"execlab\": \"0.0.9\"")).unwrap();
    let said = merge(&bench, "m", &parts).code(22);
    insta::assert_snapshot!(said.stderr, @r#"
    error: slice-2 was planned by execlab 0.0.9, and this is 0.1.0, which plans otherwise
    help: give the directories of all parts of one `execlab run --partition`, from one version of execlab
    "#);
}

#[test]
fn parts_whose_common_trials_differ_do_not_repeat() {
    let bench = Bench::new();
    let mut dirs = parts(&bench, "slice", 2);
    bench.with("jitter@none");
    bench
        .run_in("other", &[MATRIX, &["--partition=slice:2/2"]].concat())
        .code(0);
    dirs[1] = "other".into();
    let said = merge(&bench, "m", &dirs).code(15);
    assert!(said.stderr.contains("not deterministic"), "{}", said.stderr);
}

#[test]
fn more_parts_than_trials_leave_some_empty() {
    let bench = Bench::new();
    let small = |part: u32| {
        let (dir, partition) = (format!("p{part}"), format!("--partition=slice:{part}/3"));
        let said = bench
            .run_in(&dir, &[crate::support::SMALL, &[&partition]].concat())
            .code(0);
        (dir, said)
    };
    let all: Vec<_> = (1..=3).map(small).collect();
    assert!(
        all[2]
            .1
            .stderr
            .contains("note: nothing of the plan is in part slice:3/3")
    );
    let dirs: Vec<&String> = all.iter().map(|(dir, _)| dir).collect();
    merge(&bench, "m", &dirs).code(0);
    assert_eq!(bench.results("m").len(), 2);
}

#[test]
fn a_part_is_gone_on_with_as_a_part() {
    let bench = Bench::new();
    bench
        .with("infra@5.10/audit")
        .run_in("p", &[MATRIX, &["--partition=slice:1/2"]].concat())
        .code(14);
    bench.with("").command(&["run", "--resume", "p"]).code(0);
    let said = bench.command(&[&["run", "--resume", "p"], MATRIX].concat());
    said.code(0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn wrong_parts_are_told_with_what_is_right(text in "[a-z:0-9/]{0,8}") {
        prop_assume!(text.parse::<execlab_harness::plan::Partition>().is_err());
        let bench = Bench::new();
        let said = bench.run(&[&format!("--partition={text}")]).code(22);
        prop_assert!(said.stderr.contains("slice:M/N"), "{}", said.stderr);
    }
}

#[test]
fn parts_that_were_cut_off_while_they_were_verified_are_incomplete() {
    let bench = Bench::new();
    for part in 1..=2 {
        let partition = format!("--partition=slice:{part}/2");
        let dir = format!("slice-{part}");
        bench
            .run_in(
                &dir,
                &[&MATRIX[..4], &[&partition, "--verify=all"]].concat(),
            )
            .code(0);
    }
    std::fs::write(bench.path("slice-1").join("verify.jsonl"), "").unwrap();
    let said = merge(&bench, "m", &["slice-1", "slice-2"]).code(14);
    assert!(
        said.stderr.contains("to be run again and were not"),
        "{}",
        said.stderr
    );
    bench.command(&["run", "--resume", "m"]).code(0);
    let again: std::collections::BTreeSet<_> =
        bench.repeats("m").into_iter().map(|r| r.trial).collect();
    assert_eq!(again.len(), bench.results("m").len());
}

#[test]
fn a_part_has_a_sample_of_its_own_though_it_shares_trials_with_others() {
    let bench = Bench::new();
    // More than 32 lines and one baseline: others would be repeated by being in both parts.
    let listed = bench
        .command(&["list", "backends", "--format=json"])
        .code(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let names = listed.as_array().unwrap().iter();
    let names: Vec<&str> = names
        .filter_map(|backend| backend["name"].as_str())
        .filter(|name| *name != "none" && !name.starts_with("audit"))
        .collect();
    let backends = format!("--backends={}", names.join(","));
    let dirs = [1, 2].map(|part| {
        let (dir, partition) = (format!("s-{part}"), format!("--partition=slice:{part}/2"));
        let matrix = [
            "--kernels=6.1",
            &backends,
            "--workloads=absolute",
            "--execs=5",
        ];
        bench
            .run_in(&dir, &[&matrix[..], &[&partition]].concat())
            .code(0);
        dir
    });
    // Both have chosen the same baseline, and nothing else.
    let baseline = "6.1/none/absolute/closed/exact/0";
    for dir in &dirs {
        let line = bench.results(dir).into_iter().find(|l| l.trial == baseline);
        let digest = line.expect("each part has its baselines").digest;
        let repeats = bench.repeats(dir);
        assert_eq!(repeats.len(), 1, "one in 32");
        let repeat = Repeat {
            trial: baseline.to_owned(),
            digest,
            ..repeats.into_iter().next().unwrap()
        };
        let text = serde_json::to_string(&repeat).unwrap() + "\n";
        std::fs::write(bench.path(dir).join("verify.jsonl"), text).unwrap();
    }
    merge(&bench, "m", &dirs).code(0);
    assert!(
        bench.results("m").len() > 32,
        "the whole has a sample of two"
    );
}

#[test]
fn what_was_compared_with_a_broken_baseline_is_run_again() {
    let bench = Bench::new();
    let arguments = |part: u32| format!("--partition=slice:{part}/2");
    bench
        .with("infra@5.10/none/absolute")
        .run_in("one", &[MATRIX, &[&arguments(1)]].concat())
        .code(14);
    bench
        .with("")
        .run_in("two", &[MATRIX, &[&arguments(2)]].concat())
        .code(0);
    merge(&bench, "m", &["one", "two"]).code(14);
    bench.command(&["run", "--resume", "m"]).code(0);
    let costs = bench.results("m");
    assert!(
        costs
            .iter()
            .all(|line| line.is_baseline() || line.cost.as_ref().unwrap().added_per_exec.is_some())
    );
}

#[test]
fn one_trial_of_two_inputs_is_refused() {
    let bench = Bench::new();
    let partition = |part: u32| format!("--partition=slice:{part}/2");
    bench
        .run_in("one", &[MATRIX, &[&partition(1)]].concat())
        .code(0);
    bench
        .with("changed@none")
        .run_in("two", &[MATRIX, &[&partition(2)]].concat())
        .code(0);
    let said = merge(&bench, "m", &["one", "two"]).code(22);
    assert!(said.stderr.contains("different inputs"), "{}", said.stderr);
}
