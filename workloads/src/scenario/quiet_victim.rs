//! `quiet-victim`: two cgroups, one of which floods while the other makes an exec now and then. All go
//! through the same buffers, so a flood can cost the quiet one its execs; sites say whose they are.

use std::{fs::File, os::fd::AsRawFd};

use execlab_model::workload::{Load, Workload};

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, cgroup_dir, make_cgroup, worker};
use crate::spawn::Maker;

/// The flood, at once.
const CHILDREN: u32 = 256;
/// One child in so many is the victim's.
const SHARE: usize = 32;
/// Which of them: neither the first, for which every buffer has room, nor the last, after which all is quiet.
const PLACE: usize = 24;

/// See the module.
#[derive(Debug)]
pub struct QuietVictim;

impl Scenario for QuietVictim {
    fn name(&self) -> &'static str {
        "quiet-victim"
    }

    fn about(&self) -> &'static str {
        "one cgroup floods, another makes one exec in 32: whose are lost?"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn load(&self) -> Option<Load> {
        Some(Load::Burst(CHILDREN))
    }

    fn least_execs(&self) -> u32 {
        2 * CHILDREN
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let neighbour = Side::new(ground, "neighbour")?;
        let victim = Side::new(ground, "victim")?;
        let way = |n| {
            let side = if n == PLACE { &victim } else { &neighbour };
            side.way.clone()
        };
        Ok(Prepared {
            ways: (0..SHARE).map(way).collect(),
            guard: Some(Box::new([neighbour.cgroup, victim.cgroup])),
            ..Prepared::default()
        })
    }
}

/// One of the two.
struct Side {
    way: Way,
    /// Children are born there as long as it is open.
    cgroup: File,
}

impl Side {
    fn new(ground: &Ground, label: &str) -> Result<Self, SetupError> {
        let (cgroup, cgroup_id) = make_cgroup(ground, &format!("system.slice/{label}.service"))?;
        let dir = cgroup_dir(&ground.cgroups, &cgroup);
        let folder = File::open(&dir).map_err(SetupError::at(format!("open {}", dir.display())))?;
        let mut site = worker::site(ground, [])?;
        site.label = label.to_owned();
        (site.cgroup, site.cgroup_id, site.in_container) = (cgroup, cgroup_id, true);
        let maker = Maker::IntoCgroup(folder.as_raw_fd());
        Ok(Self {
            way: worker::way(site).made_by(maker),
            cgroup: folder,
        })
    }
}
