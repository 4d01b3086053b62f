//! Faults in ids, times and places of one sighting: what they change, and what it is worth then.

use execlab_model::{
    result::PathClass,
    sighting::{ContainerHint, Sighting},
    truth::{Exec, Site, Truth},
};

use super::{
    fault::{Field, NsPid},
    paths::share_process,
    plants::{Worth, is_timed},
};
use crate::score::fields::{ArgvClass, FieldClass, PidClass};

pub(super) fn omit(truth: &Truth, field: Field, sighting: &mut Sighting, worth: &mut Worth) {
    let pid = truth.execs[worth.exec as usize].pid;
    let others = || truth.execs.iter().filter(|exec| exec.pid == pid).count() - 1;
    let alone_with_pid = matches!(field, Field::Time | Field::Argv) && others() == 0;
    match field {
        Field::Pid if worth.has_id() && worth.pid == PidClass::Host && !worth.conflict => {
            sighting.pid = None;
            worth.pid = PidClass::Absent;
        }
        Field::Time if worth.has_id() && !worth.conflict => sighting.time_ns = None,
        // Of a pid that no other exec has, nothing more need be known.
        Field::Time if worth.pid == PidClass::Host && alone_with_pid => sighting.time_ns = None,
        Field::Parent => {
            sighting.ppid = None;
            worth.parent = FieldClass::Absent;
        }
        Field::User => {
            sighting.uid = None;
            worth.credentials = FieldClass::Absent;
        }
        Field::Path => {
            sighting.path = None;
            sighting.given = None;
            worth.path = PathClass::Absent;
            worth.suffixed = false;
            worth.path_is_faulty = true;
        }
        Field::Argv if worth.pid == PidClass::Host && is_timed(sighting) && !worth.conflict => {
            sighting.argv = None;
            worth.argv = ArgvClass::Absent;
        }
        Field::Container if worth.pid != PidClass::InNamespace || worth.has_id() => {
            sighting.container = ContainerHint::default();
            worth.container = FieldClass::Absent;
        }
        // The name alone is as right or wrong as all of it is.
        Field::Namespaces => {
            let cgroup = sighting.container.cgroup.take();
            sighting.container = ContainerHint {
                cgroup,
                ..ContainerHint::default()
            };
        }
        Field::Pid | Field::Time | Field::Argv | Field::Container => {}
    }
}

/// Cgroup and namespaces of a site, as a monitor offers them that knows all of them.
pub(super) fn place_of(site: &Site) -> ContainerHint {
    ContainerHint {
        cgroup: Some(site.cgroup.clone()),
        cgroup_id: Some(site.cgroup_id),
        mnt_ns: Some(site.namespaces.mnt),
        pid_ns: Some(site.namespaces.pid),
    }
}

/// What a process that was moved looks like to whoever looks at the wrong time.
pub(super) fn late_container(truth: &Truth, sighting: &mut Sighting, worth: &mut Worth) {
    let exec = &truth.execs[worth.exec as usize];
    let before = (worth.exec as usize).checked_sub(1);
    let before = before.map(|at| &truth.execs[at]);
    let Some(before) = before.filter(|before| share_process(before, exec)) else {
        return;
    };
    let (there, here) = (truth.site(before), truth.site(exec));
    if worth.container != FieldClass::Right || there.cgroup == here.cgroup {
        return;
    }
    sighting.container = place_of(there);
    worth.container = FieldClass::Wrong;
}

/// A time in whole ticks may lie in another exec's window, so the id has to be there to go by.
pub(super) fn ticks(tick_ns: u64, sighting: &mut Sighting, worth: &Worth) {
    if let Some(time) = &mut sighting.time_ns
        && worth.has_id()
        && !worth.conflict
    {
        let tick_ns = tick_ns.max(1);
        // Some clocks tell the tick before, others the one after.
        *time -= *time % tick_ns;
        if worth.exec.is_multiple_of(2) {
            *time += tick_ns;
        }
        sighting.time_tolerance_ns = sighting.time_tolerance_ns.saturating_add(tick_ns);
    }
}

/// The first moment after the new image's start: no exec of that process is called for so soon.
pub(super) fn polled(exec: &Exec, sighting: &mut Sighting, worth: &Worth) {
    if is_timed(sighting) && !worth.conflict {
        sighting.time_ns = Some(exec.started_ns + 1);
    }
}

pub(super) fn swap_container(truth: &Truth, sighting: &mut Sighting, worth: &mut Worth) {
    let exec = &truth.execs[worth.exec as usize];
    let is_other = |s: &&Site| s.cgroup != truth.site(exec).cgroup;
    let other = truth.sites.iter().find(is_other);
    // An in-namespace pid in another container would be another process.
    if worth.pid == PidClass::InNamespace {
        return;
    }
    sighting.container = match other {
        Some(other) => place_of(other),
        None => ContainerHint {
            cgroup: Some("/elsewhere".into()),
            ..ContainerHint::default()
        },
    };
    worth.container = FieldClass::Wrong;
}

pub(super) fn ns_pid(exec: &Exec, how: NsPid, sighting: &mut Sighting, worth: &mut Worth) {
    let locatable = worth.container == FieldClass::Right
        || worth.container == FieldClass::Absent && worth.has_id();
    let placed = is_timed(sighting) || worth.has_id();
    if worth.pid != PidClass::Host || !locatable || !placed {
        return;
    }
    match how {
        // Outside a container the two are one.
        NsPid::InPlace if exec.ns_pid == exec.pid => return,
        NsPid::InPlace => sighting.pid = Some(exec.ns_pid),
        NsPid::Apart => {
            sighting.pid = None;
            sighting.ns_pid = Some(exec.ns_pid);
        }
    }
    worth.pid = PidClass::InNamespace;
}
