//! Where a monitor and the process that it is to watch meet, for techniques that reach descendants only.
//!
//! The monitor listens on a socket before it says that it is ready; [`Backend::launch`](crate::Backend::launch)
//! connects to it in the process that is to be watched, and hands over what the technique needs: a
//! seccomp listener, or only its own process id.

use std::{env, path::PathBuf};

/// In the environment of monitor and launched process: a path at which nothing is yet, for a socket of their
/// own, in a folder that ends with the trial.
pub const RENDEZVOUS: &str = "EXECLAB_RENDEZVOUS";

/// Where they meet; `None` where nobody said.
pub fn rendezvous() -> Option<PathBuf> {
    env::var_os(RENDEZVOUS).map(PathBuf::from)
}
