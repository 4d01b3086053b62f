//! Looks again and again: rows that differ in what they look at, and in how they know what is new.

use crate::{AttachError, Offers};

mod beat;
mod ends;
#[cfg(test)]
mod held;
#[cfg(feature = "look")]
mod look;
mod poller;
pub mod proc_poll;
pub mod proc_poll_pidfd;
pub mod proc_poll_start;
pub mod ps;
mod table;

/// What `/proc` has of a process that lives. When it called exec is not among it.
const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: false,
    loss: false,
};

/// Descriptors are kept for processes. Only this process is affected, so nothing is put back.
/// The soft limit before and now.
fn raise_descriptor_limit() -> Result<(u64, u64), AttachError> {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let (soft, hard) =
        getrlimit(RLIMIT_NOFILE).map_err(AttachError::call("getrlimit RLIMIT_NOFILE"))?;
    setrlimit(RLIMIT_NOFILE, hard, hard).map_err(AttachError::call("setrlimit RLIMIT_NOFILE"))?;
    Ok((soft, hard))
}
