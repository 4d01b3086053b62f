//! `absolute`: the file by its canonical absolute path. Whoever fails here sees nothing at all.
//!
//! The payload is a static program without a C library, so this is also the scenario of one: what the
//! kernel does for it is the least that it does for any program.

use execlab_model::workload::Workload;

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install};

/// See the module.
#[derive(Debug)]
pub struct Absolute;

impl Scenario for Absolute {
    fn name(&self) -> &'static str {
        "absolute"
    }

    fn about(&self) -> &'static str {
        "the file by its canonical absolute path"
    }

    fn family(&self) -> Family {
        Family::First
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
        Ok(Prepared::ways([Way::plain(site)]))
    }
}
