//! The run itself as a Chrome trace, which Perfetto opens: which trial ran when, on which worker.
//!
//! Times are those of the host ([`TrialResult::host`]: `began_ms`, `worker`, `wall_with_tries_ms`), and say nothing of a
//! guest's time. What was run by an execlab that did not keep them, or was not run but taken from the cache, is left out,
//! and counted.

use execlab_model::result::TrialResult;
use serde_json::Value;

use crate::{
    bound::bounded,
    metric::{METRICS, Place, Reading},
    text::clean,
    trace::{Event, Trace},
};

/// The group of all tracks.
const RUN: u32 = 1;
const NS_PER_MS: u64 = 1_000_000;

/// When a trial ran: milliseconds since 1970, worker, milliseconds.
struct Slice<'t> {
    trial: &'t TrialResult,
    began_ms: u64,
    worker: u32,
    wall_ms: u64,
}

impl<'t> Slice<'t> {
    fn of(trial: &'t TrialResult) -> Option<Self> {
        let get = |name: &str| trial.host.get(name).and_then(Value::as_u64);
        Some(Self {
            trial,
            began_ms: get("began_ms")?,
            worker: u32::try_from(get("worker")?).ok()?,
            wall_ms: get("wall_with_tries_ms").or_else(|| get("wall_ms"))?,
        })
    }

    fn track(&self) -> (u32, u32) {
        // Tracks are counted from 1: 0 is the group's own.
        (RUN, self.worker.saturating_add(1))
    }
}

/// The document.
pub fn run_trace(results: &[TrialResult]) -> String {
    let bounded = bounded(results);
    let slices: Vec<Slice<'_>> = bounded.iter().filter_map(Slice::of).collect();
    let first = slices.iter().map(|slice| slice.began_ms).min().unwrap_or(0);
    let mut events: Vec<Event> = Event::group(RUN, "execlab run").into();
    let mut workers: Vec<_> = slices
        .iter()
        .map(|slice| (slice.track(), slice.worker))
        .collect();
    workers.sort_unstable();
    workers.dedup();
    for (track, worker) in workers {
        events.extend(Event::track(track, &format!("worker {worker}")));
    }
    events.extend(slices.iter().map(|slice| event(slice, first)));
    let without = bounded.len() - slices.len();
    let about = [
        ("began_unix_ms".to_owned(), first.into()),
        ("trials_without_times".to_owned(), without.into()),
    ];
    Trace::new(events, about.into()).to_json()
}

fn event(slice: &Slice<'_>, first_ms: u64) -> Event {
    let trial = slice.trial;
    let ns = |ms: u64| ms.saturating_mul(NS_PER_MS);
    let began = ns(slice.began_ms.saturating_sub(first_ms));
    let times = (began, began.saturating_add(ns(slice.wall_ms)));
    let fact = |name: &str| match trial.host.get(name)? {
        Value::String(text) => Some(Value::from(clean(text))),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.clone()),
        _ => None,
    };
    let mut event = Event::slice(
        trial.status.as_str(),
        clean(&trial.trial),
        slice.track(),
        times,
    )
    .with("status", trial.status.as_str())
    .with_some("reason", trial.reason.as_deref().map(clean))
    .with("digest", clean(&trial.digest))
    .with_some("start", fact("start"))
    .with_some("tries", fact("tries"));
    for metric in METRICS.iter().filter(|m| m.place == Place::Column) {
        let value = metric.of(trial).map(|reading| match reading {
            Reading::Number(number) => Value::from(number),
            Reading::Word(word) => Value::from(word),
        });
        event = event.with_some(metric.id, value);
    }
    event
}
