//! `e2big`: one argument that is one byte too long. The file is there and opened; the kernel gives up while it
//! copies the arguments (`copy_strings`, fs/exec.c).

use execlab_model::{Bytes, workload::Workload};
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, call_with},
};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct E2big;

/// `MAX_ARG_STRLEN` (include/uapi/linux/binfmts.h) on x86-64, in bytes: the longest argument with its NUL.
const LONGEST: usize = 32 * 4096;

impl Scenario for E2big {
    fn name(&self) -> &'static str {
        "e2big"
    }

    fn about(&self) -> &'static str {
        "an argument of 131,072 bytes, one too many; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        3
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let call = call_with(&attempts.file, Bytes(vec![b'a'; LONGEST]));
        attempts.ways(ground, &[vec![Step::Fails(call, Errno::E2BIG)]])
    }
}
