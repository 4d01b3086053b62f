//! `renamed-after`: the first thing that the image does is to give its own file another name, as updaters do. It
//! changes places with the file of that name, so that under every load both names are there. The right path is
//! the one that it was called by; who looks later finds the other.
//!
//! The two files come in turn, and so does what truth says of device and inode; under other loads than the
//! closed one a file may come twice.

use std::path::Path;

use execlab_model::workload::Workload;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{Worker, copy_alone, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct RenamedAfter;

impl Scenario for RenamedAfter {
    fn name(&self) -> &'static str {
        "renamed-after"
    }

    fn about(&self) -> &'static str {
        "the image gives its own file another name"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let aside = worker.bin.join("aside");
        copy_alone(&ground.payload, &aside)?;
        probe(&worker.file, &aside)?;
        let ways = [("one file", &worker.file), ("the other", &aside)].map(|(label, inode)| {
            let mut site = worker.place.site(bytes(&worker.file), "/", inode)?;
            site.frames.exact = bytes(&worker.file);
            site.frames.stale = vec![bytes(&aside)];
            let act = ["swap".into(), bytes(&worker.file), bytes(&aside)];
            site.argv.extend(act);
            Ok(Way::call(labelled(label, site)))
        });
        let ways: Result<Vec<_>, SetupError> = ways.into_iter().collect();
        Ok(Prepared::ways(ways?))
    }
}

/// Lets two files change places, and back.
fn probe(one: &Path, other: &Path) -> Result<(), SetupError> {
    for _ in 0..2 {
        match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
            Ok(()) => {}
            Err(errno @ (Errno::EINVAL | Errno::ENOSYS)) => {
                let dir = one.parent().unwrap_or(one).display();
                let why = format!("renameat2 with RENAME_EXCHANGE in {dir}: {errno}");
                return Err(SetupError::Unsupported(why));
            }
            Err(errno) => return Err(SetupError::at("let two files change places")(errno)),
        }
    }
    Ok(())
}
