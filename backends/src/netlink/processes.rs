//! What is known of each process, kept by its events: it outlives what `/proc` says.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    rc::Rc,
    time::Duration,
};

use execlab_model::sighting::{ContainerHint, Sighting};

use super::wire::Event;
use crate::{
    clock::monotonic_ns,
    procfs_lookup::{Listing, Procfs, Scan},
};

/// So many processes that ended are kept: their events may come before those of what they did.
const ENDED: usize = 4096;

/// `/proc` is read anew for at most one part in this many of the time.
const SHARE: u32 = 10;

/// What a process has from its parent, or from what was read of it while it lived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The parent; `None` also once that has ended, for nobody tells who the next one is.
    pub parent: Option<u32>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Cgroup and namespaces. Shared by all that inherit them.
    pub container: Rc<ContainerHint>,
}

impl Facts {
    /// Fills in what is missing.
    pub fn complete(&self, sighting: &mut Sighting) {
        sighting.ppid = sighting.ppid.or(self.parent);
        sighting.uid = sighting.uid.or(self.uid);
        let (here, known) = (&mut sighting.container, &*self.container);
        // A zombie still has its cgroup. In another one than it inherited it has moved, and may have other
        // namespaces too.
        if here.cgroup.is_none() || here.cgroup == known.cgroup {
            here.cgroup = here.cgroup.take().or_else(|| known.cgroup.clone());
            here.mnt_ns = here.mnt_ns.or(known.mnt_ns);
            here.pid_ns = here.pid_ns.or(known.pid_ns);
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    facts: Facts,
    ended: bool,
}

/// The table.
#[derive(Debug, Default)]
pub struct Processes {
    known: BTreeMap<u32, Known>,
    /// Those that ended, the oldest first. One whose number was given again is in `known` as the new one.
    ended: VecDeque<u32>,
}

impl Processes {
    /// Follows an event that is not an exec.
    pub fn follow(&mut self, event: Event) {
        match event {
            Event::Fork { parent, child } => {
                let inherited = self.known.get(&parent).map(|known| known.facts.clone());
                let facts = Facts {
                    parent: Some(parent),
                    ..inherited.unwrap_or_default()
                };
                let ended = false;
                self.known.insert(child, Known { facts, ended });
            }
            Event::Exit { pid } => {
                if let Some(known) = self.known.get_mut(&pid) {
                    known.ended = true;
                    self.ended.push_back(pid);
                }
                if self.ended.len() > ENDED {
                    let oldest = self.ended.pop_front().expect("more than none");
                    if self.known.get(&oldest).is_some_and(|known| known.ended) {
                        self.known.remove(&oldest);
                    }
                }
            }
            Event::User { pid, leader, uid } => {
                if let Some(Known { facts, .. }) = self.known.get_mut(&pid) {
                    // Threads may have different ids, and an exec may come from any of them.
                    facts.uid = (leader || facts.uid == Some(uid)).then_some(uid);
                }
            }
            _ => {}
        }
    }

    /// What is known of a process that executes just now.
    pub fn executes(&mut self, pid: u32) -> Facts {
        let Some(known) = self.known.get_mut(&pid) else {
            return Facts::default();
        };
        // Another thread executed, and took the number of the first, which ended.
        known.ended = false;
        let mut facts = known.facts.clone();
        let alive = |parent: &u32| self.known.get(parent).is_some_and(|known| !known.ended);
        facts.parent = facts.parent.filter(alive);
        facts
    }

    /// Takes in what was read of a process that lived.
    pub fn learn(&mut self, sighting: &Sighting) {
        let Some(known) = sighting.pid.and_then(|pid| self.known.get_mut(&pid)) else {
            return;
        };
        known.facts.uid = sighting.uid.or(known.facts.uid);
        // A zombie has no namespaces.
        let here = &sighting.container;
        if here.mnt_ns.is_some() && *here != *known.facts.container {
            known.facts.container = Rc::new(here.clone());
        }
    }

    /// Forgets everything: events were lost, and what is known may be of others by now.
    pub fn clear(&mut self) {
        self.known.clear();
        self.ended.clear();
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

/// Reads all processes there are.
#[derive(Debug)]
pub struct Snapshots {
    listing: Listing,
    begun_ns: u64,
    took: Duration,
    /// How many were made.
    pub made: u64,
}

impl Snapshots {
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            listing: Listing::open()?,
            begun_ns: 0,
            took: Duration::ZERO,
            made: 0,
        })
    }

    /// How long the next one has to wait.
    pub fn due_in(&self) -> Duration {
        let since = Duration::from_nanos(monotonic_ns().saturating_sub(self.begun_ns));
        (self.took * SHARE).saturating_sub(since)
    }

    /// Fills an empty table. What happens meanwhile is in the queue, and is followed after it.
    pub fn fill(&mut self, processes: &mut Processes, proc: &mut Procfs) -> io::Result<()> {
        self.begun_ns = monotonic_ns();
        self.made += 1;
        self.listing.scan(Scan::Full)?;
        for &(pid, _) in &self.listing.found {
            let Some(process) = proc.process(pid) else {
                continue;
            };
            let Some(status) = process.status(proc) else {
                continue;
            };
            let facts = Facts {
                parent: status.ppid.filter(|&parent| parent != 0),
                uid: status.uid,
                container: Rc::new(process.container(proc)),
            };
            let ended = false;
            processes.known.insert(pid, Known { facts, ended });
        }
        self.took = Duration::from_nanos(monotonic_ns() - self.begun_ns);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn container(mnt_ns: u32) -> ContainerHint {
        ContainerHint {
            cgroup: Some(b"/a".as_slice().into()),
            mnt_ns: Some(mnt_ns),
            pid_ns: Some(1),
            cgroup_id: None,
        }
    }

    /// A table in which process 10 is known, a child of 1.
    fn table() -> Processes {
        let mut table = Processes::default();
        for (parent, child) in [(0, 1), (1, 10)] {
            table.follow(Event::Fork { parent, child });
        }
        table.learn(&Sighting {
            pid: Some(10),
            uid: Some(1000),
            container: container(7),
            ..Sighting::default()
        });
        table
    }

    #[test]
    fn a_child_has_what_its_parent_has() {
        let mut table = table();
        table.follow(Event::Fork {
            parent: 10,
            child: 20,
        });
        let facts = table.executes(20);
        assert_eq!((facts.parent, facts.uid), (Some(10), Some(1000)));
        assert_eq!(*facts.container, container(7));
        assert_eq!(table.executes(99), Facts::default());
    }

    #[test]
    fn a_parent_that_ended_is_nobodys_parent() {
        let mut table = table();
        table.follow(Event::Fork {
            parent: 10,
            child: 20,
        });
        table.follow(Event::Exit { pid: 10 });
        assert_eq!(table.executes(20).parent, None);
        assert_eq!(table.executes(20).uid, Some(1000));
        // Its first thread ended, and another one executed.
        table.executes(10);
        assert_eq!(table.executes(20).parent, Some(10));
    }

    #[test]
    fn user_ids_are_those_of_the_first_thread_or_of_all() {
        let mut table = table();
        let mut user = |leader, uid| {
            table.follow(Event::User {
                pid: 10,
                leader,
                uid,
            });
            table.executes(10).uid
        };
        assert_eq!(user(true, 5), Some(5));
        assert_eq!(user(false, 5), Some(5));
        assert_eq!(user(false, 6), None);
        assert_eq!(user(true, 6), Some(6));
    }

    #[test]
    fn what_proc_said_stands_and_the_rest_is_filled_in() {
        let facts = Facts {
            parent: Some(3),
            uid: Some(4),
            container: Rc::new(container(7)),
        };
        let mut gone = Sighting::default();
        facts.complete(&mut gone);
        assert_eq!((gone.ppid, gone.uid), (Some(3), Some(4)));
        assert_eq!(gone.container, container(7));
        let mut zombie = Sighting {
            ppid: Some(8),
            ..Sighting::default()
        };
        zombie.container.cgroup = Some(b"/b".as_slice().into());
        facts.complete(&mut zombie);
        assert_eq!((zombie.ppid, zombie.uid), (Some(8), Some(4)));
        assert_eq!(zombie.container.mnt_ns, None, "it moved");
    }

    #[test]
    fn the_processes_there_are_are_read() {
        let (mut table, mut proc) = (Processes::default(), Procfs::open().unwrap());
        let mut snapshots = Snapshots::open().unwrap();
        snapshots.fill(&mut table, &mut proc).unwrap();
        let me = table.executes(std::process::id());
        assert_eq!(me.parent, Some(std::os::unix::process::parent_id()));
        let mut sighting = Sighting::default();
        proc.process(std::process::id()).unwrap().lasting(
            &mut proc,
            crate::procfs_lookup::Depth::Full,
            &mut sighting,
        );
        assert_eq!(
            (me.uid, &*me.container),
            (sighting.uid, &sighting.container)
        );
    }

    #[test]
    fn those_that_ended_are_forgotten_and_those_that_live_are_not() {
        let mut table = table();
        for child in 100..100 + 2 * u32::try_from(ENDED).unwrap() {
            table.follow(Event::Fork { parent: 10, child });
            table.follow(Event::Exit { pid: child });
        }
        assert_eq!(table.len(), ENDED + 2);
        assert_eq!(table.executes(10).uid, Some(1000));
        assert_eq!(table.executes(100), Facts::default());
    }

    proptest! {
        /// Whatever comes, in whatever order.
        #[test]
        fn no_order_of_events_is_too_much(
            events in proptest::collection::vec((0u32..5, 0u32..6, 0u32..6), 0..200),
        ) {
            let mut table = table();
            for (what, first, second) in events {
                match what {
                    0 => table.follow(Event::Fork { parent: first, child: second }),
                    1 => table.follow(Event::Exit { pid: first }),
                    2 => table.follow(Event::User { pid: first, leader: second > 2, uid: second }),
                    3 => table.clear(),
                    _ => {
                        let facts = table.executes(first);
                        let parent = facts.parent.map(|parent| table.known[&parent].ended);
                        prop_assert_ne!(parent, Some(true));
                    }
                }
            }
        }
    }
}
