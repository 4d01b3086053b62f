//! `posix-spawn`: the C library's way, `clone(CLONE_VM | CLONE_VFORK)` and an exec, which most programs use
//! that start others.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, worker::Worker};
use crate::spawn::Maker;

/// See the module.
#[derive(Debug)]
pub struct PosixSpawn;

impl Scenario for PosixSpawn {
    fn name(&self) -> &'static str {
        "posix-spawn"
    }

    fn about(&self) -> &'static str {
        "the C library's posix_spawn"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        Ok(Prepared::ways([
            Way::call(worker.site()?).made_by(Maker::PosixSpawn)
        ]))
    }
}
