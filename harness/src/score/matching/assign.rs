//! Assigns the sightings of one pid to the execs of that pid.

use std::{cmp::Reverse, collections::BinaryHeap};

use execlab_model::{sighting::Sighting, truth::Truth};

use super::{
    NONE, Verdict,
    table::narrow,
    timeline::{Ids, Lanes, Slot},
};

/// A sighting that may mean an exec of a lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub lane: u32,
    pub sighting: u32,
}

/// The execs of a lane that a sighting is admitted to: both ends belong to it.
#[derive(Debug, Clone, Copy)]
struct Admission {
    first: usize,
    last: usize,
    sighting: u32,
    /// Whether the sighting has a source time.
    timed: bool,
    /// The exec that its argv id settles on.
    settled: Option<usize>,
}

/// Joins sightings to execs, lane by lane, in several rounds that share what was joined before.
#[derive(Debug)]
pub(super) struct Assigner<'a> {
    truth: &'a Truth,
    sightings: &'a [Sighting],
    ids: &'a [u32],
    known: &'a Ids,
    drained_ns: u64,
    /// For each exec the sighting by which it was seen, or [`NONE`].
    owners: Vec<u32>,
    verdicts: Vec<Verdict>,
}

impl<'a> Assigner<'a> {
    pub fn new(
        truth: &'a Truth,
        sightings: &'a [Sighting],
        ids: &'a [u32],
        known: &'a Ids,
        drained_ns: u64,
    ) -> Self {
        Self {
            truth,
            sightings,
            ids,
            known,
            drained_ns,
            owners: vec![NONE; truth.execs.len()],
            verdicts: vec![Verdict::Foreign; sightings.len()],
        }
    }

    /// The verdicts so far; whatever was not joined is foreign.
    pub fn verdicts(self) -> Vec<Verdict> {
        self.verdicts
    }

    /// Joins `members` and gives back the sightings that no exec of their lane admits.
    ///
    /// With `only_by_id` a sighting is admitted only to the exec that its argv id names.
    pub fn join(&mut self, lanes: &Lanes, members: &[Member], only_by_id: bool) -> Vec<u32> {
        let (starts, members) = by_lane(lanes.len(), members);
        let mut refused = Vec::new();
        let mut admitted = Vec::new();
        for lane in 0..narrow(lanes.len()) {
            let of = starts[lane as usize] as usize..starts[lane as usize + 1] as usize;
            if of.is_empty() {
                continue;
            }
            let slots = lanes.slots(lane);
            admitted.clear();
            for &at in &members[of] {
                match self
                    .admit(lanes, lane, at)
                    .filter(|a| !only_by_id || a.settled.is_some())
                {
                    Some(admission) => admitted.push(admission),
                    None => refused.push(at),
                }
            }
            // In the order of receipt; what comes after the drain must not displace what came before.
            admitted.sort_unstable_by_key(|a| self.receipt(a.sighting));
            let drained =
                |a: &Admission| self.sightings[a.sighting as usize].received_ns <= self.drained_ns;
            let late = admitted.partition_point(drained);
            let (in_time, late) = admitted.split_at(late);
            self.assign(slots, in_time);
            self.assign(slots, late);
        }
        refused
    }

    /// The order of receipt: by the monitor's clock, then as the monitor said them.
    fn receipt(&self, sighting: u32) -> (u64, u32) {
        (self.sightings[sighting as usize].received_ns, sighting)
    }

    fn admit(&self, lanes: &Lanes, lane: u32, at: u32) -> Option<Admission> {
        let slots = lanes.slots(lane);
        let sighting = &self.sightings[at as usize];
        let (first, end) = match sighting.time_ns {
            Some(time) => {
                let from = time.saturating_sub(sighting.time_tolerance_ns);
                let until = time.saturating_add(sighting.time_tolerance_ns);
                let end = slots.partition_point(|slot| slot.from <= until);
                let event = slots.partition_point(|slot| slot.started < from);
                let life = || slots.partition_point(|slot| slot.until < from);
                (if event < end { event } else { life() }, end)
            }
            None => (
                0,
                slots.partition_point(|slot| slot.from <= sighting.received_ns),
            ),
        };
        let last = end.checked_sub(1).filter(|&last| first <= last)?;
        let named = self.known.exec(self.ids[at as usize]);
        let settled = named
            .and_then(|exec| lanes.place(lane, exec))
            .filter(|place| (first..=last).contains(place));
        Some(Admission {
            first,
            last,
            sighting: at,
            timed: sighting.time_ns.is_some(),
            settled,
        })
    }

    /// Assigns admitted sightings of one lane, in the order of receipt.
    fn assign(&mut self, slots: &[Slot], admitted: &[Admission]) {
        match admitted {
            [] => {}
            // Nearly always: one sighting of one exec.
            [only] if only.first == only.last => self.take(slots, only.first, only.sighting),
            _ => {
                for admission in admitted {
                    if let Some(place) = admission.settled {
                        self.take(slots, place, admission.sighting);
                    }
                }
                let open = |timed| move |a: &&Admission| a.settled.is_none() && a.timed == timed;
                let timed: Vec<&Admission> = admitted.iter().filter(open(true)).collect();
                self.assign_timed(slots, timed);
                self.assign_untimed(slots, admitted.iter().rev().filter(open(false)));
            }
        }
    }

    /// As many execs as possible each have a sighting of their own: going through the execs in order,
    /// each takes the sighting whose admission ends first (Glover 1967, convex bipartite matching).
    fn assign_timed(&mut self, slots: &[Slot], mut timed: Vec<&Admission>) {
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
                waiting.push(Reverse((
                    admission.last,
                    self.receipt(admission.sighting),
                    next,
                )));
                next += 1;
            }
            while let Some(&Reverse((last, _, index))) = waiting.peek() {
                if last < place {
                    left.push(timed[index]);
                    waiting.pop();
                } else {
                    if self.is_free(slots, place) {
                        self.take(slots, place, timed[index].sighting);
                        waiting.pop();
                    }
                    break;
                }
            }
            place += 1;
        }
        for admission in left {
            let time = self.sightings[admission.sighting as usize]
                .time_ns
                .unwrap_or(0);
            let distance = |&place: &usize| {
                let slot = &slots[place];
                slot.from
                    .saturating_sub(time)
                    .max(time.saturating_sub(slot.started))
            };
            let nearest = (admission.first..=admission.last).min_by_key(distance);
            self.take(
                slots,
                nearest.unwrap_or(admission.first),
                admission.sighting,
            );
        }
    }

    /// Untimed sightings, the last one received first: each takes the latest exec that is free.
    fn assign_untimed<'b>(&mut self, slots: &[Slot], untimed: impl Iterator<Item = &'b Admission>) {
        // Below this place execs may be free; what was received earlier is admitted to no later ones.
        let mut bound = slots.len();
        // Left-over ones were received first, so they are of the earliest exec that was reported.
        let mut earliest = usize::MAX;
        for admission in untimed {
            bound = bound.min(admission.last + 1);
            while bound > 0 && !self.is_free(slots, bound - 1) {
                bound -= 1;
            }
            if bound > 0 {
                bound -= 1;
                earliest = bound;
                self.take(slots, bound, admission.sighting);
            } else {
                self.take(slots, earliest.min(admission.last), admission.sighting);
            }
        }
    }

    fn is_free(&self, slots: &[Slot], place: usize) -> bool {
        self.owners[slots[place].exec as usize] == NONE
    }

    /// Joins a sighting to an exec: it is the one by which the exec was seen if nothing was received
    /// before it, else a duplicate.
    fn take(&mut self, slots: &[Slot], place: usize, sighting: u32) {
        let exec = slots[place].exec;
        let owner = self.owners[exec as usize];
        if owner != NONE && self.receipt(owner) <= self.receipt(sighting) {
            self.verdicts[sighting as usize] = Verdict::Duplicate(exec);
            return;
        }
        if owner != NONE {
            self.verdicts[owner as usize] = Verdict::Duplicate(exec);
        }
        self.owners[exec as usize] = sighting;
        let late = self.sightings[sighting as usize].received_ns > self.drained_ns;
        self.verdicts[sighting as usize] = if late {
            Verdict::Late(exec)
        } else {
            Verdict::Seen(exec)
        };
        debug_assert!((exec as usize) < self.truth.execs.len());
    }
}

/// Members in the order of their lanes, and where each lane begins among them.
fn by_lane(lanes: usize, members: &[Member]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; lanes + 1];
    for member in members {
        starts[member.lane as usize + 1] += 1;
    }
    for lane in 1..starts.len() {
        starts[lane] += starts[lane - 1];
    }
    let mut next = starts.clone();
    let mut sorted = vec![NONE; members.len()];
    for member in members {
        let place = &mut next[member.lane as usize];
        sorted[*place as usize] = member.sighting;
        *place += 1;
    }
    (starts, sorted)
}
