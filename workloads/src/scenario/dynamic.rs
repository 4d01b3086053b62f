//! `dynamic`: a program that names an interpreter (`PT_INTERP`), which links it when it starts. The kernel
//! opens and maps both files, and the interpreter runs first; but unlike that of a script it is not the
//! image: `/proc/PID/exe` is the program.
//!
//! The payload is linked so; the interpreter is the C library's own, of the machine that built the guest's
//! programs, whose static programs hold the same library.

use execlab_model::workload::Workload;

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, programs};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct Dynamic;

impl Scenario for Dynamic {
    fn name(&self) -> &'static str {
        "dynamic"
    }

    fn about(&self) -> &'static str {
        "a dynamically linked program, which the C library's linker starts"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        programs::install_dynamic(ground, &file)?;
        let mut site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
        site.frames.interpreter = Some(programs::LINKER.into());
        Ok(Prepared::ways([Way::of([]).exec(
            How::Execve,
            bytes(&file).0,
            site,
        )]))
    }
}
