//! `empty-argv`: an exec without any argument. Since Linux 5.18, and in older series since their updates of
//! 2022, the kernel puts an empty one there (`do_execveat_common`, fs/exec.c); what the running kernel does is
//! asked of it.
//!
//! The id is in the environment.

use std::{ffi::CStr, fs, io, os::unix::ffi::OsStrExt, path::Path};

use execlab_model::{Bytes, workload::Workload};
use nix::{
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, execve, fork},
};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes, die_with_parent, worker::Worker,
};
use crate::{
    spawn::EXEC_FAILED,
    step::{Call, Environment, Step, text},
};

/// See the module.
#[derive(Debug)]
pub struct EmptyArgv;

impl Scenario for EmptyArgv {
    fn name(&self) -> &'static str {
        "empty-argv"
    }

    fn about(&self) -> &'static str {
        "no arguments at all"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let mut site = worker.site()?;
        site.argv = arguments_of_none(&worker.file)?;
        let call = Call {
            environment: Environment::WithId,
            ..Call::new(bytes(&worker.file).0, Vec::new())
        };
        Ok(Prepared::ways([Way::of([Step::Exec(call)]).then(site)]))
    }
}

/// What arguments an image of this file has that was given none.
fn arguments_of_none(file: &Path) -> Result<Vec<Bytes>, SetupError> {
    let path = text(file.as_os_str().as_bytes());
    // SAFETY: the storm has one thread, so the child may run any code.
    match unsafe { fork() }.map_err(SetupError::at("fork a child that calls exec"))? {
        ForkResult::Child => {
            die_with_parent();
            // Traced, it stops where its exec is done and the image has not begun.
            let _ = ptrace::traceme().and_then(|()| execve::<&CStr, &CStr>(&path, &[], &[]));
            // SAFETY: ends the child without running anything of its parent's.
            unsafe { libc::_exit(EXEC_FAILED.into()) }
        }
        ForkResult::Parent { child } => {
            let read = read_stopped(child);
            // Both can only fail for a child that is gone.
            let _ = ptrace::kill(child);
            let _ = waitpid(child, None);
            read.map_err(SetupError::at(
                "see what an exec without arguments comes to",
            ))
        }
    }
}

/// The arguments of a traced child, once its exec is done.
fn read_stopped(child: Pid) -> io::Result<Vec<Bytes>> {
    match waitpid(child, None)? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
        other => return Err(io::Error::other(format!("its child ended as {other:?}"))),
    }
    let text = fs::read(format!("/proc/{child}/cmdline"))?;
    let arguments = text.split_inclusive(|&b| b == 0);
    Ok(arguments
        .map(|argument| argument.strip_suffix(b"\0").unwrap_or(argument).into())
        .collect())
}
