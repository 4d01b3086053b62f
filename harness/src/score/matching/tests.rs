//! Cases that a join by pid alone or by time alone gets wrong, and laws that hold for any input.

use execlab_model::{
    sighting::{Argv, Sighting},
    truth::{Exec, Frames, ID_ARGUMENT, Outcome, Site, Truth, id_argument},
};
use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::*;

/// An exec with (spawned, started, ended); ids are given by [`truth`].
fn exec(pid: u32, (spawned_ns, started_ns, ended_ns): (u64, u64, u64)) -> Exec {
    Exec {
        id: 0,
        site: 0,
        pid,
        ns_pid: pid,
        parent: 9,
        uid: 0,
        lifetime_ns: 0,
        spawned_ns,
        started_ns,
        ended_ns,
        outcome: Outcome::Exited(0),
    }
}

fn truth(mut execs: Vec<Exec>) -> Truth {
    for (id, exec) in (0..).zip(&mut execs) {
        exec.id = id;
    }
    Truth {
        sites: vec![Site {
            frames: Frames {
                exact: "/t".into(),
                ..Frames::default()
            },
            argv: vec![ID_ARGUMENT.into()],
            cgroup: "/storm".into(),
            cgroup_id: 42,
            ..Site::default()
        }],
        storm_pids: vec![9],
        began_ns: 100,
        finished_ns: execs.iter().map(|e| e.ended_ns).max().unwrap_or(100),
        execs,
        ..Truth::default()
    }
}

fn timed(pid: u32, time_ns: u64) -> Sighting {
    Sighting {
        pid: Some(pid),
        time_ns: Some(time_ns),
        received_ns: time_ns + 1_000,
        ..Sighting::default()
    }
}

fn received(pid: u32, received_ns: u64) -> Sighting {
    Sighting {
        pid: Some(pid),
        received_ns,
        ..Sighting::default()
    }
}

fn with_id(mut sighting: Sighting, id: u32) -> Sighting {
    sighting.argv = Some(Argv::List(vec![id_argument(id).to_vec().into()]));
    sighting
}

fn verdicts(truth: &Truth, sightings: &[Sighting]) -> Vec<Verdict> {
    match_sightings(truth, sightings, 1_000_000).verdicts
}

use Verdict::{Duplicate, Foreign, Late, Phantom, Seen};

/// Two processes, one after the other, with one pid.
fn reused() -> Truth {
    truth(vec![exec(7, (100, 110, 150)), exec(7, (200, 210, 250))])
}

/// One process with two execs.
fn twice() -> Truth {
    truth(vec![exec(7, (100, 110, 165)), exec(7, (160, 165, 250))])
}

#[test]
fn a_reused_pid_is_told_by_time() {
    let sightings = [timed(7, 205), timed(7, 105)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Seen(0)]);
    // Both are of the second process; the first one was missed.
    let sightings = [timed(7, 205), timed(7, 240)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Duplicate(1)]);
    // Between the two nobody had the pid.
    assert_eq!(verdicts(&reused(), &[timed(7, 180)]), [Phantom]);
}

#[test]
fn execs_of_one_process_are_told_by_their_event_windows() {
    let sightings = [timed(7, 105), timed(7, 162)];
    assert_eq!(verdicts(&twice(), &sightings), [Seen(0), Seen(1)]);
    // A monitor that polls sees the process somewhere in the life of each image.
    let sightings = [timed(7, 140), timed(7, 230)];
    assert_eq!(verdicts(&twice(), &sightings), [Seen(0), Seen(1)]);
}

#[test]
fn a_truth_that_tells_less_of_one_process_is_read_as_one_process() {
    // Both execs said to be made when the process was, and to last as long as it did.
    let vague = truth(vec![exec(7, (100, 110, 250)), exec(7, (100, 165, 250))]);
    let sightings = [timed(7, 105), timed(7, 105)];
    assert_eq!(verdicts(&vague, &sightings), [Seen(0), Duplicate(0)]);
    assert_eq!(verdicts(&vague, &[timed(7, 240)]), [Seen(1)]);
    assert_eq!(verdicts(&vague, &[received(7, 109)]), [Seen(0)]);
}

#[test]
fn tolerance_admits_several_and_none_is_missed_for_it() {
    let mut sightings = [timed(7, 205), timed(7, 205), timed(7, 205)];
    for sighting in &mut sightings {
        sighting.time_tolerance_ns = 100;
    }
    let verdicts = verdicts(&reused(), &sightings);
    assert_eq!(verdicts[..2], [Seen(0), Seen(1)]);
    assert!(matches!(verdicts[2], Duplicate(_)));
}

#[test]
fn without_a_source_time_the_latest_exec_is_meant() {
    assert_eq!(verdicts(&reused(), &[received(7, 120)]), [Seen(0)]);
    assert_eq!(verdicts(&reused(), &[received(7, 260)]), [Seen(1)]);
    // Delayed, but in order.
    let sightings = [received(7, 260), received(7, 261)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(0), Seen(1)]);
    let sightings = [received(7, 120), received(7, 130)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(0), Duplicate(0)]);
    assert_eq!(verdicts(&reused(), &[received(7, 99)]), [Foreign]);
}

#[test]
fn the_id_settles_what_pid_and_time_leave_open() {
    let sightings = [with_id(received(7, 260), 1), with_id(received(7, 261), 0)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Seen(0)]);
    let sightings = [with_id(received(7, 260), 1), with_id(received(7, 261), 1)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Duplicate(1)]);
}

#[test]
fn the_id_never_replaces_pid_and_time() {
    let matching = match_sightings(&reused(), &[with_id(timed(7, 105), 1)], 1_000_000);
    assert_eq!(matching.verdicts, [Seen(0)]);
    assert_eq!(matching.joins.conflicts, 1);
    // The right id with nobody's pid is no sighting of that exec.
    assert_eq!(verdicts(&reused(), &[with_id(timed(8, 105), 0)]), [Phantom]);
}

#[test]
fn what_comes_after_the_drain_is_late_unless_it_was_seen() {
    let late = received(7, 2_000_000);
    let sightings = [late.clone(), late.clone(), late.clone()];
    let expected = [Late(0), Duplicate(0), Late(1)];
    assert_eq!(verdicts(&reused(), &sightings), expected);
    let sightings = [late, timed(7, 205), timed(7, 105)];
    assert_eq!(
        verdicts(&reused(), &sightings),
        [Duplicate(1), Seen(1), Seen(0)]
    );
}

#[test]
fn a_late_sighting_takes_no_exec_from_one_in_time() {
    let late = Sighting {
        received_ns: 2_000_000,
        ..timed(7, 105)
    };
    let either = Sighting {
        time_tolerance_ns: 100,
        ..timed(7, 160)
    };
    let sightings = [timed(7, 205), late, either];
    let expected = [Seen(1), Duplicate(0), Seen(0)];
    assert_eq!(verdicts(&reused(), &sightings), expected);
}

#[test]
fn phantoms_put_the_blame_on_the_storm() {
    let truth = reused();
    let stranger = || Sighting {
        ppid: Some(1),
        ..timed(5, 120)
    };
    let child = Sighting {
        ppid: Some(9),
        ..timed(5, 120)
    };
    let grandchild = Sighting {
        ppid: Some(7),
        ..timed(5, 120)
    };
    let orphan = Sighting {
        ppid: Some(7),
        ..timed(5, 170)
    };
    let mut neighbour = stranger();
    neighbour.container.cgroup_id = Some(42);
    let sightings = [
        (stranger(), Foreign),
        (child.clone(), Phantom),
        (grandchild, Phantom),
        // The pid was free then, so whoever has it as a parent is not of the storm.
        (orphan, Foreign),
        (neighbour, Phantom),
        (with_id(stranger(), 77), Phantom),
        (with_id(child, FIRST_CANARY_ID), Foreign),
        // The spawner is the storm's own; it exec'd before the storm began, and never again.
        (timed(9, 120), Phantom),
        (timed(9, 99), Foreign),
        // A past pid is weak evidence: here the sighting says itself that it is somebody else's.
        (timed(7, 180), Phantom),
        (
            Sighting {
                pid: Some(7),
                time_ns: Some(180),
                ..stranger()
            },
            Foreign,
        ),
    ];
    for (sighting, expected) in sightings {
        assert_eq!(
            verdicts(&truth, std::slice::from_ref(&sighting)),
            [expected],
            "{sighting:?}"
        );
    }
}

#[test]
fn an_exec_that_was_never_reaped_lives_on() {
    let truth = truth(vec![exec(7, (100, 110, 0))]);
    assert_eq!(verdicts(&truth, &[timed(7, 5_000)]), [Seen(0)]);
}

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
