//! Laws of matching that hold for any truth and any sightings.

use execlab_model::{
    sighting::Sighting,
    truth::{Exec, Truth},
};
use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::{
    super::{Fate, Matching, Verdict, id_of, match_sightings, table, timeline},
    exec, timed, truth, with_id,
};
use Verdict::{Duplicate, Late, Seen};

/// Execs of a few pids as a kernel makes them, several to a process, in no order of ids.
fn any_truth() -> impl Strategy<Value = Truth> {
    let gaps = (0_u32..4, 1_u64..30, 1_u64..30, 1_u64..60, any::<bool>());
    vec(gaps, 0..24).prop_map(|gaps| {
        let mut ends = [100_u64; 4];
        let mut execs: Vec<Exec> = Vec::new();
        for (pid, before, start, life, same_process) in gaps {
            let end = &mut ends[pid as usize];
            let last = execs.iter_mut().rev().find(|exec| exec.pid == 20 + pid);
            let spawned = match last {
                Some(last) if same_process => {
                    let spawned = last.ended_ns;
                    last.ended_ns += start;
                    spawned
                }
                _ => *end + before,
            };
            *end = spawned + start + life;
            execs.push(exec(20 + pid, (spawned, spawned + start, *end)));
        }
        truth(execs)
    })
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let pid = option::weighted(0.9, 19_u32..25);
    let time = option::of((0_u64..900, select_tolerance()));
    let id = option::weighted(0.3, 0_u32..26);
    (pid, time, id, 0_u64..1_200, option::of(8_u32..11)).prop_map(
        |(pid, time, id, received_ns, ppid)| {
            let sighting = Sighting {
                pid,
                ppid,
                time_ns: time.map(|(time, _)| time),
                time_tolerance_ns: time.map_or(0, |(_, tolerance)| tolerance),
                received_ns,
                ..Sighting::default()
            };
            match id {
                Some(id) => with_id(sighting, id),
                None => sighting,
            }
        },
    )
}

fn select_tolerance() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(5), Just(40), Just(u64::MAX)]
}

const DRAINED: u64 = 1_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Each sighting and each exec is counted exactly once, and the two sides agree.
    #[test]
    fn nothing_is_counted_twice(truth in any_truth(), sightings in vec(any_sighting(), 0..40)) {
        let matching = match_sightings(&truth, &sightings, DRAINED);
        prop_assert_eq!(matching.verdicts.len(), sightings.len());
        prop_assert_eq!(matching.fates.len(), truth.execs.len());
        for (exec, fate) in (0_u32..).zip(&matching.fates) {
            let of = |verdict: Verdict| matching.verdicts.iter().filter(|&&v| v == verdict).count();
            let (seen, late, more) = (of(Seen(exec)), of(Late(exec)), of(Duplicate(exec)));
            let expected = match fate {
                Fate::Seen(at) => {
                    prop_assert_eq!(matching.verdicts[*at as usize], Seen(exec));
                    prop_assert!(sightings[*at as usize].received_ns <= DRAINED);
                    (1, 0)
                }
                Fate::Late(at) => {
                    prop_assert_eq!(matching.verdicts[*at as usize], Late(exec));
                    prop_assert!(sightings[*at as usize].received_ns > DRAINED);
                    (0, 1)
                }
                Fate::Missed => {
                    prop_assert_eq!(more, 0);
                    (0, 0)
                }
            };
            prop_assert_eq!((seen, late), expected);
        }
    }

    /// A join never contradicts pid or time, whatever the id says.
    #[test]
    fn pid_and_time_always_agree(truth in any_truth(), sightings in vec(any_sighting(), 0..40)) {
        let matching = match_sightings(&truth, &sightings, DRAINED);
        for (sighting, verdict) in sightings.iter().zip(&matching.verdicts) {
            let (Seen(exec) | Late(exec) | Duplicate(exec)) = *verdict else { continue };
            let slot = matching.lanes.slot(exec);
            let exec = &truth.execs[exec as usize];
            if let Some(pid) = sighting.pid {
 prop_assert_eq!(pid, exec.pid);
 } else {
 prop_assert_eq!(id_of(sighting), Some(exec.id));
 }
            match sighting.time_ns {
                Some(time) => {
                    let tolerance = sighting.time_tolerance_ns;
                    prop_assert!(slot.from <= time.saturating_add(tolerance));
                    prop_assert!(time.saturating_sub(tolerance) <= slot.until);
                }
                None => prop_assert!(slot.from <= sighting.received_ns),
            }
        }
    }

    /// No more execs could be seen by any assignment of timed sightings.
    #[test]
    fn as_many_as_possible_are_seen(
        truth in any_truth(),
        sightings in vec((20_u32..24, 90_u64..700, 0_u64..80), 0..24),
    ) {
        let sightings: Vec<Sighting> = sightings
            .into_iter()
            .map(|(pid, time, time_tolerance_ns)| Sighting { time_tolerance_ns, ..timed(pid, time) })
            .collect();
        let matching = match_sightings(&truth, &sightings, u64::MAX);
        let edges: Vec<Vec<usize>> = sightings.iter().map(|s| admitted(&truth, &matching, s)).collect();
        let seen = matching.fates.iter().filter(|&&fate| fate != Fate::Missed).count();
        prop_assert_eq!(seen, augmented(&edges, truth.execs.len()));
    }

    /// Whose sightings are delivered when is no matter of who is meant.
    #[test]
    fn order_of_delivery_changes_no_verdict(
        truth in any_truth(),
        sightings in vec(any_sighting(), 0..30),
        swaps in vec((any::<Index>(), any::<Index>()), 1..30),
    ) {
        // At different times, so that the order of receipt is not in question.
        let sightings: Vec<Sighting> = (0..)
            .zip(sightings)
            .map(|(n, s)| Sighting { received_ns: s.received_ns * 64 + n, ..s })
            .collect();
        let mut order: Vec<usize> = (0..sightings.len()).collect();
        for (a, b) in swaps.iter().filter(|_| !order.is_empty()).collect::<Vec<_>>() {
            let (a, b) = (a.index(order.len()), b.index(order.len()));
            order.swap(a, b);
        }
        let shuffled: Vec<Sighting> = order.iter().map(|&at| sightings[at].clone()).collect();
        let straight = match_sightings(&truth, &sightings, DRAINED * 64).verdicts;
        let shuffled = match_sightings(&truth, &shuffled, DRAINED * 64).verdicts;
        let expected: Vec<Verdict> = order.iter().map(|&at| straight[at]).collect();
        prop_assert_eq!(shuffled, expected);
    }
}

/// The execs that a timed sighting is admitted to, by looking at each of them.
fn admitted(truth: &Truth, matching: &Matching, sighting: &Sighting) -> Vec<usize> {
    let time = sighting.time_ns.unwrap_or(0);
    let from = time.saturating_sub(sighting.time_tolerance_ns);
    let until = time + sighting.time_tolerance_ns;
    let by = |end: fn(&timeline::Slot) -> u64| -> Vec<usize> {
        (0..truth.execs.len())
            .filter(|&at| Some(truth.execs[at].pid) == sighting.pid)
            .filter(|&at| {
                let slot = matching.lanes.slot(table::narrow(at));
                slot.from <= until && from <= end(slot)
            })
            .collect()
    };
    let events = by(|slot| slot.started);
    if events.is_empty() {
        by(|slot| slot.until)
    } else {
        events
    }
}

/// The size of a maximum matching, by augmenting paths.
fn augmented(edges: &[Vec<usize>], execs: usize) -> usize {
    fn augment(
        at: usize,
        edges: &[Vec<usize>],
        owner: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        edges[at].iter().any(|&exec| {
            !std::mem::replace(&mut tried[exec], true)
                && owner[exec].is_none_or(|other| augment(other, edges, owner, tried))
                && {
                    owner[exec] = Some(at);
                    true
                }
        })
    }
    let mut owner = vec![None; execs];
    (0..edges.len())
        .filter(|&at| augment(at, edges, &mut owner, &mut vec![false; execs]))
        .count()
}
