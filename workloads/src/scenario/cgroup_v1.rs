//! `cgroup-v1`: execs on a machine that has a hierarchy of cgroup v1 beside that of v2, and are in both. They
//! have different names there, and the first line of `/proc/PID/cgroup` is the one of v1.

use std::{
    fs,
    path::{Path, PathBuf},
};

use execlab_model::workload::Workload;
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    layers::{container_cgroup, enter_cgroup},
    make_dir,
};

/// The container's id in v2, and what it is called in v1.
const ID: &str = "c5a1d0e2f3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e";
const OLD_NAME: &str = "docker/0ld51de0f2b3c4d5";

/// See the module.
#[derive(Debug)]
pub struct CgroupV1;

impl Scenario for CgroupV1 {
    fn name(&self) -> &'static str {
        "cgroup-v1"
    }

    fn about(&self) -> &'static str {
        "in a cgroup of a named v1 hierarchy too, beside v2"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it gives the machine one more cgroup hierarchy, which every process is in")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let old = Hierarchy::mount(ground.dir.join("v1"))?;
        let folder = old.0.join(OLD_NAME);
        make_dir(&folder)?;
        enter_cgroup(&folder)?;
        let (cgroup, cgroup_id, folder) = container_cgroup(ground, ID)?;
        enter_cgroup(&folder)?;
        let place = Place {
            cgroup,
            cgroup_id,
            in_container: true,
            ..Place::here(ground)?
        };
        let site = place.site(bytes(&file), "/", &file)?;
        Ok(Prepared {
            guard: Some(Box::new(old)),
            ..Prepared::ways([Way::plain(site)])
        })
    }
}

/// The mounted hierarchy; when it is dropped this process leaves it and it goes.
#[derive(Debug)]
struct Hierarchy(PathBuf);

impl Hierarchy {
    fn mount(at: PathBuf) -> Result<Self, SetupError> {
        make_dir(&at)?;
        let options = Some("none,name=execlab");
        match mount(
            Some("cgroup"),
            &at,
            Some("cgroup"),
            MsFlags::empty(),
            options,
        ) {
            Ok(()) => Ok(Self(at)),
            Err(errno @ (Errno::ENODEV | Errno::EINVAL)) => {
                let why = format!("mount -t cgroup -o none,name=execlab ends with {errno}");
                Err(SetupError::Unsupported(why))
            }
            Err(errno) => Err(SetupError::at("mount a cgroup v1 hierarchy")(errno)),
        }
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        // Whatever cannot be undone stays until the guest ends.
        let _ = fs::write(self.0.join("cgroup.procs"), "0");
        for folder in Path::new(OLD_NAME)
            .ancestors()
            .filter(|f| !f.as_os_str().is_empty())
        {
            let _ = fs::remove_dir(self.0.join(folder));
        }
        let _ = umount2(&self.0, MntFlags::empty());
    }
}
