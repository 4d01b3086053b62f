//! `tmpfs`: a file on a memory file system that only the storm's mount namespace has. It lies on no disk, and
//! no other process can open it by its path.

use std::path::Path;

use execlab_model::workload::Workload;
use nix::mount::MsFlags;

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install, mounts};

/// See the module.
#[derive(Debug)]
pub struct Tmpfs;

impl Scenario for Tmpfs {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn about(&self) -> &'static str {
        "a file on a tmpfs in a mount namespace of its own"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        mounts::enter()?;
        let memory = ground.dir.join("memory");
        mounts::add(
            "tmpfs",
            Path::new("execlab"),
            &memory,
            MsFlags::empty(),
            None,
        )?;
        let file = memory.join("worker");
        install(&ground.payload, &file)?;
        let site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
        Ok(Prepared::ways([Way::plain(site)]))
    }
}
