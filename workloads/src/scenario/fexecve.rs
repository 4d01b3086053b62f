//! `fexecve`: an open file and no name at all (`execveat` with `AT_EMPTY_PATH`), as the C library's function of
//! that name does it. The kernel makes `/dev/fd/N` of it (`alloc_bprm`, fs/exec.c).

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way,
    worker::{OPENED, Worker, dev_fd, open},
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct Fexecve;

impl Scenario for Fexecve {
    fn name(&self) -> &'static str {
        "fexecve"
    }

    fn about(&self) -> &'static str {
        "an open file and no name: execveat with AT_EMPTY_PATH"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let way = Way::of([open(&worker.file, libc::O_RDONLY)]);
        let site = worker.called(dev_fd(OPENED))?;
        let how = How::Execveat(OPENED, libc::AT_EMPTY_PATH);
        Ok(Prepared::ways([way.exec(how, "", site)]))
    }
}
