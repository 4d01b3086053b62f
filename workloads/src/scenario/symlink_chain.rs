//! `symlink-chain`: a link to a link to a link to the file, and the file in a folder that is itself one
//! behind two links. The kernel follows all of them before the exec.

use std::{os::unix::fs::symlink, path::Path};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{Worker, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct SymlinkChain;

impl Scenario for SymlinkChain {
    fn name(&self) -> &'static str {
        "symlink-chain"
    }

    fn about(&self) -> &'static str {
        "a link to a link to the file, and a folder behind links"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let link = |name: &str, to: &str| {
            let link = ground.dir.join(name);
            let made = symlink(to, &link).map(|()| link.clone());
            made.map_err(SetupError::at(format!("make the link {}", link.display())))
        };
        link("third", "bin/worker")?;
        link("second", "third")?;
        let first = link("first", "./second")?;
        link("place", "bin")?;
        let folder = link("folder", "place")?;
        let way = |label, given: &Path| {
            let site = worker.place.site(bytes(given), "/", &worker.file)?;
            Ok(Way::call(labelled(label, site)))
        };
        Ok(Prepared::ways([
            way("links to links", &first)?,
            way("folder behind links", &folder.join("worker"))?,
        ]))
    }
}
