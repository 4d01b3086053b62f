//! `argv0-other`: the first argument says anything: another program's path, a login shell's dash, nothing, a
//! thread of the kernel. It is the caller's to choose, and no path at all.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way,
    worker::{Worker, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct Argv0Other;

impl Scenario for Argv0Other {
    fn name(&self) -> &'static str {
        "argv0-other"
    }

    fn about(&self) -> &'static str {
        "the first argument is not the file"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let ways = [
            ("another program", "/usr/sbin/sshd"),
            ("login shell", "-worker"),
            ("empty", ""),
            ("kernel thread", "[kworker/0:1]"),
        ]
        .map(|(label, first)| {
            let mut site = worker.site()?;
            site.argv[0] = first.into();
            Ok(Way::call(labelled(label, site)))
        });
        let ways: Result<Vec<_>, SetupError> = ways.into_iter().collect();
        Ok(Prepared::ways(ways?))
    }
}
