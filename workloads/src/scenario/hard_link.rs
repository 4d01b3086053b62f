//! `hard-link`: one file with two names, called by both in turn. The right one is the one that was called;
//! who remembers names by inode gives the other.

use std::fs;

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{Worker, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct HardLink;

impl Scenario for HardLink {
    fn name(&self) -> &'static str {
        "hard-link"
    }

    fn about(&self) -> &'static str {
        "two names of one file, in turn"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let other = worker.bin.join("other");
        fs::hard_link(&worker.file, &other)
            .map_err(SetupError::at(format!("link {}", other.display())))?;
        let other = worker.place.site(bytes(&other), "/", &other)?;
        Ok(Prepared::ways([
            Way::call(labelled("first name", worker.site()?)),
            Way::call(labelled("second name", other)),
        ]))
    }
}
