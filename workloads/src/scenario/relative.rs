//! `relative`: the child changes its folder and calls `./worker` or `../bin/worker`, in turn. A
//! monitor that reports the string passed to the call cannot say which file that was.

use std::path::Path;

use execlab_model::workload::Workload;

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install, make_dir};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct Relative;

impl Scenario for Relative {
    fn name(&self) -> &'static str {
        "relative"
    }

    fn about(&self) -> &'static str {
        "chdir, then `./name` and `../dir/name` in turn"
    }

    fn family(&self) -> Family {
        Family::First
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let (bin, work) = (ground.dir.join("bin"), ground.dir.join("work"));
        let file = bin.join("worker");
        install(&ground.payload, &file)?;
        make_dir(&work)?;
        let place = Place::here(ground)?;
        let way = |given: &str, cwd: &Path| -> Result<Way, SetupError> {
            let plain = Way::plain(place.site(given, cwd, &file)?);
            Ok(plain.after(&[Step::chdir(bytes(cwd).0)]))
        };
        Ok(Prepared::ways([
            way("./worker", &bin)?,
            way("../bin/worker", &work)?,
        ]))
    }
}
