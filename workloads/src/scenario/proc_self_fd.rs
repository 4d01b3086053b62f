//! `proc-self-fd`: an open file by its name under `/proc/self/fd`, as the C library's `fexecve` does it where
//! there is no `execveat`.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    worker::{OPENED, Worker, open, proc_fd},
};

/// See the module.
#[derive(Debug)]
pub struct ProcSelfFd;

impl Scenario for ProcSelfFd {
    fn name(&self) -> &'static str {
        "proc-self-fd"
    }

    fn about(&self) -> &'static str {
        "an open file by /proc/self/fd/N"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let site = worker.called(bytes(&proc_fd(OPENED)))?;
        let steps = [open(&worker.file, libc::O_RDONLY)];
        Ok(Prepared::ways([Way::call(site).after(&steps)]))
    }
}
