//! The verdict counts of a trial: what became of every exec, and of every field of every sighting.

use execlab_model::result::{FieldCounts, PathClass, TrialResult};

/// A kind of count: its title, what is counted of what, and the names of its parts, best first.
pub(super) struct Group {
    pub title: &'static str,
    pub help: &'static str,
    pub names: &'static [&'static str],
    pub of: fn(&TrialResult) -> Option<Vec<u64>>,
}

const FIELD: &[&str] = &["right", "wrong", "absent"];

const PATHS: &[&str] = &[
    "exact",
    "host",
    "in root",
    "as given",
    "base name",
    "interpreter",
    "stale",
    "truncated",
    "wrong",
    "absent",
];

/// All of them. Parts of a group are disjoint and add up to what `help` says, but for the sightings beside
/// the execs.
pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Execs",
        help: "every exec in truth, once",
        names: &["seen", "late", "missed"],
        of: execs,
    },
    Group {
        title: "Sightings of no exec, or of one that was seen",
        help: "foreign ones are of anything else on the machine, and held against nobody",
        names: &["duplicates", "phantoms", "foreign"],
        of: |t| {
            let c = t.completeness.as_ref()?;
            Some(vec![c.duplicates, c.phantoms, c.foreign])
        },
    },
    Group {
        title: "Path",
        help: "each exec that was seen",
        names: PATHS,
        of: paths,
    },
    Group {
        title: "Arguments",
        help: "each exec that was seen",
        names: &["exact", "truncated", "joined", "wrong", "absent"],
        of: |t| {
            let a = t.argv.as_ref()?;
            Some(vec![a.exact, a.truncated, a.joined, a.wrong, a.absent])
        },
    },
    Group {
        title: "Process id",
        help: "each exec that was seen",
        names: &["host", "in its namespace", "wrong", "absent"],
        of: |t| {
            let p = t.pid.as_ref()?;
            Some(vec![p.host, p.in_namespace, p.wrong, p.absent])
        },
    },
    Group {
        title: "Container",
        help: "each exec that was seen: cgroup and namespaces",
        names: FIELD,
        of: |t| field(t.container.as_ref()),
    },
    Group {
        title: "Parent",
        help: "each exec that was seen",
        names: FIELD,
        of: |t| field(t.parent.as_ref()),
    },
    Group {
        title: "Credentials",
        help: "each exec that was seen: the real user id",
        names: FIELD,
        of: |t| field(t.credentials.as_ref()),
    },
    Group {
        title: "String of the call",
        help: "each exec that was seen",
        names: FIELD,
        of: |t| field(t.given.as_ref()),
    },
];

fn execs(t: &TrialResult) -> Option<Vec<u64>> {
    let c = t.completeness.as_ref()?;
    Some(vec![c.seen, t.late, c.missed])
}

fn paths(t: &TrialResult) -> Option<Vec<u64>> {
    let mut counts = t.path.clone()?;
    Some(PathClass::ALL.map(|class| *counts.of(class)).to_vec())
}

fn field(counts: Option<&FieldCounts>) -> Option<Vec<u64>> {
    let counts = counts?;
    Some(vec![counts.right, counts.wrong, counts.absent])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_classes_have_their_names() {
        let names = PathClass::ALL.map(|class| class.as_str().replace('_', " "));
        assert_eq!(names.len(), PATHS.len());
        for (ours, class) in PATHS.iter().zip(&names) {
            assert_eq!(ours.replace(' ', ""), class.replace(' ', ""));
        }
    }
}
