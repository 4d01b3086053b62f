//! `chdir`: the child changes its folder and calls `./worker`; in the second way the image goes on to `/`
//! with its first step. Who has only the string of the call and looks for the working directory later
//! finds another one.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{Worker, labelled},
};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct Chdir;

impl Scenario for Chdir {
    fn name(&self) -> &'static str {
        "chdir"
    }

    fn about(&self) -> &'static str {
        "chdir just before `./name`, and once more just after"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let site = worker.place.site("./worker", &worker.bin, &worker.file)?;
        let way = |site| Way::call(site).after(&[Step::chdir(bytes(&worker.bin).0)]);
        let mut leaves = labelled("before and after", site.clone());
        leaves.argv.extend(["chdir", "/"].map(Into::into));
        Ok(Prepared::ways([way(labelled("before", site)), way(leaves)]))
    }
}
