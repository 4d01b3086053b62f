//! What a reader of traces relies on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Phase, Trace};

/// Something that readers would refuse, drop or draw in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// An event has not what its kind needs, or has what its kind has not.
    #[error("event {at} ({name}) is no {kind:?}: {what}")]
    Kind {
        /// Its position.
        at: usize,
        /// Its name.
        name: String,
        /// Its kind.
        kind: Phase,
        /// What is wrong.
        what: &'static str,
    },
    /// Time goes back on a track.
    #[error("event {at} ({name}) comes before the one ahead of it on its track")]
    Order {
        /// Its position.
        at: usize,
        /// Its name.
        name: String,
    },
    /// Two slices of one track overlap, and neither lies in the other.
    #[error("slice {at} ({name}) reaches beyond the one that it begins in")]
    Nesting {
        /// Its position.
        at: usize,
        /// Its name.
        name: String,
    },
    /// An arrow has not two ends in two slices, the first before the second.
    #[error("arrow {id} {what}")]
    Arrow {
        /// Its id.
        id: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A track or a group has no name, or one track is in two groups.
    #[error("track {tid} of group {pid} {what}")]
    Track {
        /// The group.
        pid: u32,
        /// The track.
        tid: u32,
        /// What is wrong.
        what: &'static str,
    },
}

/// All that is wrong with a trace.
pub fn check(trace: &Trace) -> Vec<Flaw> {
    let mut flaws = kinds(trace);
    flaws.extend(names(trace));
    flaws.extend(order_and_nesting(trace));
    flaws.extend(arrows(trace));
    flaws
}

fn kinds(trace: &Trace) -> Vec<Flaw> {
    let wrong = |event: &Event| {
        let is = |kind| event.ph == kind;
        let rules = [
            (
                event.dur.is_some() == is(Phase::Slice),
                "slices alone have a length",
            ),
            (
                event.id.is_some() == (is(Phase::ArrowBegin) || is(Phase::ArrowEnd)),
                "arrows alone have an id",
            ),
            (
                event.bp.as_deref() == is(Phase::ArrowEnd).then_some("e"),
                "ends of arrows alone bind to the slice around them",
            ),
            (
                event.s.as_deref() == is(Phase::Instant).then_some("t"),
                "moments alone have a scope",
            ),
            (
                !is(Phase::Counter)
                    || !event.args.is_empty() && event.args.values().all(serde_json::Value::is_u64),
                "counters are numbers",
            ),
            (!event.name.is_empty(), "it has no name"),
        ];
        rules.into_iter().find(|(holds, _)| !holds)
    };
    let events = trace.trace_events.iter().enumerate();
    events
        .filter_map(|(at, event)| {
            wrong(event).map(|(_, what)| Flaw::Kind {
                at,
                name: event.name.clone(),
                kind: event.ph,
                what,
            })
        })
        .collect()
}

fn names(trace: &Trace) -> Vec<Flaw> {
    let (named, used): (Vec<_>, Vec<_>) = trace
        .trace_events
        .iter()
        .partition(|event| event.ph == Phase::Metadata);
    let tracks = |name: &str, events: &[&Event]| -> BTreeSet<(u32, u32)> {
        let of_name = events.iter().filter(|e| name.is_empty() || e.name == name);
        of_name.map(|e| (e.pid, e.tid)).collect()
    };
    let groups = tracks("process_name", &named);
    let known = tracks("thread_name", &named);
    let mut of_tid = BTreeMap::new();
    let mut flaws = Vec::new();
    for (pid, tid) in tracks("", &used) {
        let mut flaw = |what| flaws.push(Flaw::Track { pid, tid, what });
        if !groups.contains(&(pid, 0)) {
            flaw("is of a group without a name");
        }
        if !known.contains(&(pid, tid)) {
            flaw("has no name");
        }
        if *of_tid.entry(tid).or_insert(pid) != pid {
            flaw("is in two groups");
        }
    }
    flaws
}

fn order_and_nesting(trace: &Trace) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut last = BTreeMap::new();
    let mut open: BTreeMap<(u32, u32), Vec<u64>> = BTreeMap::new();
    for (at, event) in trace.trace_events.iter().enumerate() {
        if event.ph == Phase::Metadata {
            continue;
        }
        let (track, now) = ((event.pid, event.tid), event.ts.ns());
        let name = event.name.clone();
        if last.insert(track, now).is_some_and(|before| before > now) {
            flaws.push(Flaw::Order { at, name });
            continue;
        }
        let Some(length) = event.dur else { continue };
        let open = open.entry(track).or_default();
        open.retain(|&end| end > now);
        let end = now + length.ns();
        if open.last().is_some_and(|&around| end > around) {
            flaws.push(Flaw::Nesting { at, name });
        }
        open.push(end);
    }
    flaws
}

fn arrows(trace: &Trace) -> Vec<Flaw> {
    let mut slices: BTreeMap<(u32, u32), Vec<(u64, u64)>> = BTreeMap::new();
    let mut ends: BTreeMap<u64, [Vec<&Event>; 2]> = BTreeMap::new();
    for event in &trace.trace_events {
        let place = match event.ph {
            Phase::Slice => {
                let from = event.ts.ns();
                let until = from + event.dur.map_or(0, super::Micros::ns);
                let of_track = slices.entry((event.pid, event.tid)).or_default();
                of_track.push((from, until));
                continue;
            }
            Phase::ArrowBegin => 0,
            Phase::ArrowEnd => 1,
            Phase::Metadata | Phase::Instant | Phase::Counter => continue,
        };
        if let Some(id) = event.id {
            ends.entry(id).or_default()[place].push(event);
        }
    }
    let lies_in_slice = |event: &Event| {
        let of_track = slices.get(&(event.pid, event.tid)).map(Vec::as_slice);
        let of_track = of_track.unwrap_or_default();
        let now = event.ts.ns();
        // Slices of a track are in the order of their begin; those that lie in others are short.
        let begun = of_track.partition_point(|&(from, _)| from <= now);
        of_track[..begun]
            .iter()
            .rev()
            .any(|&(_, until)| until > now)
    };
    let wrong = |[begins, ends]: &[Vec<&Event>; 2]| match (begins.as_slice(), ends.as_slice()) {
        ([begin], [end]) => {
            if begin.name != end.name || begin.cat != end.cat {
                Some("has ends of two names")
            } else if begin.ts.ns() > end.ts.ns() {
                Some("goes back in time")
            } else if !lies_in_slice(begin) || !lies_in_slice(end) {
                Some("has an end outside of any slice")
            } else {
                None
            }
        }
        _ => Some("has not one begin and one end"),
    };
    ends.iter()
        .filter_map(|(&id, ends)| wrong(ends).map(|what| Flaw::Arrow { id, what }))
        .collect()
}
