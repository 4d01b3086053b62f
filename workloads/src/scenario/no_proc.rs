//! `no-proc`: execs in a mount namespace without any `/proc`, in the host's file tree. What a process could
//! find out about itself there, and what is preloaded into it, is nothing.

use std::path::Path;

use execlab_model::workload::Workload;
use nix::{
    mount::{MntFlags, umount2},
    sched::CloneFlags,
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    tenant::{Tenant, make_mounts_private, unshare},
};

/// See the module.
#[derive(Debug)]
pub struct NoProc;

impl Scenario for NoProc {
    fn name(&self) -> &'static str {
        "no-proc"
    }

    fn about(&self) -> &'static str {
        "a mount namespace without any /proc"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let tenant = Tenant::start(take_proc_away)?;
        let (enter, doors) = tenant.enter(&["mnt"])?;
        let place = Place {
            namespaces: tenant.namespaces()?,
            ..Place::here(ground)?
        };
        let site = place.site(bytes(&file), "/", &file)?;
        Ok(Prepared {
            helpers: vec![tenant.pid()],
            guard: Some(Box::new((tenant, doors))),
            ..Prepared::ways([Way::plain(site).after(&enter)])
        })
    }
}

fn take_proc_away() -> Result<(), SetupError> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    make_mounts_private()?;
    // A host may have mounted it more than once.
    while Path::new("/proc/self").exists() {
        umount2("/proc", MntFlags::MNT_DETACH).map_err(SetupError::at("unmount /proc"))?;
    }
    Ok(())
}
