//! A file of the scenario's own that is called by its absolute path, with more than the usual arguments.

use execlab_model::{Bytes, truth::Site};
use nix::errno::Errno;

use super::{Ground, Place, SetupError, Way, bytes, install};
use crate::step::How;

/// Where it lies, below the ground.
const FILE: &str = "bin/worker";

/// Installs it; its site in this process's own place, with these arguments behind the usual ones.
pub(crate) fn site(
    ground: &Ground,
    arguments: impl IntoIterator<Item = Bytes>,
) -> Result<Site, SetupError> {
    let file = ground.dir.join(FILE);
    install(&ground.payload, &file)?;
    let mut site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
    site.argv.extend(arguments);
    Ok(site)
}

/// One `execve` of a site's file by the string that it is given. Without a bare sibling, which would not have
/// the same arguments.
pub(crate) fn way(site: Site) -> Way {
    Way::of([]).exec(How::Execve, site.given.0.clone(), site)
}

/// Above the interval at which a monitor polls `/proc` by default, which is 100 ms.
pub(super) const LASTING_NS: u64 = 250_000_000;

/// Two ways of one site: `brief` lives as long as the workload says, `lasting` so long that even a monitor
/// that looks late finds the process, and what it has made of itself.
pub(crate) fn brief_and_lasting(site: &Site) -> [Way; 2] {
    let labelled = |label: &str| Site {
        label: label.to_owned(),
        ..site.clone()
    };
    let lasting = Way {
        lifetime_ns: Some(LASTING_NS),
        ..way(labelled("lasting"))
    };
    [way(labelled("brief")), lasting]
}

/// Has this process and its children run before everything else on their CPU: what a flood on many CPUs does to
/// a monitor that reads on one of them, a burst does then on the only one there is.
pub(crate) fn run_first() -> Result<(), SetupError> {
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter lives through the call; 0 is this process.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const first) };
    Errno::result(result).map_err(SetupError::at("take real-time priority"))?;
    Ok(())
}

/// Why such a scenario is for guests.
pub(crate) const RUNS_FIRST: &str =
    "it runs at real-time priority, and nothing else on its CPU meanwhile";
