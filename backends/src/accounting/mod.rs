//! Told when a process has ended: what the kernel writes down of each for whoever pays for the machine.
//!
//! Both rows know a process by its number and the name of its last image, and whether it had called exec
//! at all (`PF_FORKNOEXEC`): one word for each process, however many execs it made, and only once it is over.

use execlab_model::{Bytes, sighting::Sighting};
use nix::{
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};

use crate::{AttachError, Offers};

pub mod acct;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "look")]
mod look;
pub mod taskstats;

/// Bit of the flags in both formats (`include/uapi/linux/acct.h`): forked, and called no exec.
const AFORK: u8 = 0x01;

/// The kernel's names end here (`TASK_COMM_LEN`, with the zero behind it).
const COMM: usize = 16;

/// What both know.
const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: false,
    container: false,
    time: false,
    loss: true,
};

/// A process that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    /// `AFORK` and others.
    flags: u8,
    pid: u32,
    /// Its parent when it ended.
    ppid: u32,
    /// Its real user when it ended.
    uid: u32,
    /// The name of its last image, or the one that it gave itself.
    comm: Bytes,
    /// Device and inode of its last image.
    file: Option<(u64, u64)>,
}

impl Ended {
    fn called_exec(&self) -> bool {
        self.flags & AFORK == 0
    }

    fn sighting(self, received_ns: u64) -> Sighting {
        Sighting {
            pid: Some(self.pid),
            ppid: Some(self.ppid),
            uid: Some(self.uid),
            received_ns,
            truncated: self.comm.as_slice().len() >= COMM - 1,
            path: Some(self.comm).filter(|comm| !comm.as_slice().is_empty()),
            file: self.file,
            ..Sighting::default()
        }
    }
}

/// A name up to its zero.
fn name(raw: &[u8]) -> Bytes {
    let end = raw.iter().position(|&byte| byte == 0);
    raw[..end.unwrap_or(raw.len())].into()
}

/// A child that calls no exec and ends at once: a record of it is a proof. Its number.
fn ended_child() -> Result<u32, AttachError> {
    // SAFETY: the child calls nothing but _exit, which is async-signal-safe.
    match unsafe { fork() }.map_err(AttachError::call("fork"))? {
        // SAFETY: as above.
        ForkResult::Child => unsafe { libc::_exit(0) },
        ForkResult::Parent { child } => {
            waitpid(child, None).map_err(AttachError::call("waitpid of own child"))?;
            Ok(child.as_raw().cast_unsigned())
        }
    }
}
