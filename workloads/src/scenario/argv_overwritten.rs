//! `argv-overwritten`: right after its start the image overwrites its own arguments, as programs do that
//! hide a password or rename themselves. Who asks `/proc/PID/cmdline` later reads what stands there then;
//! who takes them at the exec has what was passed.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, acting};

/// See the module.
#[derive(Debug)]
pub struct ArgvOverwritten;

impl Scenario for ArgvOverwritten {
    fn name(&self) -> &'static str {
        "argv-overwritten"
    }

    fn about(&self) -> &'static str {
        "right after its start the image overwrites its own arguments"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let site = acting::site(ground, ["scrub".into()])?;
        Ok(Prepared::ways(acting::brief_and_lasting(&site)))
    }
}
