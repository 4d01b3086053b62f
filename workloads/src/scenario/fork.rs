//! `fork`: the child is a copy of its parent, with memory of its own until the exec replaces it. Parent
//! and child run side by side.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, worker::Worker};
use crate::spawn::Maker;

/// See the module.
#[derive(Debug)]
pub struct Fork;

impl Scenario for Fork {
    fn name(&self) -> &'static str {
        "fork"
    }

    fn about(&self) -> &'static str {
        "a copy of the parent calls exec"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        Ok(Prepared::ways([
            Way::call(worker.site()?).made_by(Maker::Fork)
        ]))
    }
}
