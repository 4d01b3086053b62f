//! `setns`: execs into a running container, as `docker exec` makes them. The storm stays outside; each child
//! is born in the container's PID namespace, moves into its cgroup, enters its other namespaces, and only then
//! calls exec. A monitor that noted namespaces when the child was made has the wrong ones.

use std::{fs::File, os::fd::AsRawFd, path::Path};

use execlab_model::workload::Workload;
use nix::{sched::CloneFlags, unistd::sethostname};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes,
    layers::{Layers, change_root, container_cgroup, enter_cgroup},
    tenant::{Tenant, for_children, make_mounts_private, mount_proc, unshare},
};
use crate::step::Step;

/// What a runtime would take as the container's id.
const ID: &str = "71d0b2c4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192";

/// See the module.
#[derive(Debug)]
pub struct Setns;

impl Scenario for Setns {
    fn name(&self) -> &'static str {
        "setns"
    }

    fn about(&self) -> &'static str {
        "into a running container, as `docker exec` does"
    }

    fn modules(&self) -> &'static [&'static str] {
        &["overlay"]
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let layers = Layers::new(&ground.dir.join("overlay2").join(&ID[..12]));
        layers.mount(&ground.payload)?;
        // Where this process finds files under the names that they have inside.
        let (bin, work) = (Path::new("/app/bin"), Path::new("/app/work"));
        let (cgroup, cgroup_id, folder) = container_cgroup(ground, ID)?;

        unshare(CloneFlags::CLONE_NEWPID)?;
        let init = Tenant::start(|| begin(&layers, &folder))?;
        let procs = folder.join("cgroup.procs");
        let procs = File::options()
            .write(true)
            .open(&procs)
            .map_err(SetupError::at(format!("open {}", procs.display())))
            .and_then(for_children)?;
        let (enter, doors) = init.enter(&["cgroup", "uts", "ipc", "net", "mnt"])?;
        let mut steps = vec![Step::write(procs.as_raw_fd(), "0")];
        steps.extend(enter);

        let place = Place {
            namespaces: init.namespaces()?,
            cgroup,
            cgroup_id,
            in_container: true,
        };
        let outside = layers.merged.join("app/bin/worker");
        let way = |given: &str, cwd: Option<&Path>| -> Result<Way, SetupError> {
            let mut site = place.site(given, cwd.unwrap_or(Path::new("/")), &outside)?;
            let inside = bin.join("worker");
            site.label = if cwd.is_some() {
                "relative"
            } else {
                "absolute"
            }
            .into();
            site.frames.exact = bytes(&inside);
            site.frames.host = layers.names(&inside);
            let cd = cwd.map(|dir| Step::chdir(bytes(dir).0));
            let steps: Vec<_> = steps.iter().cloned().chain(cd).collect();
            Ok(Way::plain(site).after(&steps))
        };
        Ok(Prepared {
            helpers: vec![init.pid()],
            ways: vec![
                way("/app/bin/worker", None)?,
                way("../bin/worker", Some(work))?,
            ],
            guard: Some(Box::new((init, doors, procs))),
            ..Prepared::default()
        })
    }
}

/// In the container's process 1.
fn begin(layers: &Layers, cgroup: &Path) -> Result<(), SetupError> {
    enter_cgroup(cgroup)?;
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWCGROUP,
    )?;
    make_mounts_private()?;
    sethostname(&ID[..12]).map_err(SetupError::at("set the container's host name"))?;
    change_root(&layers.merged)?;
    mount_proc()
}
