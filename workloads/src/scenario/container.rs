//! `container`: execs in a container as a runtime makes it: own mount, PID, UTS, IPC, network and
//! cgroup namespaces, an overlayfs root reached by `pivot_root`, its own `/proc`, and a cgroup named
//! as Docker under systemd names it.
//!
//! The storm itself enters all of them but the PID namespace, which only its children are in
//! (`pid_namespaces(7)`): so `fork` still returns the initial namespace's pids, and that is how
//! truth knows both numbers of each exec without asking `/proc`.

use std::path::Path;

use execlab_model::workload::Workload;
use nix::{sched::CloneFlags, unistd::sethostname};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes,
    layers::{Layers, change_root, container_cgroup, enter_cgroup},
    tenant::{Tenant, make_mounts_private, mount_proc, unshare},
};
use crate::step::Step;

/// What a runtime would take as the container's id: 64 hexadecimal digits.
const ID: &str = "3f1c9a5e7b2d4860a1b3c5d7e9f00112233445566778899aabbccddeeff01234";

/// See the module.
#[derive(Debug)]
pub struct Container;

impl Scenario for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn about(&self) -> &'static str {
        "own namespaces, overlayfs root, own /proc; absolute and relative paths inside"
    }

    fn modules(&self) -> &'static [&'static str] {
        &["overlay"]
    }

    fn family(&self) -> Family {
        Family::First
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let layers = Layers::new(&ground.dir.join("overlay2").join(&ID[..12]));
        layers.mount(&ground.payload)?;
        let (cgroup, cgroup_id, folder) = container_cgroup(ground, ID)?;
        enter_cgroup(&folder)?;

        unshare(
            CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWCGROUP,
        )?;
        make_mounts_private()?;
        sethostname(&ID[..12]).map_err(SetupError::at("set the container's host name"))?;

        // Process 1.
        let init = Tenant::fork(mount_proc)?;
        // Only now does the PID namespace have a process, and only here is the old /proc in reach.
        let namespaces = init.namespaces()?;
        change_root(&layers.merged)?;
        init.go()?;

        let place = Place {
            namespaces,
            cgroup,
            cgroup_id,
            in_container: true,
        };
        let (bin, work) = (Path::new("/app/bin"), Path::new("/app/work"));
        let file = bin.join("worker");
        let way = |given: &str, cwd: Option<&Path>| -> Result<Way, SetupError> {
            let mut site = place.site(given, cwd.unwrap_or(Path::new("/")), &file)?;
            site.frames.host = layers.names(&file);
            let steps: Vec<_> = cwd
                .map(|dir| Step::chdir(bytes(dir).0))
                .into_iter()
                .collect();
            Ok(Way::plain(site).after(&steps))
        };
        let absolute = way("/app/bin/worker", None)?;
        Ok(Prepared {
            canary: Some(absolute.clone()),
            ways: vec![
                absolute,
                way("./worker", Some(bin))?,
                way("../bin/worker", Some(work))?,
            ],
            helpers: vec![init.pid()],
            guard: Some(Box::new(init)),
            ..Prepared::default()
        })
    }
}
