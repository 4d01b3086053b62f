//! `vfork`: the child runs in its parent's memory, and the parent sleeps until the exec. For a tracer it is
//! an event of its own (`PTRACE_EVENT_VFORK`).

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, worker::Worker};
use crate::spawn::Maker;

/// See the module.
#[derive(Debug)]
pub struct Vfork;

impl Scenario for Vfork {
    fn name(&self) -> &'static str {
        "vfork"
    }

    fn about(&self) -> &'static str {
        "a child in its parent's memory calls exec, and the parent sleeps until then"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        Ok(Prepared::ways([
            Way::plain(worker.site()?).made_by(Maker::Vfork)
        ]))
    }
}
