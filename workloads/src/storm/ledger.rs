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
mod tests;
