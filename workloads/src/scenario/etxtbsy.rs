//! `etxtbsy`: a program that somebody has open for writing, as an installer does that is not careful.

use std::fs::{File, OpenOptions};

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
    install,
};

/// See the module.
#[derive(Debug)]
pub struct Etxtbsy;

impl Scenario for Etxtbsy {
    fn name(&self) -> &'static str {
        "etxtbsy"
    }

    fn about(&self) -> &'static str {
        "a program that is open for writing; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        3
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let busy = attempts.dir.join("busy");
        install(&ground.payload, &busy)?;
        let writer: File = OpenOptions::new()
            .append(true)
            .open(&busy)
            .map_err(SetupError::at(format!(
                "open {} for writing",
                busy.display()
            )))?;
        Ok(Prepared {
            guard: Some(Box::new(writer)),
            ..attempts.ways(ground, &[vec![fails(&busy, Errno::ETXTBSY)]])?
        })
    }
}
