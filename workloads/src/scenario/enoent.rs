//! `enoent`: what a shell does to find a command: it tries one folder of the search path after the other. All
//! but the last of these calls fail, and where the command is nowhere, all do. A folder that is there
//! without the file, one that is not there, and a link that leads nowhere.

use std::os::unix::fs::symlink;

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
};

/// See the module.
#[derive(Debug)]
pub struct Enoent;

impl Scenario for Enoent {
    fn name(&self) -> &'static str {
        "enoent"
    }

    fn about(&self) -> &'static str {
        "the search for a command: calls that find no file, alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        3
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let link = attempts.dir.join("link");
        symlink("nowhere", &link)
            .map_err(SetupError::at(format!("make the link {}", link.display())))?;
        let places = ["worker", "sbin/worker", "link"];
        let search = places.map(|place| fails(&attempts.dir.join(place), Errno::ENOENT));
        attempts.ways(ground, &[search.to_vec()])
    }
}
