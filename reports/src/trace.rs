//! The run itself as a Chrome trace, which Perfetto opens: which trial ran when, on which worker.
//!
//! Times are those of the host ([`TrialResult::host`]: `began_ms`, `worker`, `wall_with_tries_ms`), and say nothing of a
//! guest's time. What was run by an execlab that did not keep them is left out, and counted.

use execlab_model::result::TrialResult;
use serde_json::{Value, json};

use crate::{
    bound::bounded,
    metric::{METRICS, Place, Reading},
    text::{clean, json as written},
};

/// When a trial ran: milliseconds since 1970, worker, milliseconds.
struct Slice<'t> {
    trial: &'t TrialResult,
    began_ms: u64,
    worker: u64,
    wall_ms: u64,
}

impl<'t> Slice<'t> {
    fn of(trial: &'t TrialResult) -> Option<Self> {
        let get = |name: &str| trial.host.get(name).and_then(Value::as_u64);
        Some(Self {
            trial,
            began_ms: get("began_ms")?,
            worker: get("worker")?,
            wall_ms: get("wall_with_tries_ms").or_else(|| get("wall_ms"))?,
        })
    }
}

/// The document.
pub fn trace(results: &[TrialResult]) -> String {
    let bounded = bounded(results);
    let mut slices: Vec<Slice<'_>> = bounded.iter().filter_map(Slice::of).collect();
    slices.sort_by_key(|s| (s.began_ms, s.worker, s.trial.trial.clone()));
    let first = slices.first().map_or(0, |slice| slice.began_ms);
    let mut workers: Vec<u64> = slices.iter().map(|slice| slice.worker).collect();
    workers.sort_unstable();
    workers.dedup();
    let mut events = vec![
        json!({"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "execlab run"}}),
    ];
    for worker in workers {
        let name = format!("worker {worker}");
        events.push(json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": worker, "args": {"name": name}}));
    }
    for slice in &slices {
        events.push(event(slice, first));
    }
    written(&json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "began_unix_ms": first,
            "trials_without_times": bounded.len() - slices.len(),
        },
        "traceEvents": events,
    }))
}

/// Times of a trace are in microseconds.
fn event(slice: &Slice<'_>, first: u64) -> Value {
    let trial = slice.trial;
    let mut args = serde_json::Map::new();
    args.insert("status".into(), trial.status.as_str().into());
    if let Some(reason) = &trial.reason {
        args.insert("reason".into(), clean(reason).into());
    }
    args.insert("digest".into(), clean(&trial.digest).into());
    for name in ["start", "tries", "cached"] {
        match trial.host.get(name) {
            Some(Value::String(text)) => args.insert(name.into(), clean(text).into()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                args.insert(name.into(), value.clone())
            }
            _ => None,
        };
    }
    for metric in METRICS.iter().filter(|m| m.place == Place::Column) {
        match metric.of(trial) {
            Some(Reading::Number(number)) => args.insert(metric.id.into(), number.into()),
            Some(Reading::Word(word)) => args.insert(metric.id.into(), word.into()),
            None => None,
        };
    }
    json!({
        "name": clean(&trial.trial),
        "cat": trial.status.as_str(),
        "ph": "X",
        "pid": 1,
        "tid": slice.worker,
        "ts": slice.began_ms.saturating_sub(first).saturating_mul(1000),
        "dur": slice.wall_ms.saturating_mul(1000),
        "args": args,
    })
}
