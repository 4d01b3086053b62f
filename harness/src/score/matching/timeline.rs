//! The execs of each pid in the order of time.

use std::collections::HashMap;

use execlab_model::{
    Bytes,
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
///
/// Times lie in the order of execs, and lanes are lists of indices: a pid comes again only after all
/// others, so its execs are far apart, while those of one time are asked for together.
#[derive(Debug)]
pub struct Lanes {
    /// For each exec its slot; blank where it is in no lane.
    slots: Vec<Slot>,
    /// Indices of execs, lane by lane.
    order: Vec<u32>,
    /// Where each lane begins in `order`; one more at the end.
    starts: Vec<u32>,
    lane_of: Table<u32>,
    /// For each exec, where it is in `order`.
    places: Vec<u32>,
}

/// The execs of one pid in the order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane<'a> {
    order: &'a [u32],
    slots: &'a [Slot],
}

impl<'a> Lane<'a> {
    /// How many execs there are.
    pub fn len(self) -> usize {
        self.order.len()
    }

    /// One of them.
    pub fn slot(self, place: usize) -> &'a Slot {
        &self.slots[self.order[place] as usize]
    }

    /// As `partition_point`, in a few steps where the answer is near a place.
    pub fn partition_near(self, near: u32, before: impl Fn(&Slot) -> bool) -> usize {
        let before = |place: usize| before(self.slot(place));
        let near = (near as usize).min(self.len());
        let (mut low, mut high) = (near, near);
        let mut step = 1;
        while low > 0 && !before(low - 1) {
            high = low - 1;
            low = low.saturating_sub(step);
            step *= 2;
        }
        if high == near {
            while high < self.len() && before(high) {
                low = high + 1;
                high = (high + step).min(self.len());
                step *= 2;
            }
        }
        while low < high {
            let middle = low.midpoint(high);
            if before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
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

    /// One lane for each of these paths, where `path` names it for an exec's site.
    pub(super) fn by_path(
        truth: &Truth,
        paths: &Paths<'_>,
        path: impl Fn(&Site) -> Option<&Bytes>,
    ) -> Self {
        let mut new = Self::new(&truth.execs, |exec| paths.key(path(truth.site(exec))?));
        for lane in 0..new.len() {
            let of = new.starts[lane] as usize..new.starts[lane + 1] as usize;
            widen(&mut new.slots, &new.order[of], &truth.execs);
        }
        new
    }

    /// Lanes of the execs that `key` has a key for.
    fn new(execs: &[Exec], key: impl Fn(&Exec) -> Option<u64>) -> Self {
        let mut lane_of: Table<u32> = Table::default();
        // Of each lane its length so far, and the exec that was added last.
        let mut lanes: Vec<(u32, u32)> = Vec::new();
        let mut unsorted: Vec<u32> = Vec::new();
        let mut slots = Vec::with_capacity(execs.len());
        let mut places = Vec::with_capacity(execs.len());
        for (at, exec) in (0_u32..).zip(execs) {
            slots.push(Slot::new(at, exec));
            let Some(key) = key(exec) else {
                places.push(NONE);
                continue;
            };
            let next = narrow(lanes.len());
            let lane = *lane_of.entry(key).or_insert(next);
            if lane == next {
                lanes.push((0, at));
            }
            let (count, last) = &mut lanes[lane as usize];
            if *count > 0 && !follow(&mut slots, *last, at) {
                unsorted.push(lane);
            }
            *last = at;
            *count += 1;
            places.push(lane);
        }
        let mut starts = vec![0_u32];
        let mut next: Vec<u32> = Vec::with_capacity(lanes.len());
        for (count, _) in lanes {
            let start = starts[starts.len() - 1];
            next.push(start);
            starts.push(start + count);
        }
        let mut order = vec![NONE; starts[starts.len() - 1] as usize];
        for (at, place) in (0_u32..)
            .zip(&mut places)
            .filter(|(_, lane)| **lane != NONE)
        {
            // What was a lane becomes a place in it.
            let next = &mut next[*place as usize];
            *place = *next;
            order[*next as usize] = at;
            *next += 1;
        }
        let mut new = Self {
            slots,
            order,
            starts,
            lane_of,
            places,
        };
        unsorted.sort_unstable();
        unsorted.dedup();
        for lane in unsorted {
            new.sort(execs, lane);
        }
        new
    }

    /// Puts a lane in order whose execs did not come in the order of time.
    fn sort(&mut self, execs: &[Exec], lane: u32) {
        let start = self.starts[lane as usize];
        let of = start as usize..self.starts[lane as usize + 1] as usize;
        let order = &mut self.order[of];
        for &exec in &*order {
            self.slots[exec as usize] = Slot::new(exec, &execs[exec as usize]);
        }
        order.sort_unstable_by_key(|&exec| {
            let slot = &self.slots[exec as usize];
            (slot.started, slot.from, exec)
        });
        for (place, &exec) in (start..).zip(&*order) {
            self.places[exec as usize] = place;
        }
        for pair in order.windows(2) {
            follow(&mut self.slots, pair[0], pair[1]);
        }
    }

    /// The lane of a key, if any exec has it.
    pub(super) fn of(&self, key: u64) -> Option<u32> {
        self.lane_of.get(&key).copied()
    }

    /// The execs of a lane.
    pub(super) fn lane(&self, lane: u32) -> Lane<'_> {
        let lane = lane as usize;
        Lane {
            order: &self.order[self.starts[lane] as usize..self.starts[lane + 1] as usize],
            slots: &self.slots,
        }
    }

    /// How many lanes there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where an exec stands in its lane.
    pub(super) fn place(&self, lane: u32, exec: u32) -> Option<usize> {
        let start = self.starts[lane as usize];
        let place = self.places[exec as usize].checked_sub(start)? as usize;
        (place < self.lane(lane).len()).then_some(place)
    }

    /// The slot of an exec.
    pub fn slot(&self, exec: u32) -> &Slot {
        &self.slots[exec as usize]
    }

    /// The execs of the same process before and after this one.
    ///
    /// Two execs of one pid are of one process where the first one ends when the second one's image
    /// starts; a process that is reaped ends before the pid can be used again.
    pub fn neighbours(&self, execs: &[Exec], exec: u32) -> impl Iterator<Item = u32> {
        let place = self.places[exec as usize] as usize;
        let own = self.slot(exec);
        let lane = self.of(u64::from(execs[exec as usize].pid));
        let of = |place: usize| {
            let other = *self.order.get(place)?;
            (self.of(u64::from(execs[other as usize].pid)) == lane).then(|| self.slot(other))
        };
        let before = place.checked_sub(1).and_then(of);
        let before = before.filter(|before| before.until >= own.started);
        let after = of(place + 1).filter(|after| own.until >= after.started);
        before.into_iter().chain(after).map(|slot| slot.exec)
    }

    /// Whether a process of this host pid may have been alive between two times.
    pub(super) fn is_alive(&self, pid: u32, from: u64, until: u64) -> bool {
        self.of(u64::from(pid)).is_some_and(|lane| {
            let lane = self.lane(lane);
            let at = lane.partition_near(0, |slot| slot.until < from);
            at < lane.len() && lane.slot(at).from <= until
        })
    }
}

/// Lets two execs of one pid follow each other, because a pid is one process at a time; `false` if
/// they are not in the order of time.
fn follow(slots: &mut [Slot], last: u32, next: u32) -> bool {
    let (last, next) = (last as usize, next as usize);
    let (started, until) = (slots[last].started, slots[next].started);
    slots[last].until = slots[last].until.min(until);
    slots[next].from = slots[next].from.max(started);
    started <= until
}

/// Lets execs of one file overlap, because many processes can run it at a time. So that times ascend in the lane all the
/// same, an exec is there as long as any before it, and from when any behind it is.
fn widen(slots: &mut [Slot], lane: &[u32], execs: &[Exec]) {
    let mut until = 0;
    for &exec in lane {
        let slot = &mut slots[exec as usize];
        *slot = Slot::new(exec, &execs[exec as usize]);
        until = until.max(slot.until);
        slot.until = until;
    }
    let mut from = u64::MAX;
    for &exec in lane.iter().rev() {
        let slot = &mut slots[exec as usize];
        from = from.min(slot.from);
        slot.from = from;
    }
}

/// The key of a pid in a PID namespace.
fn ns_key(namespace: u32, pid: u32) -> u64 {
    u64::from(namespace) << 32 | u64::from(pid)
}

/// Numbers for paths, as keys of lanes.
#[derive(Debug, Default)]
pub(super) struct Paths<'a>(HashMap<&'a [u8], u64>);

impl<'a> Paths<'a> {
    /// Adds a path.
    pub fn add(&mut self, path: &'a Bytes) {
        let next = self.0.len() as u64;
        self.0.entry(path.as_slice()).or_insert(next);
    }

    /// The number of a path that was added.
    pub fn key(&self, path: &Bytes) -> Option<u64> {
        self.0.get(path.as_slice()).copied()
    }
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
