//! What the storm notes while it runs, and how that becomes truth.

use std::collections::HashMap;

use execlab_model::{
    Bytes,
    truth::{Exec, FIRST_CANARY_ID, Outcome, Truth},
};
use nix::{sys::wait::WaitStatus, unistd::Pid};

use crate::{
    evidence::{Evidence, NO_EVIDENCE},
    scenario::Way,
    spawn::EXEC_FAILED,
};

/// One child as its parent saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The id of its first exec; further ones have those behind it.
    pub id: u32,
    /// Which of the scenario's ways.
    pub way: u32,
    /// What `fork` returned.
    pub pid: u32,
    /// How long it was told to live.
    pub lifetime_ns: u64,
    /// Before the child was made.
    pub spawned_ns: u64,
    /// After it was reaped; 0 while it runs.
    pub reaped_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Every child of a storm, in the order in which they were made. Filled on the timed path, so all
/// memory is there before.
#[derive(Debug)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Children that were not reaped yet, by pid.
    running: HashMap<u32, usize>,
    /// When the first child was due.
    pub began_ns: u64,
    /// When the last child was reaped.
    pub finished_ns: u64,
    /// By how much the storm fell behind its schedule at worst.
    pub worst_lateness_ns: u64,
}

/// Evidence and ledger do not fit together: the truth is not whole, and nothing can be scored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TruthError {
    /// One id, two images.
    #[error("two images reported the id {0}")]
    SharedId(u32),
    /// An image that nobody started.
    #[error("an image reported the id {0}, which was not given out")]
    UnknownId(u32),
    /// Whether it was executed is not known.
    #[error("exec {0} left no evidence, and its child did not fail to exec but ended as {1:?}")]
    Silent(u32, Outcome),
    /// A child that was to make no exec did not end as its way says.
    #[error("child {0}, which was to make no exec, ended as {1:?} and not in good order")]
    NotAsMeant(u32, Outcome),
    /// An image that could not do what its arguments say: it is not the exec that truth tells of.
    #[error("the last image of child {0} could not do what its arguments say")]
    NotDone(u32),
    /// A child of which nobody knows when it ended.
    #[error("child {0} was not reaped")]
    StillThere(u32),
    /// An image that is older than its process.
    #[error("the image of exec {0} started before its process was made")]
    BeforeItsTime(u32),
    /// A witnessed image that descends from none of the storm's children.
    #[error(
        "process {0} reported an image, and none of the storm's children is known to have made it"
    )]
    Unattributed(u32),
    /// A witnessed image whose file is not found.
    #[error("an image was executed as `{0}`, and there is no such program or script any more")]
    Unresolved(Bytes),
    /// Children of one way that did not do the same.
    #[error(
        "child {id} and its descendants reported {images} images, others of its kind {expected}"
    )]
    Uneven {
        /// The child.
        id: u32,
        /// How many it was.
        images: u32,
        /// How many it was of the first one.
        expected: u32,
    },
    /// In the storm's own PID namespace the image's own pid is the one that fork returned.
    #[error("exec {id} reported pid {own}, its parent had {parents}")]
    Pid {
        /// The exec.
        id: u32,
        /// By its own word.
        own: u32,
        /// By its parent's.
        parents: u32,
    },
}

impl Ledger {
    /// With room for this many children.
    pub fn with_capacity(children: usize) -> Self {
        let blank = Entry {
            id: 0,
            way: 0,
            pid: 0,
            lifetime_ns: 0,
            spawned_ns: 0,
            reaped_ns: 0,
            outcome: Outcome::Unknown,
        };
        // Written once, so that its pages are there when the clock runs.
        let mut entries = vec![blank; children];
        entries.clear();
        Self {
            entries,
            running: HashMap::with_capacity(children),
            began_ns: 0,
            finished_ns: 0,
            worst_lateness_ns: 0,
        }
    }

    /// Notes a child that was just made.
    pub fn spawned(&mut self, id: u32, way: usize, pid: Pid, lifetime_ns: u64, spawned_ns: u64) {
        let pid = pid.as_raw().unsigned_abs();
        self.running.insert(pid, self.entries.len());
        self.entries.push(Entry {
            id,
            way: u32::try_from(way).expect("a scenario has few ways"),
            pid,
            lifetime_ns,
            spawned_ns,
            reaped_ns: 0,
            outcome: Outcome::Unknown,
        });
    }

    /// Notes the end of a child. Whoever is not in the ledger is none of ours.
    pub fn reaped(&mut self, status: WaitStatus, now: u64) {
        let Some(pid) = status.pid().map(|pid| pid.as_raw().unsigned_abs()) else {
            return;
        };
        let Some(at) = self.running.remove(&pid) else {
            return;
        };
        let entry = &mut self.entries[at];
        entry.reaped_ns = now;
        entry.outcome = match status {
            WaitStatus::Exited(_, code) => Outcome::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
            WaitStatus::Signaled(_, signal, _) => {
                Outcome::Killed(u8::try_from(signal as i32).unwrap_or(u8::MAX))
            }
            _ => Outcome::Unknown,
        };
    }

    /// The children of ways that tell by this themselves.
    pub fn children_of(&self, ways: &[Way], which: impl Fn(&Way) -> bool) -> Vec<Entry> {
        let of = |entry: &&Entry| which(&ways[entry.way as usize]);
        self.entries.iter().filter(of).copied().collect()
    }

    /// How many children were not reaped yet.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Joins parents' notes with images' evidence. `own_pid_ns` is the PID namespace in which parents have
    /// their numbers from.
    pub fn join(
        &self,
        evidence: &[Evidence],
        ways: &[Way],
        own_pid_ns: u32,
    ) -> Result<Truth, TruthError> {
        let mut images = Images::new(evidence)?;
        let first_sites = first_sites(ways);
        let mut truth = Truth {
            sites: ways.iter().flat_map(|way| &way.sites).cloned().collect(),
            forks: self.entries.len() as u64,
            began_ns: self.began_ns,
            finished_ns: self.finished_ns,
            worst_lateness_ns: self.worst_lateness_ns,
            ..Truth::default()
        };
        for entry in &self.entries {
            let way = &ways[entry.way as usize];
            let planned = way.planned();
            truth.planned.execs += planned.execs;
            truth.planned.attempts += planned.attempts;
            truth.planned.forks += planned.forks;
            truth.planned.children += planned.children;
            let first = truth.execs.len();
            let first_site = first_sites[entry.way as usize];
            let expected = u32::try_from(way.sites.len()).expect("a few");
            for place in 0..expected {
                let site = first_site + place;
                let Some(image) = images.take(entry.id + place) else {
                    break;
                };
                truth.execs.push(exec(entry, way, site, image)?);
            }
            let own = &mut truth.execs[first..];
            // The next image of a process ends the one before, and is made while that one runs; so is the
            // image of a further process.
            for at in 1..own.len() {
                if own[at - 1].pid == own[at].pid {
                    own[at - 1].ended_ns = own[at].started_ns;
                } else {
                    truth.forks += 1;
                }
                own[at].spawned_ns = own[at - 1].started_ns;
            }
            for image in own.iter() {
                let site = &truth.sites[image.site as usize];
                let same_pids = site.namespaces.pid == own_pid_ns && !way.by_others;
                if same_pids && image.ns_pid != entry.pid {
                    let (id, own, parents) = (image.id, image.ns_pid, entry.pid);
                    return Err(TruthError::Pid { id, own, parents });
                }
            }
            truth.attempts += planned.attempts;
            if way.by_others {
                truth.forks += own.len() as u64;
            }
            if !own.is_empty() && entry.outcome == Outcome::Exited(NO_EVIDENCE) {
                return Err(TruthError::NotDone(entry.id));
            }
            if entry.reaped_ns == 0 {
                return Err(TruthError::StillThere(entry.id));
            }
            if own.len() < way.sites.len() {
                // Only a child that says itself that its exec failed is known not to have made one.
                if !own.is_empty() || entry.outcome != Outcome::Exited(EXEC_FAILED) {
                    let id = entry.id + u32::try_from(own.len()).expect("a few");
                    return Err(TruthError::Silent(id, entry.outcome));
                }
                truth.attempts += 1;
            } else if own.is_empty() && entry.outcome != Outcome::Exited(0) {
                return Err(TruthError::NotAsMeant(entry.id, entry.outcome));
            }
            if (own.is_empty() && way.witnessed.is_none()) || way.by_others {
                truth.storm_pids.push(entry.pid);
            }
        }
        images.all_taken()?;
        Ok(truth)
    }
}

/// The exec of one image of a child.
fn exec(entry: &Entry, way: &Way, site: u32, image: &Evidence) -> Result<Exec, TruthError> {
    let (pid, parent) = if way.by_others {
        (image.pid, image.ppid)
    } else if image.host_pid != 0 && image.host_pid != entry.pid {
        // A child of the program that the storm's child became.
        (image.host_pid, entry.pid)
    } else {
        (entry.pid, std::process::id())
    };
    if image.started_ns < entry.spawned_ns {
        return Err(TruthError::BeforeItsTime(image.id));
    }
    Ok(Exec {
        id: image.id,
        site,
        pid,
        ns_pid: image.pid,
        parent,
        uid: way.uid.unwrap_or(image.uid),
        lifetime_ns: entry.lifetime_ns,
        spawned_ns: entry.spawned_ns,
        started_ns: image.started_ns,
        ended_ns: entry.reaped_ns,
        outcome: entry.outcome,
    })
}

/// Where the sites of each way begin in the list of all.
fn first_sites(ways: &[Way]) -> Vec<u32> {
    let sites = ways.iter().scan(0_usize, |next, way| {
        let first = *next;
        *next += way.sites.len();
        u32::try_from(first).ok()
    });
    sites.collect()
}

/// Evidence by id, each given out once.
struct Images<'a>(HashMap<u32, &'a Evidence>);

impl<'a> Images<'a> {
    fn new(evidence: &'a [Evidence]) -> Result<Self, TruthError> {
        let mut by_id = HashMap::with_capacity(evidence.len());
        for image in evidence.iter().filter(|image| image.id < FIRST_CANARY_ID) {
            if by_id.insert(image.id, image).is_some() {
                return Err(TruthError::SharedId(image.id));
            }
        }
        Ok(Self(by_id))
    }

    fn take(&mut self, id: u32) -> Option<&'a Evidence> {
        self.0.remove(&id)
    }

    fn all_taken(self) -> Result<(), TruthError> {
        match self.0.keys().min() {
            Some(&id) => Err(TruthError::UnknownId(id)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::truth::Site;
    use nix::sys::signal::Signal;

    use super::*;
    use crate::evidence::EVIDENCE_MAGIC;

    fn image(id: u32, pid: u32) -> Evidence {
        Evidence {
            magic: EVIDENCE_MAGIC,
            id,
            pid,
            uid: 0,
            started_ns: 15,
            ppid: 1,
            host_pid: 0,
        }
    }

    const OWN: u32 = 4_026_531_836;

    /// A way with so many execs in the storm's own PID namespace.
    fn way(execs: usize) -> Way {
        let mut site = Site::default();
        site.namespaces.pid = OWN;
        Way {
            sites: vec![site; execs],
            ..Way::default()
        }
    }

    /// Ids 0 to 2 with pids 100 to 102, all reaped.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::with_capacity(3);
        for (id, raw) in [(0, 100), (1, 101), (2, 102)] {
            ledger.spawned(id, 0, Pid::from_raw(raw), 0, 10);
        }
        ledger.reaped(WaitStatus::Exited(Pid::from_raw(101), 127), 20);
        ledger.reaped(
            WaitStatus::Signaled(Pid::from_raw(100), Signal::SIGKILL, false),
            21,
        );
        ledger.reaped(WaitStatus::Exited(Pid::from_raw(555), 0), 22);
        ledger.reaped(WaitStatus::Exited(Pid::from_raw(102), 0), 23);
        ledger
    }

    #[test]
    fn a_child_without_evidence_is_an_attempt() {
        let evidence = [image(2, 102), image(FIRST_CANARY_ID, 9), image(0, 100)];
        let truth = ledger().join(&evidence, &[way(1)], OWN).unwrap();
        let seen: Vec<_> = truth
            .execs
            .iter()
            .map(|e| (e.id, e.ended_ns, e.outcome))
            .collect();
        assert_eq!(
            seen,
            [(0, 21, Outcome::Killed(9)), (2, 23, Outcome::Exited(0))]
        );
        assert_eq!((truth.attempts, truth.forks), (1, 3));
        assert_eq!((truth.planned.execs, truth.planned.attempts), (3, 0));
        assert_eq!(truth.storm_pids, [101]);
        assert_eq!(ledger().running(), 0);
    }

    #[test]
    fn evidence_that_does_not_fit_spoils_the_truth() {
        let join = |evidence: &[Evidence]| ledger().join(evidence, &[way(1)], OWN).map(drop);
        let (zero, two) = (image(0, 100), image(2, 102));
        assert_eq!(join(&[zero, two, two]), Err(TruthError::SharedId(2)));
        assert_eq!(
            join(&[zero, two, image(7, 101)]),
            Err(TruthError::UnknownId(7))
        );
        let swapped = TruthError::Pid {
            id: 2,
            own: 101,
            parents: 102,
        };
        assert_eq!(join(&[zero, image(2, 101)]), Err(swapped));
    }

    #[test]
    fn a_child_that_neither_left_evidence_nor_failed_to_exec_spoils_the_truth() {
        let silent = |status| {
            let mut ledger = Ledger::with_capacity(1);
            ledger.spawned(0, 0, Pid::from_raw(100), 0, 10);
            ledger.reaped(status, 20);
            ledger.join(&[], &[way(1)], OWN).map(drop)
        };
        let pid = Pid::from_raw(100);
        for (status, outcome) in [
            (
                WaitStatus::Exited(pid, NO_EVIDENCE.into()),
                Outcome::Exited(NO_EVIDENCE),
            ),
            (
                WaitStatus::Signaled(pid, Signal::SIGKILL, false),
                Outcome::Killed(9),
            ),
        ] {
            assert_eq!(silent(status), Err(TruthError::Silent(0, outcome)));
        }
        assert_eq!(silent(WaitStatus::Exited(pid, EXEC_FAILED.into())), Ok(()));
    }

    #[test]
    fn in_another_pid_namespace_the_image_has_a_pid_of_its_own() {
        let mut other = way(1);
        other.sites[0].namespaces.pid += 1;
        let truth = ledger()
            .join(&[image(0, 6), image(2, 7)], &[other], OWN)
            .unwrap();
        assert_eq!((truth.execs[1].pid, truth.execs[1].ns_pid), (102, 7));
    }

    /// One child with the id 10, reaped at 40 with this status.
    fn one_child(status: i32) -> Ledger {
        let pid = Pid::from_raw(100);
        let mut ledger = Ledger::with_capacity(1);
        ledger.spawned(10, 0, pid, 0, 10);
        ledger.reaped(WaitStatus::Exited(pid, status), 40);
        ledger
    }

    #[test]
    fn the_images_of_a_process_follow_each_other() {
        let mut images = [image(12, 100), image(10, 100), image(11, 100)];
        (images[2].started_ns, images[0].started_ns) = (20, 30);
        let truth = one_child(0).join(&images, &[way(3)], OWN).unwrap();
        let times: Vec<_> = truth
            .execs
            .iter()
            .map(|e| (e.id, e.site, e.spawned_ns, e.started_ns, e.ended_ns))
            .collect();
        let expected = [
            (10, 0, 10, 15, 20),
            (11, 1, 15, 20, 30),
            (12, 2, 20, 30, 40),
        ];
        assert_eq!(times, expected);
        let broken_off = one_child(127).join(&images[1..2], &[way(3)], OWN);
        assert_eq!(
            broken_off,
            Err(TruthError::Silent(11, Outcome::Exited(127)))
        );
    }

    #[test]
    fn a_program_of_others_makes_a_process_that_the_kernel_names() {
        let mut images = [image(10, 100), image(11, 1)];
        (images[1].host_pid, images[1].started_ns) = (140, 20);
        let mut ways = way(2);
        ways.descendants = 1;
        ways.sites[1].namespaces.pid = 0;
        let truth = one_child(0).join(&images, &[ways], OWN).unwrap();
        let execs: Vec<_> = truth
            .execs
            .iter()
            .map(|e| (e.pid, e.ns_pid, e.parent, e.spawned_ns, e.ended_ns))
            .collect();
        let own = std::process::id();
        assert_eq!(execs, [(100, 100, own, 10, 40), (140, 1, 100, 15, 40)]);
        assert_eq!((truth.forks, truth.planned.forks), (2, 2));
    }

    #[test]
    fn a_child_without_an_exec_ends_in_good_order() {
        let truth = one_child(0).join(&[], &[way(0)], OWN).unwrap();
        assert_eq!(
            (truth.execs.len(), truth.forks, truth.planned.execs),
            (0, 1, 0)
        );
        assert_eq!(truth.storm_pids, [100]);
        let bad = one_child(126).join(&[], &[way(0)], OWN);
        assert_eq!(bad, Err(TruthError::NotAsMeant(10, Outcome::Exited(126))));
        let other = one_child(0).join(&[image(10, 100)], &[way(0)], OWN);
        assert_eq!(other, Err(TruthError::UnknownId(10)));
    }

    #[test]
    fn of_others_the_image_alone_knows_pid_and_parent() {
        let mut others = way(1);
        (others.by_others, others.uid) = (true, Some(1000));
        let truth = one_child(0).join(&[image(10, 55)], &[others], OWN).unwrap();
        let exec = truth.execs[0];
        assert_eq!((exec.pid, exec.parent, exec.uid), (55, 1, 1000));
        assert_eq!(truth.storm_pids, [100]);
    }
}
