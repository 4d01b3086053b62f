//! What the storm notes while it runs, and how that becomes truth.

use std::collections::HashMap;

use execlab_model::truth::{Exec, FIRST_CANARY_ID, Outcome, Site, Truth};
use nix::{sys::wait::WaitStatus, unistd::Pid};

use crate::{evidence::Evidence, spawn::EXEC_FAILED};

/// One child as its parent saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The id it was given.
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
    /// Outside of containers the image's own pid is the one that fork returned.
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

    /// How many children were not reaped yet.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Joins parents' notes with images' evidence. Who left no evidence did not exec: an attempt.
    pub fn join(&self, evidence: &[Evidence], sites: Vec<Site>) -> Result<Truth, TruthError> {
        let mut by_id = HashMap::with_capacity(evidence.len());
        for image in evidence.iter().filter(|image| image.id < FIRST_CANARY_ID) {
            if by_id.insert(image.id, image).is_some() {
                return Err(TruthError::SharedId(image.id));
            }
        }
        let parent = std::process::id();
        let mut execs = Vec::with_capacity(by_id.len());
        for entry in &self.entries {
            let Some(image) = by_id.remove(&entry.id) else {
                // Only a child that says itself that its exec failed is known not to have made one.
                if entry.outcome == Outcome::Exited(EXEC_FAILED) {
                    continue;
                }
                return Err(TruthError::Silent(entry.id, entry.outcome));
            };
            if !sites[entry.way as usize].in_container && image.pid != entry.pid {
                let (id, own, parents) = (entry.id, image.pid, entry.pid);
                return Err(TruthError::Pid { id, own, parents });
            }
            execs.push(Exec {
                id: entry.id,
                site: entry.way,
                pid: entry.pid,
                ns_pid: image.pid,
                parent,
                uid: image.uid,
                lifetime_ns: entry.lifetime_ns,
                spawned_ns: entry.spawned_ns,
                started_ns: image.started_ns,
                ended_ns: entry.reaped_ns,
                outcome: entry.outcome,
            });
        }
        if let Some(&id) = by_id.keys().min() {
            return Err(TruthError::UnknownId(id));
        }
        Ok(Truth {
            attempts: (self.entries.len() - execs.len()) as u64,
            forks: self.entries.len() as u64,
            sites,
            execs,
            storm_pids: Vec::new(),
            began_ns: self.began_ns,
            finished_ns: self.finished_ns,
            worst_lateness_ns: self.worst_lateness_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;
    use crate::evidence::{EVIDENCE_MAGIC, NO_EVIDENCE};

    fn image(id: u32, pid: u32) -> Evidence {
        Evidence {
            magic: EVIDENCE_MAGIC,
            id,
            pid,
            uid: 0,
            started_ns: 15,
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
        let truth = ledger().join(&evidence, vec![Site::default()]).unwrap();
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
        assert_eq!(ledger().running(), 0);
    }

    #[test]
    fn evidence_that_does_not_fit_spoils_the_truth() {
        let join = |evidence: &[Evidence]| ledger().join(evidence, vec![Site::default()]).map(drop);
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
            ledger.join(&[], vec![Site::default()]).map(drop)
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
    fn in_a_container_the_image_has_a_pid_of_its_own() {
        let site = Site {
            in_container: true,
            ..Site::default()
        };
        let truth = ledger()
            .join(&[image(0, 6), image(2, 7)], vec![site])
            .unwrap();
        assert_eq!((truth.execs[1].pid, truth.execs[1].ns_pid), (102, 7));
    }
}
