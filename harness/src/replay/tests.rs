//! Timelines of storms that were made up, with planted faults.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{record::Record, result::PathClass};
use execlab_reports::trace::{Args, Event, Phase, Trace, check};
use proptest::{prelude::*, sample::select};

use super::{
    draw::draw,
    tell::story,
    timeline::{Became, Timeline},
};
use crate::score::{
    calibration::{Fault, LossFault, Scene, Shape, plant, truth},
    judge,
    matching::Fate,
};

const BEST: [PathClass; 1] = [PathClass::Exact];

fn records() -> impl Strategy<Value = Record> {
    let size = (0_u32..40, 1_u32..12, 0_u32..10, 1_u32..4);
    let scene = (0_u32..3, select(Scene::SMALL.to_vec()), 0_u32..3);
    let shape = (size, scene).prop_map(
        |((execs, at_once, more_pids, per_process), (containers, scene, attempts))| Shape {
            execs,
            at_once,
            pids: at_once + more_pids,
            per_process,
            containers,
            scene,
            attempts,
        },
    );
    let share = || 0_u16..=1_000;
    let fault = prop_oneof![
        share().prop_map(Fault::Drop),
        (share(), 0_u64..1_000_000).prop_map(|(share, by)| Fault::Duplicate(share, by)),
        (share(), 0_u64..2_000_000_000).prop_map(|(share, by)| Fault::Delay(share, by)),
        share().prop_map(Fault::Late),
        (1_usize..20).prop_map(Fault::Reorder),
        select(vec![
            LossFault::Exact,
            LossFault::Uncounted,
            LossFault::OutsideToo(3)
        ])
        .prop_map(Fault::Loss),
    ];
    let faults = proptest::collection::vec(fault, 0..4);
    (shape, faults, any::<u64>(), any::<bool>()).prop_map(|(shape, faults, seed, lies)| {
        let truth = truth(&shape, seed);
        let mut record = plant(&truth, &faults, seed).into_record(truth);
        if lies && let Some(sighting) = record.sightings.first_mut() {
            // A monitor's times are its own word.
            sighting.received_ns = u64::MAX;
        }
        record
    })
}

fn drawn(timeline: &Timeline<'_>) -> Trace {
    draw(timeline, None, Args::new())
}

fn of<'t>(trace: &'t Trace, category: &str) -> Vec<&'t Event> {
    let events = trace.trace_events.iter();
    let is = |event: &&Event| event.cat.as_deref() == Some(category);
    events.filter(is).collect()
}

fn numbers(events: &[&Event], name: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = events
        .iter()
        .map(|e| e.args[name].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_drawn_once_where_readers_expect_it(record in records()) {
        let timeline = Timeline::new(&record, true);
        let trace = drawn(&timeline);
        prop_assert_eq!(check(&trace), []);
        let mut ids: Vec<u64> = record.truth.execs.iter().map(|exec| exec.id.into()).collect();
        ids.sort_unstable();
        prop_assert_eq!(numbers(&of(&trace, "exec"), "exec"), ids);
        let all: Vec<u64> = (0..record.sightings.len() as u64).collect();
        prop_assert_eq!(numbers(&of(&trace, "sighting"), "sighting"), all);
        prop_assert_eq!(of(&trace, "loss").len(), record.losses.len());
        let missed = of(&trace, "missed").len() as u64;
        prop_assert_eq!(missed, judge(&record, &BEST).completeness.missed);
        let json = trace.to_json();
        prop_assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
    }

    #[test]
    fn figures_are_those_of_the_judge(record in records()) {
        let judged = judge(&record, &BEST);
        let timeline = Timeline::new(&record, true);
        let totals = timeline.totals(&BEST).unwrap();
        let counted = judged.completeness;
        prop_assert_eq!(
            (totals.execs, totals.seen, totals.late, totals.missed),
            (judged.truth.execs, counted.seen, judged.late, counted.missed)
        );
        prop_assert_eq!(
            (totals.duplicates, totals.phantoms, totals.foreign, totals.best_path),
            (counted.duplicates, counted.phantoms, counted.foreign, judged.path.best)
        );
        let mut paths = execlab_model::result::PathCounts::default();
        let mut argv = execlab_model::result::ArgvCounts::default();
        let mut containers = execlab_model::result::FieldCounts::default();
        for life in &timeline.execs {
            if let (Became::Judged(Fate::Seen(_)), Some(classes)) = (life.became, life.classes) {
                *paths.of(classes.path.class) += 1;
                *classes.argv.count(&mut argv) += 1;
                *classes.container.count(&mut containers) += 1;
            }
        }
        (paths.best, paths.suffixed) = (judged.path.best, judged.path.suffixed);
        prop_assert_eq!((paths, argv, containers), (judged.path, judged.argv, judged.container));
        prop_assert!(Timeline::new(&record, false).totals(&BEST).is_none());
    }

    #[test]
    fn counters_add_up_to_the_execs_that_were_made(record in records()) {
        let timeline = Timeline::new(&record, true);
        let mut last = None;
        for count in &timeline.counts {
            prop_assert!(last.is_none_or(|last| last < count.at_ns));
            last = Some(count.at_ns);
            let made = record.truth.execs.iter().filter(|e| e.started_ns <= count.at_ns).count();
            let sum = count.seen + count.late + count.missed + count.outstanding;
            prop_assert_eq!(sum, made as u64);
        }
        if let Some(end) = timeline.counts.last() {
            let judged = judge(&record, &BEST);
            prop_assert_eq!(
                (end.seen, end.late, end.missed, end.outstanding),
                (judged.completeness.seen, judged.late, judged.completeness.missed, 0)
            );
        }
    }

    #[test]
    fn every_missed_exec_is_in_one_gap(record in records()) {
        let timeline = Timeline::new(&record, true);
        let missed = timeline.execs.iter().filter(|life| life.is_missed());
        let missed: Vec<u32> = missed.map(|life| life.exec.id).collect();
        let gaps = timeline.gaps();
        let in_gaps: Vec<u32> = gaps.iter().flat_map(|gap| gap.execs.clone()).collect();
        prop_assert_eq!(in_gaps, missed);
        for pair in gaps.windows(2) {
            prop_assert!(pair[0].behind.is_some() && pair[1].before.is_some());
        }
    }

    #[test]
    fn a_cut_is_a_part_of_the_whole(record in records(), pick: prop::sample::Index, margin in 0_usize..6) {
        let timeline = Timeline::new(&record, true);
        prop_assume!(!timeline.execs.is_empty());
        let at = pick.index(timeline.execs.len());
        let id = timeline.execs[at].exec.id;
        let cut = timeline.around(id, margin).unwrap();
        let (part, whole) = (drawn(&cut), drawn(&timeline));
        prop_assert_eq!(check(&part), []);
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        let named = |event: &Event| event.ph == Phase::Metadata;
        let line = |event: &Event| serde_json::to_string(event).unwrap();
        for event in &whole.trace_events {
            *left.entry(line(event)).or_default() += 1;
        }
        for event in part.trace_events.iter().filter(|event| !named(event)) {
            let count = left.entry(line(event)).or_default();
            prop_assert!(*count > 0, "{event:?}");
            *count -= 1;
        }
        let ids: BTreeSet<u32> = cut.execs.iter().map(|life| life.exec.id).collect();
        let near = &timeline.execs[at.saturating_sub(margin)..(at + margin + 1).min(timeline.execs.len())];
        let near: BTreeSet<u32> = near.iter().map(|life| life.exec.id).collect();
        prop_assert_eq!(&ids, &near);
        // All that was told of what is shown is shown.
        for told in timeline.sightings.iter().filter(|told| told.exec.is_some_and(|e| ids.contains(&e.id))) {
            prop_assert!(cut.sightings.iter().any(|kept| kept.at == told.at));
        }
        prop_assert!(timeline.around(u32::MAX, margin).is_none());
    }

    #[test]
    fn a_story_is_in_order_and_has_a_class_for_each_field_of_what_was_told(record in records()) {
        let timeline = Timeline::new(&record, true);
        for life in &timeline.execs {
            let story = story(&timeline, &record, life.exec.id).unwrap();
            prop_assert!(story.moments.is_sorted_by_key(|moment| moment.at_ns));
            let told = story.verdict != "missed";
            prop_assert_eq!(story.latency_ns.is_some(), told);
            prop_assert!(story.fields.iter().all(|field| field.class.is_some() == told));
            let tells = |m: &&execlab_reports::replay::Moment| m.own && m.what.contains("tells of it");
            prop_assert_eq!(story.moments.iter().any(|m| tells(&m)), told);
        }
    }
}

#[test]
fn what_overlaps_stands_on_lanes_and_arrows_lead_from_exec_to_sighting() {
    let shape = Shape {
        execs: 6,
        at_once: 3,
        pids: 3,
        per_process: 1,
        containers: 0,
        scene: Scene::SMALL[0],
        attempts: 0,
    };
    let truth = truth(&shape, 1);
    let record = plant(&truth, &[Fault::Drop(300)], 5).into_record(truth);
    let timeline = Timeline::new(&record, true);
    let trace = drawn(&timeline);
    let seen = timeline.totals(&BEST).unwrap().seen;
    assert!(seen < 6, "the seed has to drop one");
    assert_eq!(of(&trace, "told").len() as u64, 2 * seen);
    let lanes: BTreeSet<u32> = of(&trace, "exec").iter().map(|event| event.tid).collect();
    assert!(lanes.len() > 1, "{lanes:?}");
}
