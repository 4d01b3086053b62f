//! `int80`: 64-bit code that calls the 32-bit `execve` (number 11) by `int 0x80`. The exec is like any other;
//! but whoever watches the 64-bit system calls alone does not see it, and number 11 of those is `munmap`.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, emulation, install,
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct Int80;

impl Scenario for Int80 {
    fn name(&self) -> &'static str {
        "int80"
    }

    fn about(&self) -> &'static str {
        "the 32-bit execve by `int 0x80` from 64-bit code"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        emulation::is_there()?;
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
        Ok(Prepared::ways([Way::of([]).exec(
            How::Int80,
            bytes(&file).0,
            site,
        )]))
    }
}
