//! What other programs take of a run: points for dashboards, the trace, the summary of a step.

use serde_json::Value;

use crate::support::{Bench, SMALL};

#[test]
fn a_run_is_printed_in_the_formats_of_dashboards() {
    let bench = Bench::new();
    bench.with("drop=5@proc-poll").run(SMALL).code(0);
    let report = |format: &str| -> Value {
        let said = bench.command(&["report", "o", "--format", format]).code(0);
        serde_json::from_str(&said.stdout).unwrap()
    };
    let bigger = report("github-bigger");
    assert_eq!(
        bigger[0]["name"],
        "6.1/proc-poll+default/absolute/closed/exact completeness"
    );
    assert_eq!(bigger[0]["value"], 0.8);
    let smaller = report("github-smaller");
    let mut names = smaller
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap());
    assert!(names.clone().any(|n| n.ends_with("/exact added_per_exec")));
    assert_eq!(names.next_back().unwrap(), "execlab not_completed");
    let bencher = report("bencher");
    assert_eq!(bencher["execlab"]["not_completed"]["value"], 0.0);
    assert!(
        bencher["6.1/proc-poll+default/absolute/closed/exact"]["latency_p99"]["value"].is_number()
    );
}

#[test]
fn the_trace_of_a_run_has_every_trial_on_one_of_its_workers() {
    let bench = Bench::new();
    bench.run(&["--execs=5", "--seeds=2", "-j", "3"]).code(0);
    let said = bench.command(&["report", "o", "--format=trace"]).code(0);
    let trace: Value = serde_json::from_str(&said.stdout).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let slices: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X").collect();
    assert_eq!(slices.len(), bench.results("o").len());
    assert_eq!(trace["otherData"]["trials_without_times"], 0);
    let workers = 1..=3;
    let on_one = |s: &&Value| workers.contains(&s["tid"].as_u64().unwrap());
    assert!(slices.iter().all(on_one));
    // What runs on one worker runs one after the other, but for the last digit of a millisecond.
    for worker in workers {
        let own = slices.iter().filter(|s| s["tid"] == worker);
        let mut ends = 0.0;
        for slice in own {
            let (began, took) = (
                slice["ts"].as_f64().unwrap(),
                slice["dur"].as_f64().unwrap(),
            );
            assert!(began + 2_000.0 > ends, "{slice}");
            ends = began + took;
        }
    }
}

#[test]
fn a_step_summary_is_added_where_github_wants_it_and_says_what_to_type() {
    let bench = Bench::new();
    bench.write("step.md", "before\n");
    bench.set("GITHUB_STEP_SUMMARY", "step.md");
    bench.with("infra@proc-poll").run(SMALL).code(14);
    let text = std::fs::read_to_string(bench.path("step.md")).unwrap();
    assert!(
        text.starts_with("before\n## execlab: 1 completed, 1 infra"),
        "{text}"
    );
    assert!(text.contains("    execlab run --resume o\n"), "{text}");
    // The command does what the summary says.
    bench.with("").command(&["run", "--resume", "o"]).code(0);
    let after = std::fs::read_to_string(bench.path("step.md")).unwrap();
    assert!(
        after.starts_with(&text) && after.contains("## execlab: 2 completed"),
        "{after}"
    );
    bench
        .command(&["report", "o", "--step-summary=other.md"])
        .code(0);
    let other = std::fs::read_to_string(bench.path("other.md")).unwrap();
    assert_eq!(text.len() + other.len(), after.len());
    bench
        .command(&["report", "o", "--step-summary=nowhere/x"])
        .code(21);
}
