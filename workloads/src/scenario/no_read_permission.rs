//! `no-read-permission`: a file that may be executed and not read (mode 0111). A user's process of it is not
//! dumpable (`would_dump`, fs/exec.c): its entries in `/proc` are root's, and so a monitor of that same user
//! learns nothing there.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, interpreted::set_mode, privileges::Privileged,
};

/// See the module.
#[derive(Debug)]
pub struct NoReadPermission;

impl Scenario for NoReadPermission {
    fn name(&self) -> &'static str {
        "no-read-permission"
    }

    fn about(&self) -> &'static str {
        "a file that may be executed but not read, by root and by a user in turn"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = Privileged::prepare(ground)?;
        set_mode(&file.file, 0o111)?;
        file.ways()
    }
}
