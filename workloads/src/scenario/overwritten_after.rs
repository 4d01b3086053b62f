//! `overwritten-after`: the first thing that the image does is to put another file in the place of its own, as
//! package managers do. The name is the same and the file another: what runs is deleted.
//!
//! Two files with other content take each other's place in turn. Each image makes the new one under a name of its own,
//! its id, so that under every load none is in another's way.

use std::{fs, path::Path};

use execlab_model::{Bytes, truth::ID_ARGUMENT, workload::Workload};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{Worker, copy_alone, labelled},
};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct OverwrittenAfter;

impl Scenario for OverwrittenAfter {
    fn name(&self) -> &'static str {
        "overwritten-after"
    }

    fn about(&self) -> &'static str {
        "the image puts another file in the place of its own"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        // The name that is called is not one of theirs, but a further one that comes and goes.
        let (here, odd, even) = (
            ground.dir.join("here"),
            worker.file.clone(),
            worker.bin.join("even"),
        );
        copy_alone(&ground.payload, &even)?;
        fs::hard_link(&odd, &here).map_err(SetupError::at(format!("link {}", here.display())))?;
        let way = |label, now: &Path, next: &Path| {
            let mut site = worker.place.site(bytes(&here), &worker.bin, now)?;
            site.frames.exact = bytes(&here);
            let (id, link, rename) = (ID_ARGUMENT, b"link".as_slice(), b"rename".as_slice());
            let acts = [link, &bytes(next).0, id, rename, id, &bytes(&here).0].map(Bytes::from);
            site.argv.extend(acts);
            let steps = [Step::chdir(bytes(&worker.bin).0)];
            Ok(Way::call(labelled(label, site)).after(&steps))
        };
        Ok(Prepared::ways([
            way("one file", &odd, &even)?,
            way("the other", &even, &odd)?,
        ]))
    }
}
