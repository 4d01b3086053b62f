//! Whether a sighting without an exec puts the blame on the storm.

use std::collections::HashSet;

use execlab_model::{
    sighting::{ContainerHint, Sighting},
    truth::Truth,
};

use super::{is_canary, table::Set, timeline::Lanes};

/// Whether a hint says anything at all.
pub(super) fn offers(hint: &ContainerHint) -> bool {
    hint.cgroup.is_some()
        || hint.cgroup_id.is_some()
        || hint.mnt_ns.is_some()
        || hint.pid_ns.is_some()
}

/// By what a sighting may be attributed to the storm.
#[derive(Debug)]
pub(super) struct Storm<'a> {
    began_ns: u64,
    pids: Set,
    lanes: &'a Lanes,
    cgroups: HashSet<&'a [u8]>,
    cgroup_ids: Set,
    mnt_ns: Set,
    pid_ns: Set,
}

impl<'a> Storm<'a> {
    pub fn new(truth: &'a Truth, lanes: &'a Lanes) -> Self {
        // The root of the hierarchy is everybody's.
        let own = |cgroup: &&[u8]| !cgroup.is_empty() && *cgroup != b"/";
        let contained = || truth.sites.iter().filter(|site| site.in_container);
        Self {
            began_ns: truth.began_ns,
            pids: truth.storm_pids.iter().map(|&pid| u64::from(pid)).collect(),
            lanes,
            cgroups: truth
                .sites
                .iter()
                .map(|s| s.cgroup.as_slice())
                .filter(own)
                .collect(),
            cgroup_ids: truth
                .sites
                .iter()
                .map(|s| s.cgroup_id)
                .filter(|&id| id > 1)
                .collect(),
            mnt_ns: contained().map(|s| u64::from(s.namespaces.mnt)).collect(),
            pid_ns: contained().map(|s| u64::from(s.namespaces.pid)).collect(),
        }
    }

    /// Whether a sighting that no exec was found for is attributed to the storm.
    ///
    /// Not before the storm began: its processes were made and exec'd during set-up. Not a canary
    /// that was left in. Then any one of these does it: an argv id; a pid or parent of the storm's
    /// own processes; a parent among its execs; a cgroup or a container's namespace of its sites.
    /// A pid that one of its execs had *at another time* is the weakest of them, since the pid may
    /// be anybody's by then: it counts only if the sighting says nothing else of where it belongs.
    pub fn is_blamed_by(&self, sighting: &Sighting, id: Option<u32>) -> bool {
        let time = sighting.time_ns.unwrap_or(sighting.received_ns);
        let tolerance = sighting.time_ns.map_or(0, |_| sighting.time_tolerance_ns);
        let (from, until) = (
            time.saturating_sub(tolerance),
            time.saturating_add(tolerance),
        );
        if until < self.began_ns || id.is_some_and(is_canary) {
            return false;
        }
        let of_storm = |pid: u32| self.pids.contains(&u64::from(pid));
        let of_exec = |pid: u32| self.lanes.of(u64::from(pid)).is_some();
        id.is_some()
            || sighting.pid.is_some_and(of_storm)
            || sighting
                .ppid
                .is_some_and(|ppid| of_storm(ppid) || self.lanes.is_alive(ppid, from, until))
            || self.holds(&sighting.container)
            || sighting.pid.is_some_and(of_exec)
                && sighting.ppid.is_none()
                && !offers(&sighting.container)
    }

    fn holds(&self, hint: &ContainerHint) -> bool {
        hint.cgroup
            .as_ref()
            .is_some_and(|cgroup| self.cgroups.contains(cgroup.as_slice()))
            || hint
                .cgroup_id
                .is_some_and(|id| self.cgroup_ids.contains(&id))
            || hint
                .mnt_ns
                .is_some_and(|ns| self.mnt_ns.contains(&u64::from(ns)))
            || hint
                .pid_ns
                .is_some_and(|ns| self.pid_ns.contains(&u64::from(ns)))
    }
}
