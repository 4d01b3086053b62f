//! What tests of scenarios share.

use std::{fs, path::Path};

use execlab_model::{
    Bytes,
    workload::{Load, Spawn, Workload},
};
use tempfile::TempDir;

use super::{Ground, Prepared, Scenario, SetupError};

/// A ground of its own, with this program as the payload.
pub(super) fn ground(payload: &Path) -> (TempDir, Ground) {
    let dir = tempfile::tempdir().unwrap();
    let ground = Ground {
        payload: dir.path().join("payload"),
        dir: dir.path().canonicalize().unwrap(),
        cgroups: "/sys/fs/cgroup".into(),
        base: Bytes::default(),
    };
    for name in ["payload", "payload-bare"] {
        fs::copy(payload, dir.path().join(name)).unwrap();
    }
    (dir, ground)
}

/// Prepares a scenario there. `None`, with a word about it, on a machine whose cgroups are elsewhere.
pub(super) fn prepare(scenario: &dyn Scenario, ground: &Ground) -> Option<Prepared> {
    let workload = Workload {
        scenario: scenario.name().into(),
        load: Load::Closed,
        execs: 1,
        lifetime_ns: 0,
        spawn: Spawn::Vfork,
        population: 0,
    };
    unless_elsewhere(scenario.prepare(ground, &workload))
}

/// The same for any step of a preparation.
pub(super) fn unless_elsewhere<T>(done: Result<T, SetupError>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(SetupError::Failed { what, source }) if what.contains("cgroup") => {
            eprintln!("skipped: cannot {what}: {source}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
