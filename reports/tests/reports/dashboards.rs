//! What other programs take: points for dashboards, the trace of a run, the summary of a step.

#![allow(
    clippy::float_cmp,
    reason = "figures are handed on to the last digit, or not at all"
)]

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::result::{Status, TrialResult};
use execlab_reports::{
    bencher,
    dashboard::{Measure, Point},
    github_bigger, github_smaller, run_trace, step_summary,
    trace::{Trace, check},
};
use serde_json::{Value, json};

use crate::{
    fixture,
    hostile::{
        documents::markdown_shape,
        steers,
        texts::{TEXTS, run},
    },
};

/// Only the fields that the format has, with the types that it wants.
fn points(text: &str) -> BTreeMap<String, Point> {
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let mut named = BTreeMap::new();
    for value in all {
        for (key, value) in value.as_object().unwrap() {
            match key.as_str() {
                "name" | "unit" | "range" | "extra" => assert!(value.is_string(), "{key}"),
                "value" => assert!(value.is_number()),
                other => panic!("{other} is no field of the format"),
            }
        }
        let point: Point = serde_json::from_value(value).unwrap();
        let before = named.insert(point.name.clone(), point);
        assert_eq!(before, None, "a name is a key");
    }
    named
}

type Bmf = BTreeMap<String, BTreeMap<String, Measure>>;

fn measures(text: &str) -> Bmf {
    let all: Bmf = serde_json::from_str(text).unwrap();
    for (name, measures) in &all {
        assert!(!name.is_empty() && name.chars().count() <= 1024);
        for (id, measure) in measures {
            assert!(!id.is_empty() && id.len() <= 64);
            assert!(measure.lower_value.is_none_or(|low| low <= measure.value));
            assert!(measure.upper_value.is_none_or(|high| high >= measure.value));
        }
    }
    all
}

#[test]
fn a_cell_is_a_point_by_its_worst_seed_or_its_median() {
    let results = fixture::everything();
    let bigger = points(&github_bigger(&results));
    let seen = &bigger["6.1/netlink+default/relative/closed/exact completeness"];
    // Seeds 1 to 3 saw less and less.
    let shares = |t: &&TrialResult| t.backend.name == "netlink" && t.status == Status::Completed;
    let shares: Vec<f64> = results
        .iter()
        .filter(shares)
        .map(|t| t.completeness_share().unwrap())
        .collect();
    assert_eq!(shares.len(), 3);
    assert_eq!(seen.value, shares.iter().copied().fold(1.0, f64::min));
    assert_eq!(seen.unit, "share");
    assert_eq!(
        seen.range.as_deref(),
        Some(format!("{}..{}", shares[2], shares[0]).as_str())
    );
    let smaller = points(&github_smaller(&results));
    let cost = &smaller["6.1/netlink+default/relative/closed/exact added_per_exec"];
    let added = |seed| {
        let of =
            |t: &&TrialResult| t.backend.name == "netlink" && t.seed == seed && t.cost.is_some();
        results
            .iter()
            .find(of)
            .unwrap()
            .cost
            .as_ref()
            .unwrap()
            .added_per_exec
            .unwrap()
    };
    assert_eq!(cost.value, added(2));
    assert_eq!(cost.unit, "instructions per exec");
    assert_eq!(
        measures(&bencher(&results))["6.1/netlink+default/relative/closed/exact"]["added_per_exec"],
        Measure {
            value: added(2),
            lower_value: Some(added(1)),
            upper_value: Some(added(3)),
        }
    );
}

#[test]
fn what_failed_has_no_point_and_is_counted() {
    let results = fixture::everything();
    let failed = results
        .iter()
        .filter(|t| !matches!(t.status, Status::Completed | Status::Unsupported));
    let failed = failed.count() as f64;
    assert!(failed > 0.0);
    let smaller = points(&github_smaller(&results));
    assert_eq!(smaller["execlab not_completed"].value, failed);
    assert_eq!(
        measures(&bencher(&results))["execlab"]["not_completed"].value,
        failed
    );
    assert!(!smaller.keys().any(|name| name.contains("5.10/ptrace")));
    assert_eq!(points(&github_smaller(&[])).len(), 1);
    assert_eq!(github_bigger(&[]), "[]");
}

#[test]
fn names_stay_when_figures_seeds_and_hashes_change() {
    let results = fixture::realistic();
    let mut later = results.clone();
    for trial in &mut later {
        trial.seed += 7;
        trial.trial = trial.trial.replace("exact/1", "exact/8");
        trial.digest = "other".into();
        trial.kernel.sha256 = "ff".repeat(32);
        trial.kernel.release += "-1";
        if let Some(cost) = &mut trial.cost {
            cost.added_per_exec = cost.added_per_exec.map(|added| added * 1.5);
        }
    }
    let names = |results: &[TrialResult]| -> BTreeSet<String> {
        let smaller = points(&github_smaller(results)).into_keys();
        smaller
            .chain(points(&github_bigger(results)).into_keys())
            .collect()
    };
    assert_eq!(names(&results), names(&later));
    let benchmarks =
        |results: &[TrialResult]| measures(&bencher(results)).into_keys().collect::<Vec<_>>();
    assert_eq!(benchmarks(&results), benchmarks(&later));
}

/// The first matrix on two workers, one trial after the other.
fn timed() -> Vec<TrialResult> {
    let mut results = fixture::realistic();
    for (at, trial) in results.iter_mut().enumerate() {
        trial.host.insert(
            "began_ms".into(),
            json!(1_700_000_000_000_u64 + 50 * at as u64),
        );
        trial.host.insert("worker".into(), json!(at % 2));
        trial.host.insert("wall_ms".into(), json!(90));
        trial.host.insert("wall_with_tries_ms".into(), json!(95));
    }
    results
}

#[test]
fn a_trace_has_each_trial_on_its_worker_at_its_time() {
    let results = timed();
    let found: Value = serde_json::from_str(&run_trace(&results)).unwrap();
    let events = found["traceEvents"].as_array().unwrap();
    let slices: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X").collect();
    assert_eq!(slices.len(), results.len());
    for (at, line) in results.iter().enumerate() {
        let slice = slices.iter().find(|s| s["name"] == line.trial.as_str());
        let slice = slice.expect("each trial has a slice");
        assert_eq!(slice["ts"], 50_000.0 * at as f64);
        assert_eq!(slice["dur"], 95_000.0);
        assert_eq!(slice["tid"], 1 + at % 2);
    }
    let whole: Trace = serde_json::from_value(found.clone()).unwrap();
    assert_eq!(check(&whole), []);
    let threads = events.iter().filter(|e| e["name"] == "thread_name").count();
    assert_eq!(threads, 2);
    assert_eq!(slices[1]["args"]["completeness"], 1.0);
    assert_eq!(found["otherData"]["trials_without_times"], 0);
    let untimed: Value = serde_json::from_str(&run_trace(&fixture::realistic())).unwrap();
    assert_eq!(untimed["otherData"]["trials_without_times"], results.len());
}

#[test]
fn a_step_is_summed_up_with_what_to_type() {
    insta::assert_snapshot!(step_summary(
        &fixture::everything_with("odd"),
        &[],
        "out dir",
        1 << 20
    ));
}

#[test]
fn a_summary_never_takes_more_room_than_there_is() {
    let results = fixture::everything();
    let whole = step_summary(&results, &[], "o", 1 << 20);
    for room in [0, 10, 100, 1000, whole.len() - 1, whole.len()] {
        let text = step_summary(&results, &[], "o", room);
        assert!(text.len() <= room, "{} of {room}", text.len());
        assert_eq!(text == whole, room == whole.len());
    }
}

#[test]
fn no_text_of_others_is_more_than_text_to_them() {
    let documents = |text: &str| {
        let (results, repeats) = run(text);
        let summary = step_summary(&results, &repeats, text, 1 << 20);
        let others = [
            github_smaller(&results),
            github_bigger(&results),
            bencher(&results),
            run_trace(&results),
        ];
        (summary, others)
    };
    let plain = markdown_shape(&documents("plain").0);
    for (name, text) in TEXTS {
        let (summary, others) = documents(text);
        assert_eq!(steers(&summary), None, "{name}");
        assert_eq!(markdown_shape(&summary), plain, "{name}");
        for other in others {
            assert_eq!(steers(&other), None, "{name}");
            serde_json::from_str::<Value>(&other).unwrap();
        }
    }
}
