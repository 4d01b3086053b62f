//! `quiet-victim`: two cgroups, one of which floods while the other makes an exec now and then. All go
//! through the same buffers, so a flood can cost the quiet one its execs; sites say whose they are. All run before any monitor, as if the
//! flood came from many CPUs at once.

use std::{fs::File, os::fd::AsRawFd};

use execlab_model::{
    Bytes,
    workload::{Load, Workload},
};

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, acting, cgroup_dir, make_cgroup};
use crate::spawn::Maker;

/// The flood, at once: more than the connector's socket has room for, which is some 240 to 280 messages.
const CHILDREN: u32 = 480;
/// One child in so many is the victim's.
const SHARE: usize = 32;
/// Which of them: neither the first, for which every buffer has room, nor the last, after which all is quiet.
const PLACE: usize = 24;

/// Bytes of the neighbour's last argument: what is reported of it takes room, too.
const PADDING: usize = 2_000;

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
        CHILDREN
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(acting::RUNS_FIRST)
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        acting::run_first()?;
        let padding = vec![b'p'; PADDING].into();
        let neighbour = Side::new(ground, "neighbour", vec!["end".into(), padding])?;
        let victim = Side::new(ground, "victim", Vec::new())?;
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
    fn new(ground: &Ground, label: &str, more: Vec<Bytes>) -> Result<Self, SetupError> {
        let (cgroup, cgroup_id) = make_cgroup(ground, &format!("system.slice/{label}.service"))?;
        let dir = cgroup_dir(&ground.cgroups, &cgroup);
        let folder = File::open(&dir).map_err(SetupError::at(format!("open {}", dir.display())))?;
        let mut site = acting::site(ground, more)?;
        site.label = label.into();
        (site.cgroup, site.cgroup_id, site.in_container) = (cgroup, cgroup_id, true);
        let maker = Maker::IntoCgroup(folder.as_raw_fd());
        Ok(Self {
            way: acting::way(site).made_by(maker),
            cgroup: folder,
        })
    }
}
