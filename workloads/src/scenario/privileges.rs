//! Files whose owner, mode or attributes decide who may run them and as whom, executed by root and by a
//! user in turn.

use std::path::PathBuf;

use execlab_model::truth::Site;

use super::{Ground, Place, Prepared, SetupError, Way, bytes, install};
use crate::step::{How, Step};

/// A user and group that own nothing.
pub(super) const USER: u32 = 1000;

/// A payload's file, and the place to execute it in.
pub(super) struct Privileged {
    /// The file.
    pub(super) file: PathBuf,
    place: Place,
}

impl Privileged {
    /// As root's own, with the usual mode.
    pub(super) fn prepare(ground: &Ground) -> Result<Self, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let place = Place::here(ground)?;
        Ok(Self { file, place })
    }

    /// The same for another file beside this one, which is not there yet.
    pub(super) fn beside(&self, name: &str) -> Self {
        Self {
            file: self.file.with_file_name(name),
            place: self.place.clone(),
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
        let site = Site {
            label: label.into(),
            ..self.place.site(bytes(file), "/", file)?
        };
        Ok(Way::of(before.iter().cloned()).exec(How::Execve, bytes(file).0, site))
    }
}
