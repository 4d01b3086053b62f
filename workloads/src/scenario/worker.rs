//! What most scenarios start from: the payload as one file, and descriptors for it.

use std::{
    fs::{self, File},
    os::fd::{FromRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use execlab_model::{Bytes, truth::Site};
use nix::fcntl::{FcntlArg, fcntl};

use super::{Ground, Place, SetupError, bytes, make_dir};
use crate::step::{FIRST_OWN_FD, Step, text};

/// Where [`open`] puts a file in the child.
pub(super) const OPENED: RawFd = FIRST_OWN_FD;

/// A folder with a payload called `worker`, and where this process is.
#[derive(Debug)]
pub(super) struct Worker {
    /// The folder.
    pub bin: PathBuf,
    /// The file in it.
    pub file: PathBuf,
    /// Where the execs are.
    pub place: Place,
}

impl Worker {
    /// Installs it as `bin/worker` of the ground.
    pub fn install(ground: &Ground) -> Result<Self, SetupError> {
        let bin = ground.dir.join("bin");
        let file = bin.join("worker");
        super::install(&ground.payload, &file)?;
        Ok(Self {
            bin,
            file,
            place: Place::here(ground)?,
        })
    }

    /// The site of the file by its absolute path.
    pub fn site(&self) -> Result<Site, SetupError> {
        self.called(bytes(&self.file))
    }

    /// The site of the file by another string, from the root directory; `argv[0]` stays its name.
    pub fn called(&self, given: impl Into<Bytes>) -> Result<Site, SetupError> {
        let mut site = self.place.site(given, "/", &self.file)?;
        site.argv[0] = bytes(&self.file);
        Ok(site)
    }
}

/// The same site under a label.
pub(super) fn labelled(label: impl Into<String>, site: Site) -> Site {
    Site {
        label: label.into(),
        ..site
    }
}

/// The payload at `to` without its bare sibling, for whose name there may be no room.
pub(super) fn copy_alone(payload: &Path, to: &Path) -> Result<(), SetupError> {
    make_dir(to.parent().expect("scenarios copy into folders"))?;
    let what = format!("copy {} to {}", payload.display(), to.display());
    fs::copy(payload, to).map_err(SetupError::at(what))?;
    Ok(())
}

/// The child opens the file, to be executed by [`OPENED`]. A program needs no descriptor of itself, so none
/// is left to it.
pub(super) fn open(file: &Path, flags: i32) -> Step {
    Step::Open {
        path: text(bytes(file).0),
        flags: flags | libc::O_CLOEXEC,
        at: OPENED,
    }
}

/// What the kernel makes of a call by a descriptor alone (`alloc_bprm`, fs/exec.c).
pub(super) fn dev_fd(fd: RawFd) -> Bytes {
    format!("/dev/fd/{fd}").into_bytes().into()
}

/// By what path a descriptor of this process can be looked at, or called.
pub(super) fn proc_fd(fd: RawFd) -> PathBuf {
    format!("/proc/self/fd/{fd}").into()
}

/// Puts a file that children are to have where no other of their descriptors is; `kept` in their images as
/// well.
pub(super) fn give_to_children(file: &File, kept: bool) -> Result<OwnedFd, SetupError> {
    let command = if kept {
        FcntlArg::F_DUPFD(FIRST_OWN_FD)
    } else {
        FcntlArg::F_DUPFD_CLOEXEC(FIRST_OWN_FD)
    };
    let fd =
        fcntl(file, command).map_err(SetupError::at("put a descriptor where children have it"))?;
    // SAFETY: the descriptor is new and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
