//! `cgroup-moved-before`: each child moves itself into another cgroup just before its exec, by turns into two.
//! What was noted when it was made is out of date when it executes.

use std::{fs::File, os::fd::AsRawFd};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    layers::container_cgroup, tenant::for_children,
};
use crate::step::Step;

/// The containers' ids.
const IDS: [&str; 2] = [
    "b0a1f3c5d7e9b1a2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930",
    "b1e2d4c6b8a0918273645546372819a0bcdeff0123456789abcdef0123456789",
];

/// See the module.
#[derive(Debug)]
pub struct CgroupMovedBefore;

impl Scenario for CgroupMovedBefore {
    fn name(&self) -> &'static str {
        "cgroup-moved-before"
    }

    fn about(&self) -> &'static str {
        "the child moves into another cgroup just before its exec, by turns into two"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let (mut ways, mut doors) = (Vec::new(), Vec::new());
        for (id, label) in IDS.into_iter().zip(["first", "second"]) {
            let (cgroup, cgroup_id, folder) = container_cgroup(ground, id)?;
            let procs = folder.join("cgroup.procs");
            let door = File::options()
                .write(true)
                .open(&procs)
                .map_err(SetupError::at(format!("open {}", procs.display())))
                .and_then(for_children)?;
            let place = Place {
                cgroup,
                cgroup_id,
                in_container: true,
                ..Place::here(ground)?
            };
            let mut site = place.site(bytes(&file), "/", &file)?;
            site.label = label.into();
            ways.push(Way::plain(site).after(&[Step::write(door.as_raw_fd(), "0")]));
            doors.push(door);
        }
        Ok(Prepared {
            guard: Some(Box::new(doors)),
            ..Prepared::ways(ways)
        })
    }
}
