//! What a runtime gives a container besides namespaces: an overlayfs root and a cgroup.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use execlab_model::Bytes;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{chdir, pivot_root},
};

use super::{Ground, SetupError, cgroup_dir, install, make_cgroup, make_dir};

/// The overlay's folders, as the initial mount namespace names them.
pub(super) struct Layers {
    lower: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    pub(super) merged: PathBuf,
}

impl Layers {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            lower: dir.join("lower"),
            upper: dir.join("upper"),
            work: dir.join("work"),
            merged: dir.join("merged"),
        }
    }

    pub(super) fn mount(&self, payload: &Path) -> Result<(), SetupError> {
        install(payload, &self.lower.join("app/bin/worker"))?;
        make_dir(&self.lower.join("app/work"))?;
        make_dir(&self.lower.join("proc"))?;
        for dir in [&self.upper, &self.work, &self.merged] {
            make_dir(dir)?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.lower.display(),
            self.upper.display(),
            self.work.display()
        );
        mount(
            Some("overlay"),
            &self.merged,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .map_err(SetupError::at(format!(
            "mount an overlay on {}",
            self.merged.display()
        )))
    }

    /// By what paths the initial mount namespace reaches a file of the container.
    pub(super) fn names(&self, inside: &Path) -> Vec<Bytes> {
        let below = inside.strip_prefix("/").unwrap_or(inside);
        [&self.merged, &self.lower]
            .map(|dir| dir.join(below).as_os_str().as_bytes().into())
            .to_vec()
    }
}

/// The cgroup of a container with this id: its path, its inode, and its folder.
pub(super) fn container_cgroup(
    ground: &Ground,
    id: &str,
) -> Result<(Bytes, u64, PathBuf), SetupError> {
    let (cgroup, inode) = make_cgroup(ground, &format!("system.slice/docker-{id}.scope"))?;
    let dir = cgroup_dir(&ground.cgroups, &cgroup);
    Ok((cgroup, inode, dir))
}

/// Moves this process into a cgroup.
pub(super) fn enter_cgroup(dir: &Path) -> Result<(), SetupError> {
    fs::write(dir.join("cgroup.procs"), "0").map_err(SetupError::at(format!(
        "move into the cgroup {}",
        dir.display()
    )))
}

/// Makes `root` the root of this mount namespace and forgets the old one (`pivot_root(2)`, the
/// variant without a folder for the old root).
pub(super) fn change_root(root: &Path) -> Result<(), SetupError> {
    chdir(root).map_err(SetupError::at(format!("change to {}", root.display())))?;
    pivot_root(".", ".").map_err(SetupError::at("pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(SetupError::at("detach the old root"))?;
    chdir("/").map_err(SetupError::at("change to the new root"))
}
