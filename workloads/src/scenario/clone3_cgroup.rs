//! `clone3-cgroup`: the child is born in another cgroup than its parent's (`CLONE_INTO_CGROUP`, Linux 5.7),
//! as systemd starts services. Who takes the parent's cgroup for the child's is wrong.
//!
//! It is no container: all of its namespaces are everybody's.

use std::{fs::File, os::fd::AsRawFd};

use execlab_model::workload::{Spawn, Workload};
use nix::{errno::Errno, sys::wait::waitpid};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, cgroup_dir, make_cgroup,
    worker::Worker,
};
use crate::{
    spawn::{Launcher, Maker},
    step::Step,
};

/// See the module.
#[derive(Debug)]
pub struct Clone3Cgroup;

impl Scenario for Clone3Cgroup {
    fn name(&self) -> &'static str {
        "clone3-cgroup"
    }

    fn about(&self) -> &'static str {
        "clone3 into a cgroup that is not the parent's"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let (cgroup, cgroup_id) = make_cgroup(ground, "born")?;
        let dir = cgroup_dir(&ground.cgroups, &cgroup);
        let opened = File::open(&dir).map_err(SetupError::at(format!("open {}", dir.display())))?;
        let maker = Maker::IntoCgroup(opened.as_raw_fd());
        probe(maker)?;
        let place = Place {
            cgroup,
            cgroup_id,
            ..worker.place
        };
        let site = place.site(bytes(&worker.file), "/", &worker.file)?;
        Ok(Prepared {
            ways: vec![Way::call(site).made_by(maker)],
            guard: Some(Box::new(opened)),
            ..Prepared::default()
        })
    }
}

/// Makes one child so that only exits.
fn probe(maker: Maker) -> Result<(), SetupError> {
    let what = "make a child in another cgroup";
    let way = Way::of([Step::Exit]).made_by(maker);
    let mut launcher = Launcher::new(0).map_err(SetupError::at(what))?;
    let way = launcher
        .load(&way, Spawn::Fork)
        .map_err(SetupError::at(what))?;
    match launcher.spawn(way, 0, 0) {
        // Too old for the call, for the size of its arguments, for the flag.
        Err(errno @ (Errno::ENOSYS | Errno::E2BIG | Errno::EINVAL)) => Err(
            SetupError::Unsupported(format!("clone3 with CLONE_INTO_CGROUP: {errno}")),
        ),
        made => made
            .and_then(|pid| waitpid(pid, None))
            .map(drop)
            .map_err(SetupError::at(what)),
    }
}
