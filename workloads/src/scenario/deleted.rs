//! `deleted`: a file that was opened, then deleted, then executed by its descriptor: one that was deleted long
//! ago and has no name left at all, and one whose name the child takes away just before. The right path is the
//! one that it had; the kernel appends ` (deleted)`.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{OPENED, Worker, copy_alone, dev_fd, give_to_children, labelled, open},
};
use crate::{
    spawn::Maker,
    step::{How, Step},
};

/// See the module.
#[derive(Debug)]
pub struct Deleted;

impl Scenario for Deleted {
    fn name(&self) -> &'static str {
        "deleted"
    }

    fn about(&self) -> &'static str {
        "opened, deleted, and executed by its descriptor"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let (past, brief) = (worker.bin.join("past"), worker.bin.join("brief"));
        copy_alone(&ground.payload, &past)?;
        let opened =
            File::open(&past).map_err(SetupError::at(format!("open {}", past.display())))?;
        let fd = give_to_children(&opened, false)?;
        let number = fd.as_raw_fd();
        let long_ago = labelled("long ago", worker.place.site(dev_fd(number), "/", &past)?);
        fs::remove_file(&past).map_err(SetupError::at(format!("remove {}", past.display())))?;

        let mut just_before = labelled("just before", worker.called(dev_fd(OPENED))?);
        just_before.frames.exact = bytes(&brief);
        let steps = [
            Step::link(bytes(&worker.file).0, bytes(&brief).0),
            open(&brief, libc::O_RDONLY),
            Step::unlink(bytes(&brief).0),
        ];
        let by = |fd| How::Execveat(fd, libc::AT_EMPTY_PATH);
        Ok(Prepared {
            ways: vec![
                Way::of([]).exec(by(number), "", long_ago),
                // The name is there for one child at a time.
                Way::of(steps)
                    .exec(by(OPENED), "", just_before)
                    .made_by(Maker::Vfork),
            ],
            guard: Some(Box::new(fd)),
            ..Prepared::default()
        })
    }
}
