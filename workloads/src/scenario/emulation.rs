//! Whether this kernel takes 32-bit system calls.

use std::{arch::asm, io};

use nix::{
    sys::{
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork},
};

use super::SetupError;

/// Asks the kernel in a child, which a kernel without them kills: `getpid` by `int 0x80`.
pub(super) fn is_there() -> Result<(), SetupError> {
    // SAFETY: the child makes only system calls.
    let child = match unsafe { fork() }.map_err(SetupError::at("fork a child to ask the kernel"))? {
        ForkResult::Child => {
            const GETPID: u64 = 20;
            let pid: u64;
            // SAFETY: takes no argument and touches no memory; see `spawn::child` for the registers.
            unsafe {
                asm!(
                    "int 0x80",
                    inlateout("rax") GETPID => pid,
                    lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
                );
            }
            // SAFETY: ends the child without running anything of its parent's.
            unsafe { libc::_exit(i32::from(pid != u64::from(std::process::id()))) }
        }
        ForkResult::Parent { child } => child,
    };
    match waitpid(child, None).map_err(SetupError::at("wait for the child that asked"))? {
        WaitStatus::Exited(_, 0) => Ok(()),
        // No such gate, or nobody behind it who knows the call.
        refused @ (WaitStatus::Signaled(_, Signal::SIGSEGV, _) | WaitStatus::Exited(_, 1)) => {
            Err(SetupError::Unsupported(format!(
                "a child that called getpid by `int 0x80` ended so: {refused:?}"
            )))
        }
        other => Err(SetupError::at("ask for `int 0x80`")(io::Error::other(
            format!("the child that asked ended so: {other:?}"),
        ))),
    }
}
