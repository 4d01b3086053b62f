//! Sightings of what never was, and of what nobody asked for.

use std::collections::HashSet;

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint, Sighting},
    truth::{Exec, FIRST_CANARY_ID, Site, id_argument},
};

use super::{
    change::place_of,
    fault::Sign,
    paths::share_process,
    plants::{About, Plant, Plants},
    random::Random,
    truths::SPAWNER,
};

/// Host pids from here up are nobody's.
pub(super) const NOBODY: u32 = 4_000_000_000;

impl Plants<'_> {
    /// Sightings of the storm at times at which it made no such exec.
    pub fn invent_phantoms(&mut self, count: usize, sign: Sign, random: &mut Random) {
        for number in 0..count {
            let mut sighting = self.stranger(number, random);
            match sign {
                Sign::Parent => sighting.ppid = Some(SPAWNER),
                Sign::Pid => {
                    sighting.pid = Some(SPAWNER);
                    sighting.ppid = None;
                }
                Sign::PastPid => {
                    let Some(exec) = self.truth.execs.last() else {
                        return;
                    };
                    sighting.pid = Some(exec.pid);
                    sighting.ppid = None;
                    sighting.container = ContainerHint::default();
                    // Nobody has used it since: the storm is over.
                    sighting.time_ns = Some(self.truth.finished_ns + 1);
                }
                Sign::Cgroup => {
                    let cgroup = self.truth.sites[random.index(self.truth.sites.len())]
                        .cgroup
                        .clone();
                    sighting.container.cgroup = Some(cgroup);
                }
                Sign::Id => {
                    // The id of a call that failed.
                    sighting.argv = Some(self.unused_id(number));
                }
                Sign::Attempt => {
                    let Some(exec) = self.last_of_some_process(random) else {
                        return;
                    };
                    // Another child of the storm, which has the pid for a moment and is no exec.
                    let site = self.truth.site(exec);
                    sighting.pid = Some(exec.pid);
                    sighting.ppid = Some(SPAWNER);
                    sighting.time_ns = Some(exec.ended_ns + 1);
                    sighting.path = Some(site.given.clone());
                    sighting.argv = Some(self.unused_id(number));
                    sighting.container = place_of(site);
                }
                Sign::Namespace => {
                    let contained = |site: &&Site| site.in_container;
                    let Some(site) = self.truth.sites.iter().find(contained) else {
                        return;
                    };
                    let (mnt, pid) = (site.namespaces.mnt, site.namespaces.pid);
                    sighting.container = ContainerHint {
                        mnt_ns: number.is_multiple_of(2).then_some(mnt),
                        pid_ns: (!number.is_multiple_of(2)).then_some(pid),
                        ..ContainerHint::default()
                    };
                }
                Sign::CgroupId => {
                    let sites = &self.truth.sites;
                    sighting.container = ContainerHint {
                        cgroup_id: Some(sites[random.index(sites.len())].cgroup_id),
                        ..ContainerHint::default()
                    };
                }
                Sign::Child => {
                    let Some(exec) = self.last_of_some_process(random) else {
                        return;
                    };
                    sighting.ppid = Some(exec.pid);
                    sighting.time_ns = Some(exec.started_ns);
                }
            }
            self.add(sighting, About::Phantom);
        }
        self.sort();
    }

    /// Sightings of other processes.
    pub fn invent_foreign(&mut self, count: usize, random: &mut Random) {
        for number in 0..count {
            let sighting = self.stranger(number, random);
            self.add(sighting, About::Foreign);
        }
        self.sort();
    }

    /// Sightings of processes that have a storm's pid when the storm no longer has it, or whose parent
    /// has, and that say where they belong.
    pub fn invent_neighbours(&mut self, count: usize, random: &mut Random) {
        for number in 0..count {
            let mut sighting = self.stranger(number, random);
            let Some(exec) = self.last_of_some_process(random) else {
                return;
            };
            // The process itself, by its parent or its cgroup alone another one; or a child of it.
            match number % 3 {
                0 => {
                    sighting.pid = Some(exec.pid);
                    sighting.container = ContainerHint::default();
                }
                1 => {
                    sighting.pid = Some(exec.pid);
                    sighting.ppid = None;
                }
                _ => sighting.ppid = Some(exec.pid),
            }
            sighting.time_ns = Some(exec.ended_ns + 1);
            self.add(sighting, About::Foreign);
        }
        self.sort();
    }

    /// Sightings of canaries, which are the storm's children and none of its execs.
    pub fn invent_canaries(&mut self, count: usize, random: &mut Random) {
        for number in 0..count {
            let mut sighting = self.stranger(number, random);
            sighting.ppid = Some(SPAWNER);
            let id = FIRST_CANARY_ID + u32::try_from(number).unwrap_or(0);
            sighting.argv = Some(id_only(id));
            self.add(sighting, About::Foreign);
        }
        self.sort();
    }

    /// Sightings of the storm's own processes from before it began.
    pub fn invent_set_up(&mut self, count: usize, random: &mut Random) {
        for number in 0..count {
            let mut sighting = self.stranger(number, random);
            sighting.pid = Some(SPAWNER + u32::try_from(number % 2).unwrap_or(0));
            sighting.ppid = Some(SPAWNER);
            sighting.time_ns = Some(self.truth.began_ns - 1 - random.below(1_000_000));
            self.add(sighting, About::Foreign);
        }
        self.sort();
    }

    /// Arguments with an id that no exec has: one between theirs, or beyond.
    fn unused_id(&self, number: usize) -> Argv {
        let used: HashSet<u32> = self.truth.execs.iter().map(|exec| exec.id).collect();
        let mut unused = (0..FIRST_CANARY_ID).filter(|id| !used.contains(id));
        id_only(unused.nth(number).unwrap_or(0))
    }

    /// An exec after which its process ends.
    fn last_of_some_process(&self, random: &mut Random) -> Option<&Exec> {
        let execs = &self.truth.execs;
        let from = random.index(execs.len().max(1));
        let mut later = execs.get(from..)?.windows(2);
        let last = later.find(|pair| !share_process(&pair[0], &pair[1]));
        last.map(|pair| &pair[0]).or_else(|| execs.last())
    }

    fn add(&mut self, sighting: Sighting, about: About) {
        self.list.push(Plant { sighting, about });
    }

    /// A process that has nothing to do with the storm, at some time during it.
    fn stranger(&self, number: usize, random: &mut Random) -> Sighting {
        let span = (self.truth.finished_ns - self.truth.began_ns).max(1);
        let time = self.truth.began_ns + random.below(span);
        Sighting {
            pid: Some(NOBODY + u32::try_from(number).unwrap_or(0)),
            ppid: Some(1),
            uid: Some(0),
            time_ns: Some(time),
            received_ns: time + 1_000,
            path: Some("/usr/bin/logger".into()),
            container: ContainerHint {
                cgroup: Some("/system/logger".into()),
                ..ContainerHint::default()
            },
            ..Sighting::default()
        }
    }
}

fn id_only(id: u32) -> Argv {
    Argv::List(vec!["x".into(), Bytes(id_argument(id).to_vec())])
}
