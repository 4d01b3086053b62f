//! What disturbs measurements in real time, as far as this machine tells.

use std::{collections::BTreeMap, fs};

use execlab_trial::host::cpu::Processors;
use serde_json::{Value, json};

/// What happened since `before`: time that was taken from this machine, the range of frequencies, and how
/// busy it is.
pub(super) fn since(before: Processors) -> BTreeMap<String, Value> {
    let now = Processors::look();
    let mut facts = BTreeMap::new();
    let mut say = |name: &str, value| facts.insert(name.to_owned(), value);
    say(
        "steal_ns",
        json!(now.steal_ns.saturating_sub(before.steal_ns)),
    );
    let ranges = [before.khz, now.khz];
    let lowest = ranges.iter().flatten().map(|range| range.0).min();
    let highest = ranges.iter().flatten().map(|range| range.1).max();
    if let Some(range) = lowest.zip(highest) {
        say("frequency_khz", json!([range.0, range.1]));
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = load
        .split(' ')
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    if let Some(load) = first {
        say("load_average", json!(load));
    }
    facts
}
