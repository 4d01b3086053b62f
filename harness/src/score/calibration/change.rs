//! Faults in one sighting: what they change, and what it is worth then.

use execlab_model::{
    Bytes,
    result::PathClass,
    sighting::{Argv, ContainerHint, Sighting},
    truth::{Exec, Site, Truth},
};

use super::{
    fault::{ArgvFault, Field, NsPid, PathFault},
    plants::Worth,
};
use crate::score::fields::{ArgvClass, FieldClass, PidClass};

pub(super) fn change_path(site: &Site, how: PathFault, sighting: &mut Sighting, worth: &mut Worth) {
    // A fault in a path that has one already would be worth neither.
    if worth.path != PathClass::Exact || worth.suffixed {
        return;
    }
    let exact = site.frames.exact.as_slice();
    let last = site.frames.exact.basename();
    let (path, class) = match how {
        PathFault::Cut => (Some(exact[..exact.len() / 2].into()), PathClass::Truncated),
        PathFault::CutFront => {
            let at = exact.len() - last.len() - 2;
            (Some(exact[at..].into()), PathClass::Truncated)
        }
        PathFault::Basename => (Some(last.into()), PathClass::Basename),
        PathFault::Comm => (Some(last[..last.len().min(15)].into()), PathClass::Basename),
        PathFault::AsGiven if site.given == site.frames.exact => return,
        PathFault::AsGiven => (Some(site.given.clone()), PathClass::AsGiven),
        PathFault::BehindCwd if site.given.as_slice().starts_with(b"/") => return,
        PathFault::BehindCwd => {
            let path = [site.cwd.as_slice(), site.given.as_slice()].join(&b'/');
            (Some(Bytes(path)), PathClass::AsGiven)
        }
        PathFault::Host => (site.frames.host.first().cloned(), PathClass::Host),
        PathFault::Interpreter => (site.frames.interpreter.clone(), PathClass::Interpreter),
        PathFault::Stale => (site.frames.stale.first().cloned(), PathClass::Stale),
        PathFault::Wrong => (Some("/usr/sbin/another".into()), PathClass::Wrong),
        PathFault::Deleted => {
            let path = [exact, b" (deleted)"].concat();
            worth.suffixed = true;
            (Some(Bytes(path)), PathClass::Exact)
        }
    };
    if path.is_some() {
        sighting.path = path;
        worth.path = class;
    }
}

pub(super) fn change_argv(how: ArgvFault, sighting: &mut Sighting, worth: &mut Worth) {
    let Some(Argv::List(list)) = &mut sighting.argv else {
        return;
    };
    if worth.argv != ArgvClass::Exact {
        return;
    }
    match how {
        ArgvFault::Join => {
            let list: Vec<&[u8]> = list.iter().map(Bytes::as_slice).collect();
            sighting.argv = Some(Argv::Joined(Bytes(list.join(&b' '))));
            worth.argv = ArgvClass::Joined;
        }
        ArgvFault::Cut => {
            list.pop();
            worth.argv = ArgvClass::Truncated;
        }
        ArgvFault::CutDeep => {
            // What has no time either must keep its id.
            if sighting.time_ns.is_some() && worth.pid == PidClass::Host {
                list.truncate(1);
                list[0].0.truncate(1);
                worth.argv = ArgvClass::Truncated;
            }
        }
        ArgvFault::Wrong => {
            if let Some(last) = list.last_mut() {
                *last = "something else".into();
                worth.argv = ArgvClass::Wrong;
            }
        }
    }
}

pub(super) fn omit(field: Field, sighting: &mut Sighting, worth: &mut Worth) {
    match field {
        Field::Pid if worth.has_id() && worth.pid == PidClass::Host && !worth.conflict => {
            sighting.pid = None;
            worth.pid = PidClass::Absent;
        }
        Field::Time if worth.has_id() && !worth.conflict => sighting.time_ns = None,
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
            worth.path = PathClass::Absent;
            worth.suffixed = false;
        }
        Field::Argv if worth.pid == PidClass::Host && sighting.time_ns.is_some() => {
            sighting.argv = None;
            worth.argv = ArgvClass::Absent;
        }
        Field::Container if worth.pid != PidClass::InNamespace || worth.has_id() => {
            sighting.container = ContainerHint::default();
            worth.container = FieldClass::Absent;
        }
        Field::Pid | Field::Time | Field::Argv | Field::Container => {}
    }
}

pub(super) fn swap_container(truth: &Truth, sighting: &mut Sighting, worth: &mut Worth) {
    let exec = &truth.execs[worth.exec as usize];
    let other = truth
        .sites
        .iter()
        .find(|s| s.cgroup != truth.site(exec).cgroup);
    // An in-namespace pid in another container would be another process.
    if worth.pid == PidClass::InNamespace {
        return;
    }
    sighting.container = match other {
        Some(other) => ContainerHint {
            cgroup: Some(other.cgroup.clone()),
            cgroup_id: Some(other.cgroup_id),
            mnt_ns: Some(other.namespaces.mnt),
            pid_ns: Some(other.namespaces.pid),
        },
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
    if worth.pid != PidClass::Host || !locatable {
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
