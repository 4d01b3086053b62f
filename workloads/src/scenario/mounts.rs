//! A mount namespace of the storm's own, for mounts that nobody else sees and that go with it.

use std::path::Path;

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{SetupError, make_dir};

/// Enters it. From now on nothing that is mounted here is seen elsewhere.
pub(super) fn enter() -> Result<(), SetupError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(SetupError::at("enter a new mount namespace"))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(SetupError::at("make all mounts private"))
}

/// Mounts a file system, and makes the folder that it is mounted on.
pub(super) fn add(
    kind: &str,
    source: &Path,
    on: &Path,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), SetupError> {
    make_dir(on)?;
    mount(Some(source), on, Some(kind), flags, options)
        .map_err(SetupError::at(format!("mount {kind} on {}", on.display())))
}
