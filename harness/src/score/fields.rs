//! Fields of a sighting against those of its exec. What is not offered is absent, never wrong.

mod argv;

use execlab_model::{
    Bytes,
    result::{ArgvCounts, FieldCounts, PidCounts},
    sighting::Sighting,
    truth::{Exec, Site, Truth},
};

pub use argv::{ArgvClass, argv};

/// How a process id was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PidClass {
    /// As in the initial PID namespace.
    Host,
    /// As in the exec's own namespace only.
    InNamespace,
    /// Neither, or at odds with the argv id.
    Wrong,
    /// None in the sighting.
    Absent,
}

impl PidClass {
    /// The counter of this class.
    pub fn count(self, counts: &mut PidCounts) -> &mut u64 {
        match self {
            Self::Host => &mut counts.host,
            Self::InNamespace => &mut counts.in_namespace,
            Self::Wrong => &mut counts.wrong,
            Self::Absent => &mut counts.absent,
        }
    }
}

impl ArgvClass {
    /// The counter of this class.
    pub fn count(self, counts: &mut ArgvCounts) -> &mut u64 {
        match self {
            Self::Exact => &mut counts.exact,
            Self::Truncated => &mut counts.truncated,
            Self::Joined => &mut counts.joined,
            Self::Wrong => &mut counts.wrong,
            Self::Absent => &mut counts.absent,
        }
    }
}

/// How a field was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldClass {
    /// As in truth.
    Right,
    /// Otherwise.
    Wrong,
    /// Not in the sighting.
    Absent,
}

impl FieldClass {
    /// The counter of this class.
    pub fn count(self, counts: &mut FieldCounts) -> &mut u64 {
        match self {
            Self::Right => &mut counts.right,
            Self::Wrong => &mut counts.wrong,
            Self::Absent => &mut counts.absent,
        }
    }

    fn of<T: PartialEq>(reported: Option<&T>, expected: &T) -> Self {
        match reported {
            None => Self::Absent,
            Some(reported) if reported == expected => Self::Right,
            Some(_) => Self::Wrong,
        }
    }
}

/// The process id.
///
/// `named` is the exec of the argv id, if that is another one than the sighting was joined to. If it
/// has another pid too, then the sighting gives one exec's pid and another one's arguments: one of
/// the two is wrong, nothing says which, and so both are. (With the same pid it is the arguments
/// that are of another time.)
pub fn pid(sighting: &Sighting, exec: &Exec, named: Option<&Exec>) -> PidClass {
    let at_odds = named.is_some_and(|named| named.pid != exec.pid);
    match (sighting.pid, sighting.ns_pid) {
        (None, None) => PidClass::Absent,
        _ if at_odds => PidClass::Wrong,
        (Some(pid), _) if pid == exec.pid => PidClass::Host,
        (Some(pid), _) | (None, Some(pid)) if pid == exec.ns_pid => PidClass::InNamespace,
        _ => PidClass::Wrong,
    }
}

/// The parent's process id.
pub fn parent(sighting: &Sighting, exec: &Exec) -> FieldClass {
    FieldClass::of(sighting.ppid.as_ref(), &exec.parent)
}

/// The real user id.
pub fn credentials(sighting: &Sighting, exec: &Exec) -> FieldClass {
    FieldClass::of(sighting.uid.as_ref(), &exec.uid)
}

/// The string of the call, byte for byte. Beside the path of an interpreter it says which script was executed.
pub fn given(sighting: &Sighting, site: &Site) -> FieldClass {
    FieldClass::of(sighting.given.as_ref(), &site.given)
}

/// Cgroup and namespaces: right where every offered item is, absent where none is offered.
pub fn container(sighting: &Sighting, site: &Site) -> FieldClass {
    let hint = &sighting.container;
    // What truth does not know is held against nobody.
    let namespace = |reported: Option<u32>, expected: u32| {
        FieldClass::of(reported.filter(|_| expected != 0).as_ref(), &expected)
    };
    let items = [
        FieldClass::of(hint.cgroup.as_ref(), &site.cgroup),
        FieldClass::of(hint.cgroup_id.as_ref(), &site.cgroup_id),
        namespace(hint.mnt_ns, site.namespaces.mnt),
        namespace(hint.pid_ns, site.namespaces.pid),
    ];
    if items.contains(&FieldClass::Wrong) {
        FieldClass::Wrong
    } else if items.contains(&FieldClass::Right) {
        FieldClass::Right
    } else {
        FieldClass::Absent
    }
}

/// Container as truth and as a sighting have it, for people: only what the sighting offers.
pub(crate) fn container_words(sighting: &Sighting, site: &Site) -> (Option<Bytes>, Option<Bytes>) {
    let hint = &sighting.container;
    let words = |cgroup: &Bytes, cgroup_id: u64, mnt_ns: u32, pid_ns: u32| {
        let items = [
            hint.cgroup.as_ref().map(|_| format!("cgroup {cgroup}")),
            hint.cgroup_id.map(|_| format!("cgroup id {cgroup_id}")),
            hint.mnt_ns.map(|_| format!("mnt {mnt_ns}")),
            hint.pid_ns.map(|_| format!("pid {pid_ns}")),
        ];
        let items: Vec<String> = items.into_iter().flatten().collect();
        Some(Bytes(items.join(", ").into_bytes()))
    };
    let (mnt, pid) = (site.namespaces.mnt, site.namespaces.pid);
    let none = Bytes::default();
    (
        words(&site.cgroup, site.cgroup_id, mnt, pid),
        words(
            hint.cgroup.as_ref().unwrap_or(&none),
            hint.cgroup_id.unwrap_or_default(),
            hint.mnt_ns.unwrap_or_default(),
            hint.pid_ns.unwrap_or_default(),
        ),
    )
}

/// The arguments of an exec as one string, for people.
pub(crate) fn joined_argv(truth: &Truth, exec: &Exec) -> Vec<u8> {
    let argv: Vec<Vec<u8>> = truth.argv(exec).into_iter().map(|a| a.0).collect();
    argv.join(&b' ')
}

#[cfg(test)]
mod tests {
    use execlab_model::{
        sighting::ContainerHint,
        truth::{Namespaces, Outcome},
    };

    use super::*;

    const EXEC: Exec = Exec {
        id: 1,
        site: 0,
        pid: 500,
        ns_pid: 7,
        parent: 499,
        uid: 0,
        lifetime_ns: 0,
        spawned_ns: 0,
        started_ns: 1,
        ended_ns: 2,
        outcome: Outcome::Exited(0),
    };

    fn pids(pid: Option<u32>, ns_pid: Option<u32>) -> Sighting {
        Sighting {
            pid,
            ns_pid,
            ..Sighting::default()
        }
    }

    #[test]
    fn pids_are_of_the_host_or_of_the_namespace() {
        let class = |host, ns| pid(&pids(host, ns), &EXEC, None);
        assert_eq!(class(Some(500), None), PidClass::Host);
        assert_eq!(class(Some(500), Some(7)), PidClass::Host);
        assert_eq!(class(Some(7), None), PidClass::InNamespace);
        assert_eq!(class(None, Some(7)), PidClass::InNamespace);
        assert_eq!(class(None, Some(8)), PidClass::Wrong);
        assert_eq!(class(None, None), PidClass::Absent);
    }

    #[test]
    fn a_pid_at_odds_with_the_argv_id_is_wrong() {
        let other = Exec { pid: 501, ..EXEC };
        assert_eq!(
            pid(&pids(Some(500), None), &EXEC, Some(&other)),
            PidClass::Wrong
        );
        let again = Exec { id: 2, ..EXEC };
        assert_eq!(
            pid(&pids(Some(500), None), &EXEC, Some(&again)),
            PidClass::Host
        );
    }

    #[test]
    fn one_wrong_item_makes_the_container_wrong() {
        let site = Site {
            cgroup: "/pod/a".into(),
            cgroup_id: 9,
            namespaces: Namespaces {
                mnt: 3,
                pid: 4,
                ..Namespaces::default()
            },
            ..Site::default()
        };
        let class = |hint| {
            let sighting = Sighting {
                container: hint,
                ..Sighting::default()
            };
            container(&sighting, &site)
        };
        let right = ContainerHint {
            cgroup: Some("/pod/a".into()),
            mnt_ns: Some(3),
            ..ContainerHint::default()
        };
        assert_eq!(class(ContainerHint::default()), FieldClass::Absent);
        assert_eq!(class(right.clone()), FieldClass::Right);
        let pid_ns = Some(5);
        assert_eq!(class(ContainerHint { pid_ns, ..right }), FieldClass::Wrong);
    }

    #[test]
    fn parent_and_user_are_compared_where_offered() {
        let mut sighting = Sighting::default();
        assert_eq!(parent(&sighting, &EXEC), FieldClass::Absent);
        assert_eq!(credentials(&sighting, &EXEC), FieldClass::Absent);
        sighting.ppid = Some(499);
        sighting.uid = Some(1);
        assert_eq!(parent(&sighting, &EXEC), FieldClass::Right);
        assert_eq!(credentials(&sighting, &EXEC), FieldClass::Wrong);
    }
}
