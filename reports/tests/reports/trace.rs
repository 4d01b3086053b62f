//! Traces: what is written reads back, and what readers would refuse is found.

use execlab_reports::trace::{Args, Event, Flaw, Micros, Phase, Trace, check};
use proptest::prelude::*;

const TRACK: (u32, u32) = (1, 7);
const OTHER: (u32, u32) = (2, 8);

/// Two groups with a track each, and these events.
fn trace(events: impl IntoIterator<Item = Event>) -> Trace {
    let mut all = Vec::new();
    for (pid, tid) in [TRACK, OTHER] {
        all.extend(Event::group(pid, "a group"));
        all.extend(Event::track((pid, tid), "a track"));
    }
    all.extend(events);
    Trace::new(all, Args::new())
}

fn slice(track: (u32, u32), from: u64, until: u64) -> Event {
    Event::slice("c", "slice", track, (from, until))
}

fn told(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let flaws = check(&trace(events));
    flaws.iter().map(ToString::to_string).collect()
}

#[test]
fn a_trace_in_order_is_written_event_by_event() {
    let arrow = Event::arrow("told", "seen", 3, (TRACK, 1_500), (OTHER, 2_001));
    let trace = trace(
        [
            slice(OTHER, 2_001, 3_001).with("path", "/a\u{9b}\u{202e}\"\\x"),
            slice(TRACK, 1_500, 1_600),
            slice(TRACK, 1_000, 1_600),
            Event::instant("missed", "missed #1", TRACK, 1_550),
            Event::counters("execs", TRACK, 1_000, &[("seen", 1)]),
        ]
        .into_iter()
        .chain(arrow),
    );
    assert_eq!(check(&trace), []);
    let json = trace.to_json();
    insta::assert_snapshot!(json, @r#"
    {"traceEvents":[
    {"name":"process_name","ph":"M","ts":0.0,"pid":1,"tid":0,"args":{"name":"a group"}},
    {"name":"process_sort_index","ph":"M","ts":0.0,"pid":1,"tid":0,"args":{"sort_index":1}},
    {"name":"thread_name","ph":"M","ts":0.0,"pid":1,"tid":7,"args":{"name":"a track"}},
    {"name":"thread_sort_index","ph":"M","ts":0.0,"pid":1,"tid":7,"args":{"sort_index":7}},
    {"name":"process_name","ph":"M","ts":0.0,"pid":2,"tid":0,"args":{"name":"a group"}},
    {"name":"process_sort_index","ph":"M","ts":0.0,"pid":2,"tid":0,"args":{"sort_index":2}},
    {"name":"thread_name","ph":"M","ts":0.0,"pid":2,"tid":8,"args":{"name":"a track"}},
    {"name":"thread_sort_index","ph":"M","ts":0.0,"pid":2,"tid":8,"args":{"sort_index":8}},
    {"name":"slice","cat":"c","ph":"X","ts":1.0,"dur":0.6,"pid":1,"tid":7},
    {"name":"execs","ph":"C","ts":1.0,"pid":1,"tid":7,"args":{"seen":1}},
    {"name":"slice","cat":"c","ph":"X","ts":1.5,"dur":0.1,"pid":1,"tid":7},
    {"name":"seen","cat":"told","ph":"s","ts":1.5,"pid":1,"tid":7,"id":3},
    {"name":"missed #1","cat":"missed","ph":"i","ts":1.55,"pid":1,"tid":7,"s":"t"},
    {"name":"slice","cat":"c","ph":"X","ts":2.001,"dur":1.0,"pid":2,"tid":8,"args":{"path":"/a\u009b\u202e\"\\x"}},
    {"name":"seen","cat":"told","ph":"f","ts":2.001,"pid":2,"tid":8,"id":3,"bp":"e"}
    ],"displayTimeUnit":"ns","otherData":{}}
    "#);
    assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
}

#[test]
fn what_readers_would_refuse_is_found() {
    assert_eq!(told([slice(TRACK, 0, 9), slice(TRACK, 0, 9)]), [""; 0]);
    let beyond = told([slice(TRACK, 0, 9), slice(TRACK, 5, 10)]);
    assert_eq!(
        beyond,
        ["slice 9 (slice) reaches beyond the one that it begins in"]
    );
    let arrow = |from, to| Event::arrow("c", "n", 1, (TRACK, from), (OTHER, to));
    let with = |arrow: Vec<Event>| {
        let slices = [slice(TRACK, 10, 20), slice(OTHER, 10, 20)];
        told(slices.into_iter().chain(arrow))
    };
    assert_eq!(with(arrow(10, 19).into()), [""; 0]);
    assert_eq!(with(arrow(12, 11).into()), ["arrow 1 goes back in time"]);
    assert_eq!(
        with(arrow(12, 20).into()),
        ["arrow 1 has an end outside of any slice"]
    );
    assert_eq!(
        with(arrow(12, 13)[..1].to_vec()),
        ["arrow 1 has not one begin and one end"]
    );
    let nameless = told([slice((1, 9), 0, 1), slice((3, 8), 0, 1)]);
    assert_eq!(
        nameless,
        [
            "track 9 of group 1 has no name",
            "track 8 of group 3 is of a group without a name",
            "track 8 of group 3 has no name",
        ]
    );
    let mut odd = slice(TRACK, 0, 1);
    odd.ph = Phase::Instant;
    assert_eq!(
        told([odd]),
        ["event 8 (slice) is no Instant: slices alone have a length"]
    );
    let mut back = trace([slice(TRACK, 0, 1), slice(TRACK, 5, 6)]);
    back.trace_events.swap(8, 9);
    assert!(matches!(
        check(&back).as_slice(),
        [Flaw::Order { at: 9, .. }]
    ));
}

proptest! {
    #[test]
    fn no_nanosecond_is_lost(ns in 0_u64..1_000_000_000_000_000) {
        let text = serde_json::to_string(&Micros::from_ns(ns)).unwrap();
        let (whole, rest) = text.split_once('.').unwrap_or((&text, "0"));
        prop_assert!(rest.len() <= 3, "{}", text);
        let read: u64 = whole.parse::<u64>().unwrap() * 1000 + format!("{rest:0<3}").parse::<u64>().unwrap();
        prop_assert_eq!(read, ns);
        prop_assert_eq!(serde_json::from_str::<Micros>(&text).unwrap().ns(), ns);
    }

    #[test]
    fn slices_are_nested_exactly_where_no_two_cross(
        spans in proptest::collection::vec((0_u64..12, 1_u64..8), 0..6),
    ) {
        let spans: Vec<_> = spans.into_iter().map(|(from, length)| (from, from + length)).collect();
        let cross = |a: (u64, u64), b: (u64, u64)| a.0 < b.0 && b.0 < a.1 && a.1 < b.1;
        let crossing = spans.iter().any(|&a| spans.iter().any(|&b| cross(a, b)));
        let flaws = told(spans.iter().map(|&(from, until)| slice(TRACK, from, until)));
        prop_assert_eq!(!flaws.is_empty(), crossing, "{:?}", flaws);
    }
}
