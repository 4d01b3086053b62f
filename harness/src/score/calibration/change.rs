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
            worth.given = FieldClass::Absent;
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
        Field::AllButOne => keep_one(sighting, worth),
        Field::Pid | Field::Time | Field::Argv | Field::Container => {}
    }
}

/// Each item alone is as right as all of them; of a wrong container, only the cgroup's name surely differs.
fn keep_one(sighting: &mut Sighting, worth: &Worth) {
    let all = std::mem::take(&mut sighting.container);
    let kept = &mut sighting.container;
    match worth.exec % 4 {
        1 if worth.container == FieldClass::Right => kept.cgroup_id = all.cgroup_id,
        2 if worth.container == FieldClass::Right => kept.mnt_ns = all.mnt_ns,
        3 if worth.container == FieldClass::Right => kept.pid_ns = all.pid_ns,
        _ => kept.cgroup.clone_from(&all.cgroup),
    }
    // What was left out before cannot be kept.
    if *kept == ContainerHint::default() {
        sighting.container = all;
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

/// The first moment after the new image's start, unless the process may have called its next exec by then.
pub(super) fn polled(truth: &Truth, sighting: &mut Sighting, worth: &Worth) {
    let exec = &truth.execs[worth.exec as usize];
    let next = truth.execs.get(worth.exec as usize + 1);
    let next = next.filter(|next| share_process(exec, next));
    let time_ns = exec.started_ns + 1;
    let is_certain = next.is_none_or(|next| next.spawned_ns > time_ns);
    if is_timed(sighting) && !worth.conflict && is_certain {
        sighting.time_ns = Some(time_ns);
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
