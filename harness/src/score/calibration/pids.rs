//! Faults in pids that join a sighting to another exec, or to none.

use execlab_model::{sighting::Sighting, truth::Exec};

use super::{
    fault::Permille,
    invent::NOBODY,
    plants::{About, Plants, Worth, is_timed},
    random::Random,
};
use crate::score::fields::{ArgvClass, FieldClass, PidClass};

impl Plants<'_> {
    /// Swaps the pids of pairs each of whose processes was alive when the other one exec'd, so that pid
    /// and time are right for the other one and only the id tells.
    pub fn swap_pids(&mut self, share: Permille, random: &mut Random) {
        for at in 1..self.list.len() {
            let (left, right) = self.list.split_at_mut(at);
            let (a, b) = (&mut left[at - 1], &mut right[0]);
            let (About::Exec(first), About::Exec(second)) = (&mut a.about, &mut b.about) else {
                continue;
            };
            let fresh = |worth: &Worth, sighting: &Sighting| {
                worth.has_id()
                    && worth.pid == PidClass::Host
                    && !worth.conflict
                    && is_timed(sighting)
            };
            let execs = &self.truth.execs;
            let (x, y) = (execs[first.exec as usize], execs[second.exec as usize]);
            let swappable =
                fresh(first, &a.sighting) && fresh(second, &b.sighting) && x.site == y.site;
            let alone = |index: u32, exec: &Exec| {
                let beside = [index.checked_sub(1), index.checked_add(1)];
                let beside = beside.into_iter().flatten();
                beside
                    .filter_map(|i| execs.get(i as usize))
                    .all(|other| other.pid != exec.pid)
            };
            let alive = |exec: &Exec, sighting: &Sighting| {
                sighting
                    .time_ns
                    .is_some_and(|t| exec.spawned_ns <= t && t < exec.ended_ns)
            };
            let possible = swappable
                && x.pid != y.pid
                && alone(first.exec, &x)
                && alone(second.exec, &y)
                && alive(&x, &b.sighting)
                && alive(&y, &a.sighting);
            if !(possible && random.hits(share)) {
                continue;
            }
            std::mem::swap(&mut a.sighting.pid, &mut b.sighting.pid);
            std::mem::swap(&mut first.exec, &mut second.exec);
            for (worth, exec, said) in [(&mut *first, y, x), (&mut *second, x, y)] {
                worth.conflict = true;
                worth.pid = PidClass::Wrong;
                // The rest of what the sighting says is of the exec that its id names.
                worth.argv = ArgvClass::Wrong;
                let agrees = exec.uid == said.uid;
                if worth.credentials == FieldClass::Right && !agrees {
                    worth.credentials = FieldClass::Wrong;
                }
            }
        }
    }

    /// Gives a share of the sightings a pid that no process has. Its exec is missed then, and what is
    /// left blames the storm, if only by its parent or its cgroup.
    pub fn lose_pids(&mut self, share: Permille, random: &mut Random) {
        let truth = self.truth;
        let mut thread = NOBODY;
        for plant in &mut self.list {
            let About::Exec(worth) = &plant.about else {
                continue;
            };
            // The initial namespaces are everybody's.
            let hint = &plant.sighting.container;
            let contained = truth.site(&truth.execs[worth.exec as usize]).in_container;
            let by_place = contained || hint.cgroup.is_some() || hint.cgroup_id.is_some();
            let blames = worth.parent == FieldClass::Right
                || worth.container == FieldClass::Right && by_place;
            if worth.pid == PidClass::Host && blames && random.hits(share) {
                thread += 1;
                plant.sighting.pid = Some(thread);
                plant.about = About::Phantom;
            }
        }
    }
}
