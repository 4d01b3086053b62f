//! `symlink`: the file through a symbolic link. The kernel resolves it before the exec, so whoever asks
//! the kernel for the file gets the file, and whoever copies the argument gets the link.

use std::os::unix::fs::symlink;

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bare::beside, bytes, install,
};

/// See the module.
#[derive(Debug)]
pub struct Symlink;

impl Scenario for Symlink {
    fn name(&self) -> &'static str {
        "symlink"
    }

    fn about(&self) -> &'static str {
        "the absolute path of a symbolic link to the file"
    }

    fn family(&self) -> Family {
        Family::First
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let (file, link) = (ground.dir.join("bin/worker"), ground.dir.join("link"));
        install(&ground.payload, &file)?;
        for (file, link) in [(&file, &link), (&beside(&file), &beside(&link))] {
            symlink(file, link)
                .map_err(SetupError::at(format!("make the link {}", link.display())))?;
        }
        let site = Place::here(ground)?.site(bytes(&link), "/", &file)?;
        Ok(Prepared::ways([Way::plain(site)]))
    }
}
