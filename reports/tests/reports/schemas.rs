//! The schemas that are checked in are those of the types; `UPDATE_SCHEMA=1` writes them anew.

use std::{env, fs, path::PathBuf};

use execlab_reports::schema;
use serde_json::Value;

fn compare(name: &str, made: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("schema")
        .join(name);
    if env::var_os("UPDATE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(made).unwrap() + "\n";
        fs::write(&path, text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap();
    // Values and not texts: the order of keys depends on features of other crates in the build.
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert!(
        stored == *made,
        "schema/{name} is out of date: run this test with UPDATE_SCHEMA=1 and look at the difference"
    );
}

#[test]
fn the_schema_of_a_result_is_the_one_checked_in() {
    compare("results.schema.json", &schema::results());
}

#[test]
fn the_schema_of_a_summary_is_the_one_checked_in() {
    compare("summary.schema.json", &schema::summary());
}

#[test]
fn the_schema_of_a_comparison_is_the_one_checked_in() {
    compare("across.schema.json", &schema::across());
}

#[test]
fn the_schema_of_a_gate_is_the_one_checked_in() {
    compare("gate.schema.json", &schema::gate());
}

#[test]
fn the_schema_of_a_conformance_table_is_the_one_checked_in() {
    compare("conformance.schema.json", &schema::conformance());
}

#[test]
fn the_schema_of_a_replay_is_the_one_checked_in() {
    compare("replay.schema.json", &schema::replay());
}

#[test]
fn the_schema_of_a_timeline_is_the_one_checked_in() {
    compare("trace.schema.json", &schema::trace());
}

#[test]
fn the_schema_of_a_decision_is_the_one_checked_in() {
    compare("decision.schema.json", &schema::decision());
}

#[test]
fn the_schema_of_a_search_is_the_one_checked_in() {
    compare("find.schema.json", &schema::find());
}

#[test]
fn the_schema_of_a_monitors_line_is_the_one_checked_in() {
    compare("monitor.schema.json", &schema::monitor());
}

#[test]
fn the_contract_of_a_line_is_in_the_schema() {
    let schema = schema::results();
    for name in [
        "schema",
        "trial",
        "digest",
        "status",
        "reason",
        "late",
        "kernel",
        "lab",
        "cpus",
        "backend",
        "workload",
        "seed",
        "achieved_rate",
        "truth",
        "completeness",
        "path",
        "argv",
        "pid",
        "container",
        "loss",
        "cost",
        "latency",
        "memory",
    ] {
        assert!(schema["properties"][name].is_object(), "{name}");
    }
    assert!(schema["$defs"]["Loss"]["properties"]["true"].is_object());
}
