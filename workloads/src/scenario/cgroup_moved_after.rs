//! `cgroup-moved-after`: each image moves itself into another cgroup as soon as it runs. Truth is the cgroup
//! in which the exec happened; whoever looks it up later finds the other one, and is wrong.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    layers::{container_cgroup, enter_cgroup},
};
use crate::step::How;

/// The containers' ids: where the exec happens, and where the image goes.
const FROM: &str = "a0f1e2d3c4b5a6978897a6b5c4d3e2f1001122334455667788990011aabbccdd";
const TO: &str = "a1ffeeddccbbaa998877665544332211000f1e2d3c4b5a69788796a5b4c3d2e1";

/// See the module.
#[derive(Debug)]
pub struct CgroupMovedAfter;

impl Scenario for CgroupMovedAfter {
    fn name(&self) -> &'static str {
        "cgroup-moved-after"
    }

    fn about(&self) -> &'static str {
        "the new image moves into another cgroup at once"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let (cgroup, cgroup_id, folder) = container_cgroup(ground, FROM)?;
        enter_cgroup(&folder)?;
        let (_, _, to) = container_cgroup(ground, TO)?;
        let place = Place {
            cgroup,
            cgroup_id,
            in_container: true,
            ..Place::here(ground)?
        };
        let mut site = place.site(bytes(&file), "/", &file)?;
        let act = ["write".into(), bytes(&to.join("cgroup.procs")), "0".into()];
        site.argv.extend(act);
        let given = site.given.clone();
        Ok(Prepared::ways([Way::of([]).exec(
            How::Execve,
            given.0,
            site,
        )]))
    }
}
