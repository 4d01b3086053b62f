//! `enotdir`: a path that goes through a file.

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
};

/// See the module.
#[derive(Debug)]
pub struct Enotdir;

impl Scenario for Enotdir {
    fn name(&self) -> &'static str {
        "enotdir"
    }

    fn about(&self) -> &'static str {
        "a path that goes through a file; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        3
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let through = attempts.file.join("worker");
        attempts.ways(ground, &[vec![fails(&through, Errno::ENOTDIR)]])
    }
}
