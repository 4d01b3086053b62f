//! The execs of each pid in the order of time.

use std::collections::HashMap;

use execlab_model::{
    sighting::{ContainerHint, Sighting},
    truth::{Exec, Site, Truth},
};

use super::{
    NONE,
    table::{Set, Table, narrow},
};

/// One exec on its pid's line of time, in nanoseconds. In a lane all three times ascend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Index into `Truth::execs`.
    pub exec: u32,
    /// The exec happened no earlier: when its process was about to be made, or when the image that
    /// ran before it in the same process had started.
    pub from: u64,
    /// The exec happened no later.
    pub started: u64,
    /// No sighting can mean it later.
    pub until: u64,
}

impl Slot {
    fn new(at: u32, exec: &Exec) -> Self {
        Self {
            exec: at,
            from: exec.spawned_ns.min(exec.started_ns),
            started: exec.started_ns,
            // Never reaped means that it may live on.
            until: if exec.ended_ns < exec.started_ns {
                u64::MAX
            } else {
                exec.ended_ns
            },
        }
    }
}

/// The execs of all pids, each pid's in the order of time.
#[derive(Debug)]
pub struct Lanes {
    slots: Vec<Slot>,
    /// Where each lane begins in `slots`; one more at the end.
    starts: Vec<u32>,
    lane_of: Table<u32>,
    /// For each exec, where its slot is.
    places: Vec<u32>,
    /// For each exec [`Slot::from`]: asked for in the order of execs, not of lanes.
    froms: Vec<u64>,
}

impl Lanes {
    /// One lane for each host pid.
    pub fn by_pid(execs: &[Exec]) -> Self {
        Self::new(execs, |exec| Some(u64::from(exec.pid)))
    }

    /// One lane for each of these pids in PID namespaces ([`Containers::keys`]).
    pub(super) fn by_ns_pid(truth: &Truth, wanted: &Set) -> Self {
        if wanted.is_empty() {
            return Self::new(&[], |_| None);
        }
        Self::new(&truth.execs, |exec| {
            let key = ns_key(truth.site(exec).namespaces.pid, exec.ns_pid);
            wanted.contains(&key).then_some(key)
        })
    }

    /// Lanes of the execs that `key` has a key for.
    ///
    /// Goes through the execs in their own order: a pid comes again only after all others, so that
    /// anything in the order of lanes is far away from one exec to the next.
    fn new(execs: &[Exec], key: impl Fn(&Exec) -> Option<u64>) -> Self {
        let mut lane_of: Table<u32> = Table::default();
        let mut starts: Vec<u32> = vec![0];
        let mut lane = |exec: &Exec| {
            let Some(key) = key(exec) else {
                return NONE;
            };
            let next = narrow(lane_of.len());
            let lane = *lane_of.entry(key).or_insert(next);
            if lane == next {
                starts.push(0);
            }
            starts[lane as usize + 1] += 1;
            lane
        };
        let mut places: Vec<u32> = execs.iter().map(&mut lane).collect();
        for lane in 1..starts.len() {
            starts[lane] += starts[lane - 1];
        }
        let blank = Slot {
            exec: NONE,
            from: 0,
            started: 0,
            until: 0,
        };
        let count = starts.last().map_or(0, |&end| end as usize);
        let mut slots = vec![blank; count];
        let mut froms = vec![0; execs.len()];
        let mut next = starts.clone();
        for ((at, exec), place) in (0_u32..).zip(execs).zip(&mut places) {
            if *place == NONE {
                continue;
            }
            // What was a lane becomes a place in it.
            let next = &mut next[*place as usize];
            let slot = Slot::new(at, exec);
            *place = *next;
            froms[at as usize] = slot.from;
            slots[*next as usize] = slot;
            *next += 1;
        }
        for lane in starts.windows(2) {
            let (start, end) = (lane[0] as usize, lane[1] as usize);
            settle(&mut slots[start..end], start, &mut places, &mut froms);
        }
        Self {
            slots,
            starts,
            lane_of,
            places,
            froms,
        }
    }

    /// The lane of a key, if any exec has it.
    pub(super) fn of(&self, key: u64) -> Option<u32> {
        self.lane_of.get(&key).copied()
    }

    /// The execs of a lane.
    pub(super) fn slots(&self, lane: u32) -> &[Slot] {
        let lane = lane as usize;
        &self.slots[self.starts[lane] as usize..self.starts[lane + 1] as usize]
    }

    /// How many lanes there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where an exec stands in its lane.
    pub(super) fn place(&self, lane: u32, exec: u32) -> Option<usize> {
        let start = self.starts[lane as usize];
        let place = self.places[exec as usize].checked_sub(start)? as usize;
        (place < self.slots(lane).len()).then_some(place)
    }

    /// The earliest time that an exec can have happened.
    pub fn from(&self, exec: u32) -> u64 {
        self.froms[exec as usize]
    }

    /// The slot of an exec.
    #[cfg(test)]
    pub(super) fn slot(&self, exec: u32) -> &Slot {
        &self.slots[self.places[exec as usize] as usize]
    }

    /// The execs of the same process before and after this one.
    ///
    /// Two execs of one pid are of one process where the first one ends when the second one's image
    /// starts; a process that is reaped ends before the pid can be used again.
    pub fn neighbours(&self, exec: u32) -> impl Iterator<Item = u32> {
        let place = self.places[exec as usize] as usize;
        let own = &self.slots[place];
        let before = place.checked_sub(1).map(|p| &self.slots[p]);
        let after = self.slots.get(place + 1);
        // Lanes lie side by side: times tell a neighbour from the next pid's exec only together
        // with the bounds of the lane, which `starts` has in ascending order.
        let bound = |p: usize| self.starts.binary_search(&narrow(p)).is_ok();
        let before = before.filter(|b| !bound(place) && b.until >= own.started);
        let after = after.filter(|a| !bound(place + 1) && own.until >= a.started);
        before.into_iter().chain(after).map(|slot| slot.exec)
    }

    /// Whether a process of this host pid may have been alive between two times.
    pub(super) fn is_alive(&self, pid: u32, from: u64, until: u64) -> bool {
        self.of(u64::from(pid)).is_some_and(|lane| {
            let slots = self.slots(lane);
            let at = slots.partition_point(|slot| slot.until < from);
            slots.get(at).is_some_and(|slot| slot.from <= until)
        })
    }
}

/// Puts the execs of one pid in order; a pid is one process at a time, so they follow each other.
fn settle(lane: &mut [Slot], start: usize, places: &mut [u32], froms: &mut [u64]) {
    let order = |slot: &Slot| (slot.started, slot.from, slot.exec);
    if !lane.is_sorted_by_key(order) {
        lane.sort_unstable_by_key(order);
        for (place, slot) in (start..).zip(&*lane) {
            places[slot.exec as usize] = narrow(place);
        }
    }
    for at in 1..lane.len() {
        let next = lane[at];
        let last = &mut lane[at - 1];
        last.until = last.until.min(next.started);
        if next.from < last.started {
            froms[next.exec as usize] = last.started;
            lane[at].from = last.started;
        }
    }
}

/// The key of a pid in a PID namespace.
fn ns_key(namespace: u32, pid: u32) -> u64 {
    u64::from(namespace) << 32 | u64::from(pid)
}

/// Finds execs by their id.
#[derive(Debug)]
pub(super) struct Ids {
    /// Ids and indices in ascending order; empty where each exec's id is its index.
    sorted: Vec<(u32, u32)>,
    execs: u32,
}

impl Ids {
    pub fn new(execs: &[Exec]) -> Self {
        let mut sorted = Vec::new();
        if (0_u32..).zip(execs).any(|(at, exec)| exec.id != at) {
            sorted.extend((0_u32..).zip(execs).map(|(at, exec)| (exec.id, at)));
            sorted.sort_unstable();
        }
        Self {
            sorted,
            execs: narrow(execs.len()),
        }
    }

    /// The index of the exec with an id.
    pub fn exec(&self, id: u32) -> Option<u32> {
        if self.sorted.is_empty() {
            return (id < self.execs).then_some(id);
        }
        let at = self.sorted.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(self.sorted[at].1)
    }
}

/// The PID namespaces that each cgroup and namespace of the sites means.
#[derive(Debug, Default)]
pub(super) struct Containers<'a> {
    cgroup: HashMap<&'a [u8], Vec<u32>>,
    cgroup_id: Table<Vec<u32>>,
    mnt_ns: Table<Vec<u32>>,
}

impl<'a> Containers<'a> {
    pub fn new(sites: &'a [Site]) -> Self {
        let mut new = Self::default();
        let add = |list: &mut Vec<u32>, pid_ns| {
            if !list.contains(&pid_ns) {
                list.push(pid_ns);
            }
        };
        for site in sites {
            let pid_ns = site.namespaces.pid;
            add(
                new.cgroup.entry(site.cgroup.as_slice()).or_default(),
                pid_ns,
            );
            add(new.cgroup_id.entry(site.cgroup_id).or_default(), pid_ns);
            let mnt_ns = u64::from(site.namespaces.mnt);
            add(new.mnt_ns.entry(mnt_ns).or_default(), pid_ns);
        }
        new
    }

    /// The keys of the lanes that a sighting may mean if its pid is one in a container's own namespace.
    ///
    /// Which namespace that is must be said by the sighting: by its container, or, where it offers
    /// none, by an argv id (`named` is its exec) that has this very pid there.
    pub fn keys(&self, truth: &Truth, sighting: &Sighting, named: Option<&Exec>) -> Vec<u64> {
        let Some(pid) = sighting.ns_pid.or(sighting.pid) else {
            return Vec::new();
        };
        let hint = &sighting.container;
        if super::attribution::offers(hint) {
            let spaces = self.spaces(hint).into_iter();
            return spaces.map(|ns| ns_key(ns, pid)).collect();
        }
        let exec = named.filter(|exec| exec.ns_pid == pid);
        exec.map(|exec| ns_key(truth.site(exec).namespaces.pid, pid))
            .into_iter()
            .collect()
    }

    /// The PID namespaces that a hint may mean, by the most telling item that it offers.
    fn spaces(&self, hint: &ContainerHint) -> Vec<u32> {
        if let Some(ns) = hint.pid_ns {
            return vec![ns];
        }
        let mnt_ns = hint.mnt_ns.map(|ns| self.mnt_ns.get(&u64::from(ns)));
        let cgroup_id = hint.cgroup_id.map(|id| self.cgroup_id.get(&id));
        let cgroup = hint.cgroup.as_ref().map(|c| self.cgroup.get(c.as_slice()));
        let found = mnt_ns.or(cgroup_id).or(cgroup).flatten();
        found.cloned().unwrap_or_default()
    }
}
