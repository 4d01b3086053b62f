//! `execveat-dirfd`: a name below an open folder. The working directory has nothing to do with it, and the
//! kernel makes `/dev/fd/N/worker` of the call (`alloc_bprm`, fs/exec.c).

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way,
    worker::{OPENED, Worker, dev_fd, open},
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct ExecveatDirfd;

impl Scenario for ExecveatDirfd {
    fn name(&self) -> &'static str {
        "execveat-dirfd"
    }

    fn about(&self) -> &'static str {
        "execveat with an open folder and a name in it"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let name = "worker";
        let given = [dev_fd(OPENED).as_slice(), b"/", name.as_bytes()].concat();
        let way = Way::of([open(&worker.bin, libc::O_PATH | libc::O_DIRECTORY)]);
        let site = worker.called(given)?;
        Ok(Prepared::ways([way.exec(
            How::Execveat(OPENED, 0),
            name,
            site,
        )]))
    }
}
