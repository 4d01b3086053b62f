//! What a run changes on the machine, for people who are to agree to it.

use std::collections::BTreeSet;

use crate::plan::TrialSpec;

/// What every trial does.
const ALWAYS: [&str; 3] = [
    "processes are started by the thousand, as root, one trial at a time",
    "cgroups `execlab-*` are made at the root of the cgroup v2 hierarchy, and taken away after each trial",
    "files are kept in /run/execlab and taken away after each trial; mounts are made in namespaces of their own only",
];

/// What these trials would change, one line each.
pub fn changes(trials: &[TrialSpec]) -> Vec<String> {
    let mut lines: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    let names: BTreeSet<&str> = trials.iter().map(|t| t.backend.name.as_str()).collect();
    for backend in execlab_backends::BACKENDS {
        if names.contains(backend.name()) {
            let of_backend = backend.changes().iter();
            lines.extend(of_backend.map(|change| format!("{}: {change}", backend.name())));
        }
    }
    lines
}
