//! `o-path`: as `fexecve`, by a descriptor that only stands for the file (`O_PATH`): nothing was opened for
//! reading, and nothing can be read from it.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way,
    worker::{OPENED, Worker, dev_fd, open},
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct OPath;

impl Scenario for OPath {
    fn name(&self) -> &'static str {
        "o-path"
    }

    fn about(&self) -> &'static str {
        "an O_PATH descriptor and no name: execveat with AT_EMPTY_PATH"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let way = Way::of([open(&worker.file, libc::O_PATH)]);
        let site = worker.called(dev_fd(OPENED))?;
        let how = How::Execveat(OPENED, libc::AT_EMPTY_PATH);
        Ok(Prepared::ways([way.exec(how, "", site)]))
    }
}
