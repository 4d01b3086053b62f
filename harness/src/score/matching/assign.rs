//! Assigns the sightings of one pid to the execs of that pid.

use std::{cmp::Reverse, collections::BinaryHeap};

use execlab_model::sighting::Sighting;

use super::{
    NONE, Verdict,
    table::narrow,
    timeline::{Lane, Lanes, Slot},
};

/// When a sighting was received; sorts in the order of receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Receipt {
    received_ns: u64,
    sighting: u32,
}

/// The execs of a lane that a sighting is admitted to: both ends belong to it.
#[derive(Debug, Clone, Copy)]
struct Admission {
    first: usize,
    last: usize,
    receipt: Receipt,
    /// Its source time.
    time_ns: Option<u64>,
    /// The exec that its argv id settles on.
    settled: Option<usize>,
}

/// Joins sightings to execs, in several rounds that share what was joined before.
///
/// A sighting that only one exec admits is joined at once. The others wait until all have been
/// offered, and are then assigned lane by lane: that one exec's own sightings come first takes
/// nothing from anybody, because in any assignment one of them could stand for it.
#[derive(Debug)]
pub(super) struct Assigner {
    drained_ns: u64,
    /// For each exec the sighting by which it was seen.
    owners: Vec<Receipt>,
    verdicts: Vec<Verdict>,
    /// Sightings that more than one exec admits, and late ones, with their lanes.
    waiting: Vec<(u32, Admission)>,
    /// For each lane, near which place the last sighting was.
    near: Vec<u32>,
}

/// The owner of an exec that nobody has seen yet.
const NOBODY: Receipt = Receipt {
    received_ns: 0,
    sighting: NONE,
};

impl Assigner {
    pub fn new(execs: usize, sightings: usize, drained_ns: u64) -> Self {
        Self {
            drained_ns,
            owners: vec![NOBODY; execs],
            verdicts: vec![Verdict::Foreign; sightings],
            waiting: Vec::new(),
            near: Vec::new(),
        }
    }

    /// The verdicts so far; whatever was not joined is foreign.
    pub fn verdicts(self) -> Vec<Verdict> {
        self.verdicts
    }

    /// Offers a sighting to the execs of a lane; `false` if none of them admits it.
    ///
    /// `named` is the exec that its argv id names; with `only_by_id` no other will do.
    pub fn offer(
        &mut self,
        lanes: &Lanes,
        lane: u32,
        (at, sighting): (u32, &Sighting),
        named: Option<u32>,
        only_by_id: bool,
    ) -> bool {
        let place = named.and_then(|exec| lanes.place(lane, exec));
        let receipt = Receipt {
            received_ns: sighting.received_ns,
            sighting: at,
        };
        // What comes after the drain must not displace what came before.
        let in_time = sighting.received_ns <= self.drained_ns;
        if in_time && let Some(exec) = named.filter(|_| place.is_some()) {
            // Event windows of a lane do not overlap, so the neighbours need not be looked at.
            if is_inside(sighting, lanes.slot(exec)) {
                self.take(exec, receipt);
                return true;
            }
        }
        let Some(mut admission) = self.admit(lanes, lane, receipt, sighting, place) else {
            return false;
        };
        match admission.settled {
            Some(place) => (admission.first, admission.last) = (place, place),
            None if only_by_id => return false,
            None => {}
        }
        if in_time && admission.first == admission.last {
            let exec = lanes.lane(lane).slot(admission.first).exec;
            self.take(exec, receipt);
        } else {
            self.waiting.push((lane, admission));
        }
        true
    }

    /// Joins a sighting to an exec of a lane that was seen already, the latest that admits it; `false` if there is none.
    pub fn repeat(&mut self, lanes: &Lanes, lane: u32, (at, sighting): (u32, &Sighting)) -> bool {
        let receipt = Receipt {
            received_ns: sighting.received_ns,
            sighting: at,
        };
        let Some(admission) = self.admit(lanes, lane, receipt, sighting, None) else {
            return false;
        };
        let lane = lanes.lane(lane);
        let seen = (admission.first..=admission.last).rfind(|&place| !self.is_free(lane, place));
        if let Some(place) = seen {
            self.take(lane.slot(place).exec, receipt);
        }
        seen.is_some()
    }

    /// Assigns what was offered since the last time.
    pub fn settle(&mut self, lanes: &Lanes) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable_by_key(|(lane, admission)| (*lane, admission.receipt));
        for admitted in waiting.chunk_by(|(a, _), (b, _)| a == b) {
            let drained = self.drained_ns;
            let late = admitted.partition_point(|(_, a)| a.receipt.received_ns <= drained);
            let (in_time, late) = admitted.split_at(late);
            let lane = lanes.lane(admitted[0].0);
            self.assign(lane, in_time);
            self.assign(lane, late);
        }
        self.near.clear();
    }

    /// The execs of a lane that a sighting may mean.
    fn admit(
        &mut self,
        lanes: &Lanes,
        lane: u32,
        receipt: Receipt,
        sighting: &Sighting,
        named: Option<usize>,
    ) -> Option<Admission> {
        // Time goes on: a lane's next sighting is mostly of the next exec.
        self.near.resize(lanes.len(), 0);
        let near = &mut self.near[lane as usize];
        let lane = lanes.lane(lane);
        let (first, end) = if let Some(time) = sighting.time_ns {
            let from = time.saturating_sub(sighting.time_tolerance_ns);
            let until = time.saturating_add(sighting.time_tolerance_ns);
            let end = lane.partition_near(*near, |slot| slot.from <= until);
            let event = lane.partition_near(*near, |slot| slot.started < from);
            let life = || lane.partition_near(*near, |slot| slot.until < from);
            (if event < end { event } else { life() }, end)
        } else {
            let made = |slot: &Slot| slot.from <= sighting.received_ns;
            (0, lane.partition_near(*near, made))
        };
        *near = narrow(end);
        let last = end.checked_sub(1).filter(|&last| first <= last)?;
        let settled = named.filter(|place| (first..=last).contains(place));
        Some(Admission {
            first,
            last,
            receipt,
            time_ns: sighting.time_ns,
            settled,
        })
    }

    /// Assigns sightings of one lane, in the order of receipt.
    fn assign(&mut self, lane: Lane<'_>, admitted: &[(u32, Admission)]) {
        let admitted = || admitted.iter().map(|(_, admission)| admission);
        for admission in admitted() {
            if let Some(place) = admission.settled {
                self.take(lane.slot(place).exec, admission.receipt);
            }
        }
        let open =
            |timed| move |a: &&Admission| a.settled.is_none() && a.time_ns.is_some() == timed;
        let timed: Vec<&Admission> = admitted().filter(open(true)).collect();
        self.assign_timed(lane, timed);
        self.assign_untimed(lane, admitted().rev().filter(open(false)));
    }

    /// As many execs as possible each have a sighting of their own: going through the execs in order,
    /// each takes the sighting whose admission ends first (Glover 1967, convex bipartite matching).
    fn assign_timed(&mut self, lane: Lane<'_>, mut timed: Vec<&Admission>) {
        timed.sort_by_key(|a| a.first); // stable: the order of receipt decides between equals
        let mut waiting = BinaryHeap::new();
        let mut next = 0;
        let mut place = 0;
        let mut left = Vec::new();
        while next < timed.len() || !waiting.is_empty() {
            if waiting.is_empty() {
                place = place.max(timed[next].first);
            }
            while let Some(admission) = timed.get(next).filter(|a| a.first <= place) {
                waiting.push(Reverse((admission.last, admission.receipt, next)));
                next += 1;
            }
            while let Some(&Reverse((last, _, index))) = waiting.peek() {
                if last < place {
                    left.push(timed[index]);
                    waiting.pop();
                } else {
                    if self.is_free(lane, place) {
                        self.take(lane.slot(place).exec, timed[index].receipt);
                        waiting.pop();
                    }
                    break;
                }
            }
            place += 1;
        }
        for admission in left {
            let time = admission.time_ns.unwrap_or(0);
            let distance = |&place: &usize| {
                let slot = lane.slot(place);
                slot.from
                    .saturating_sub(time)
                    .max(time.saturating_sub(slot.started))
            };
            let nearest = (admission.first..=admission.last).min_by_key(distance);
            self.take(
                lane.slot(nearest.unwrap_or(admission.first)).exec,
                admission.receipt,
            );
        }
    }

    /// Untimed sightings, the last one received first: each takes the latest exec that is free.
    fn assign_untimed<'b>(&mut self, lane: Lane<'_>, untimed: impl Iterator<Item = &'b Admission>) {
        // Below this place execs may be free; what was received earlier is admitted to no later ones.
        let mut bound = lane.len();
        // Left-over ones were received first, so they are of the earliest exec that was reported.
        let mut earliest = usize::MAX;
        for admission in untimed {
            bound = bound.min(admission.last + 1);
            while bound > 0 && !self.is_free(lane, bound - 1) {
                bound -= 1;
            }
            if bound > 0 {
                bound -= 1;
                earliest = bound;
                self.take(lane.slot(bound).exec, admission.receipt);
            } else {
                self.take(
                    lane.slot(earliest.min(admission.last)).exec,
                    admission.receipt,
                );
            }
        }
    }

    fn is_free(&self, lane: Lane<'_>, place: usize) -> bool {
        self.owners[lane.slot(place).exec as usize] == NOBODY
    }

    /// Joins a sighting to an exec: it is the one by which the exec was seen if nothing was received
    /// before it, else a duplicate.
    fn take(&mut self, exec: u32, receipt: Receipt) {
        let owner = &mut self.owners[exec as usize];
        let first = if *owner == NOBODY || receipt < *owner {
            std::mem::replace(owner, receipt)
        } else {
            self.verdicts[receipt.sighting as usize] = Verdict::Duplicate(exec);
            return;
        };
        if first != NOBODY {
            self.verdicts[first.sighting as usize] = Verdict::Duplicate(exec);
        }
        self.verdicts[receipt.sighting as usize] = if receipt.received_ns > self.drained_ns {
            Verdict::Late(exec)
        } else {
            Verdict::Seen(exec)
        };
    }
}

/// Whether a sighting's time, tolerance included, is well inside an exec's event window.
fn is_inside(sighting: &Sighting, slot: &Slot) -> bool {
    sighting.time_ns.is_some_and(|time| {
        slot.from < time.saturating_sub(sighting.time_tolerance_ns)
            && time.saturating_add(sighting.time_tolerance_ns) < slot.started
    })
}
