//! `eloop`: a symbolic link to itself, and a chain of scripts that is one too long. The first is not found
//! before anything is opened; for the second the kernel opens and checks six files and then gives up.

use std::os::unix::fs::symlink;

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
    interpreted::Interpreted,
    script_chain::{LONGEST, chain},
};

/// See the module.
#[derive(Debug)]
pub struct Eloop;

impl Scenario for Eloop {
    fn name(&self) -> &'static str {
        "eloop"
    }

    fn about(&self) -> &'static str {
        "a link to itself, and scripts six deep; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        4
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let link = attempts.dir.join("link");
        symlink("link", &link)
            .map_err(SetupError::at(format!("make the link {}", link.display())))?;
        let scripts = chain(&Interpreted::prepare(ground)?, LONGEST + 1)?;
        let lists = [&link, &scripts[LONGEST]].map(|path| vec![fails(path, Errno::ELOOP)]);
        attempts.ways(ground, &lists)
    }
}
