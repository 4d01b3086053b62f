//! Files whose owner, mode or attributes decide who may run them and as whom, executed by root and by a
//! user in turn.

use std::path::PathBuf;

use execlab_model::truth::Site;
use nix::sys::statvfs::{FsFlags, statvfs};

use super::{Ground, Place, Prepared, SetupError, Way, bytes, install};
use crate::step::{How, Step};

/// A user and group that own nothing.
pub(super) const USER: u32 = 1000;

/// A payload's file, and the place to execute it in.
pub(super) struct Privileged {
    /// The file.
    pub(super) file: PathBuf,
    place: Place,
    /// Whether the images of further ways check that their privileges are not the caller's.
    pub(super) changes: bool,
}

impl Privileged {
    /// As root's own, with the usual mode.
    pub(super) fn prepare(ground: &Ground) -> Result<Self, SetupError> {
        heeds_privileges(ground)?;
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let place = Place::here(ground)?;
        Ok(Self {
            file,
            place,
            changes: false,
        })
    }

    /// The same for another file beside this one, which is not there yet.
    pub(super) fn beside(&self, name: &str) -> Self {
        Self {
            file: self.file.with_file_name(name),
            place: self.place.clone(),
            changes: self.changes,
        }
    }

    /// By root, and by [`USER`].
    pub(super) fn ways(&self) -> Result<Prepared, SetupError> {
        Ok(Prepared::ways([
            self.by_root("root")?,
            self.by_user("user")?,
        ]))
    }

    /// A way in which root executes it.
    pub(super) fn by_root(&self, label: &str) -> Result<Way, SetupError> {
        self.way(label, &[])
    }

    /// A way in which [`USER`] does.
    pub(super) fn by_user(&self, label: &str) -> Result<Way, SetupError> {
        self.way(label, &Step::become_user(USER, USER))
    }

    fn way(&self, label: &str, before: &[Step]) -> Result<Way, SetupError> {
        let file = &self.file;
        let mut site = Site {
            label: label.into(),
            ..self.place.site(bytes(file), "/", file)?
        };
        if self.changes {
            site.argv.push("secure".into());
        }
        Ok(Way::of(before.iter().cloned()).exec(How::Execve, bytes(file).0, site))
    }
}

/// Not on every file system do set-user-ID bits and capabilities of files count (`mnt_may_suid`, fs/namespace.c).
fn heeds_privileges(ground: &Ground) -> Result<(), SetupError> {
    let dir = &ground.dir;
    let stat = statvfs(dir).map_err(SetupError::at(format!("statvfs {}", dir.display())))?;
    if stat.flags().contains(FsFlags::ST_NOSUID) {
        let why = format!(
            "{} lies on a file system that is mounted nosuid",
            dir.display()
        );
        return Err(SetupError::Unsupported(why));
    }
    Ok(())
}
