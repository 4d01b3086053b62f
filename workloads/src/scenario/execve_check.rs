//! `execve-check`: `execveat` with `AT_EXECVE_CHECK` asks whether a file may be executed, and executes nothing
//! (Linux 6.14, Documentation/userspace-api/check_exec.rst). It succeeds, which is more than any other
//! attempt does: who takes success of the call for an exec reports one that never was. A check that
//! says yes, one that says no, and both before an exec, as an interpreter checks its script.

use std::ffi::CStr;

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, call},
    bytes,
    interpreted::write_file,
};
use crate::step::{AT_EXECVE_CHECK, How, Step, text};

/// See the module.
#[derive(Debug)]
pub struct ExecveCheck;

impl Scenario for ExecveCheck {
    fn name(&self) -> &'static str {
        "execve-check"
    }

    fn about(&self) -> &'static str {
        "AT_EXECVE_CHECK: may this file be executed, yes and no; alone and before the exec (Linux 6.14)"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn since(&self) -> Option<&'static str> {
        Some("6.18")
    }

    fn least_execs(&self) -> u32 {
        4
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let refused = attempts.dir.join("file");
        write_file(&refused, b"#!/nothing\n", 0o644)?;
        match check(&text(bytes(&attempts.file).0)) {
            Ok(()) => {}
            Err(Errno::EINVAL) => {
                let why = "execveat with AT_EXECVE_CHECK of a program: EINVAL, Invalid argument";
                return Err(SetupError::Unsupported(why.into()));
            }
            Err(errno) => {
                let what = format!("ask whether {} may be executed", attempts.file.display());
                return Err(SetupError::at(what)(errno));
            }
        }
        let how = How::Execveat(libc::AT_FDCWD, AT_EXECVE_CHECK);
        let lists = [
            vec![Step::Checks(call(&attempts.file))],
            vec![Step::Fails(call(&refused).by(how), Errno::EACCES)],
        ];
        attempts.ways(ground, &lists)
    }
}

/// Asks, in this process. A kernel that does not know the question refuses the flag before it looks at the
/// file (`do_open_execat`, fs/exec.c), so nothing is executed either way.
fn check(path: &CStr) -> Result<(), Errno> {
    let argv = [path.as_ptr(), std::ptr::null()];
    // SAFETY: strings and tables are alive and ended as execve(2) wants.
    let result = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            libc::AT_FDCWD,
            path.as_ptr(),
            argv.as_ptr(),
            argv[1..].as_ptr(),
            AT_EXECVE_CHECK,
        )
    };
    Errno::result(result).map(drop)
}
