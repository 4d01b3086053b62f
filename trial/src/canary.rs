//! Execs that only show whether the monitor sees at all.

use std::{collections::HashSet, ops::Range};

use execlab_model::{
    Bytes,
    plan::TrialPlan,
    record::Record,
    sighting::{Argv, Sighting},
    truth::{FIRST_CANARY_ID, parse_id_argument},
};
use execlab_workloads::clock::monotonic_ns;

use crate::{TrialError, monitor::MonitorProcess, storm::StormProcess};

/// All canaries of a trial.
pub(crate) struct Canaries {
    next: u32,
    lifetime_ns: u64,
    tries: u32,
    pids: HashSet<u32>,
    /// By what a sighting without a process id names them, and when it was waited for: the storm may execute a file
    /// of the same path at another time.
    paths: Vec<(Bytes, Range<u64>)>,
}

impl Canaries {
    pub(crate) fn new(plan: &TrialPlan) -> Self {
        Self {
            next: FIRST_CANARY_ID,
            lifetime_ns: plan.timing.canary_life_ns,
            tries: plan.timing.canary_tries,
            pids: HashSet::new(),
            paths: Vec::new(),
        }
    }

    pub(crate) fn release(&mut self, storm: &mut StormProcess) -> Result<(u32, Bytes), TrialError> {
        let (pid, path) = storm.canary(self.next, self.lifetime_ns)?;
        self.next += 1;
        self.pids.insert(pid);
        Ok((pid, path))
    }

    /// How many canaries it took until one was seen; 0 if none was.
    pub(crate) fn until_seen(
        &mut self,
        storm: &mut StormProcess,
        monitor: &mut MonitorProcess,
    ) -> Result<u32, TrialError> {
        for tried in 1..=self.tries {
            let began = monotonic_ns();
            let (pid, path) = self.release(storm)?;
            let deadline = monotonic_ns() + self.lifetime_ns;
            let is_it = |sighting: &Sighting| match (sighting.pid, sighting.ns_pid) {
                (Some(said), _) => said == pid,
                (None, Some(_)) => false,
                (None, None) => sighting.path.as_ref() == Some(&path),
            };
            let seen = monitor.sees(deadline, |s| is_it(s) && s.received_ns >= began)?;
            self.paths.push((path, began..monotonic_ns()));
            if seen {
                return Ok(tried);
            }
        }
        Ok(0)
    }

    /// Takes the canaries' sightings out of a record: those that carry a canary's id, and those of a
    /// pid that no exec of the storm had. Where the storm had it too, only the id can tell.
    pub(crate) fn strip(&self, record: &mut Record) {
        let of_storm: HashSet<u32> = record.truth.execs.iter().map(|exec| exec.pid).collect();
        record.sightings.retain(|sighting| {
            let by_pid = sighting
                .pid
                .is_some_and(|pid| self.pids.contains(&pid) && !of_storm.contains(&pid));
            let nameless = sighting.pid.is_none() && sighting.ns_pid.is_none();
            let by_path = nameless
                && self.paths.iter().any(|(path, waited)| {
                    sighting.path.as_ref() == Some(path) && waited.contains(&sighting.received_ns)
                });
            !by_pid && !by_path && !carries_canary_id(sighting)
        });
    }
}

fn carries_canary_id(sighting: &Sighting) -> bool {
    let is_canary = |arg: &[u8]| parse_id_argument(arg).is_some_and(|id| id >= FIRST_CANARY_ID);
    match &sighting.argv {
        Some(Argv::List(list)) => list.iter().any(|arg| is_canary(arg.as_slice())),
        Some(Argv::Joined(line)) => line
            .as_slice()
            .split(|&b| b == b' ' || b == 0)
            .any(is_canary),
        None => false,
    }
}
