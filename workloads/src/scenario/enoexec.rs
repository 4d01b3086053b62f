//! `enoexec`: files that may be executed and are no program. The kernel opens and reads them before it gives
//! up, and so every hook up to `security_bprm_check` has seen an exec that does not come.
//!
//! Their first four bytes are printable: for others, kernels up to 6.12 start modprobe
//! (`search_binary_handler`, fs/exec.c), which would be an exec of the kernel's own.

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
    interpreted::write_file,
};

/// See the module.
#[derive(Debug)]
pub struct Enoexec;

impl Scenario for Enoexec {
    fn name(&self) -> &'static str {
        "enoexec"
    }

    fn about(&self) -> &'static str {
        "files that are no program: a text, and `#!` with nothing behind it; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        4
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let mut lists = Vec::new();
        for (name, contents) in [("text", "not a program\n"), ("no-name", "#!  \n")] {
            let file = attempts.dir.join(name);
            write_file(&file, contents.as_bytes(), 0o755)?;
            lists.push(vec![fails(&file, Errno::ENOEXEC)]);
        }
        attempts.ways(ground, &lists)
    }
}
