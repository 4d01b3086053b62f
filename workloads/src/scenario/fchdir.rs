//! `fchdir`: the child's folder comes from a descriptor, so that no call of its says where it is.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way,
    worker::{OPENED, Worker, open},
};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct Fchdir;

impl Scenario for Fchdir {
    fn name(&self) -> &'static str {
        "fchdir"
    }

    fn about(&self) -> &'static str {
        "fchdir to an open folder, then `./name`"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let site = worker.place.site("./worker", &worker.bin, &worker.file)?;
        let steps = [
            open(&worker.bin, libc::O_PATH | libc::O_DIRECTORY),
            Step::fchdir(OPENED),
        ];
        // A folder that is open for its path alone can be gone to all the same (Linux 3.5, open(2)).
        Ok(Prepared::ways([Way::call(site).after(&steps)]))
    }
}
