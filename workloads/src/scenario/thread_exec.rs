//! `thread-exec`: an image starts a thread, and that thread calls exec. All other threads end, and the one
//! that is left takes the leader's number (`de_thread`, fs/exec.c): what fires before carries the
//! thread's number, what fires after it the process's.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, bytes,
    chain::chain,
    worker::{Worker, copy_alone, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct ThreadExec;

impl Scenario for ThreadExec {
    fn name(&self) -> &'static str {
        "thread-exec"
    }

    fn about(&self) -> &'static str {
        "exec from a thread that is not the leader"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let next = worker.bin.join("next");
        copy_alone(&ground.payload, &next)?;
        let next = worker.place.site(bytes(&next), "/", &next)?;
        let sites = [
            labelled("by the child", worker.site()?),
            labelled("by its thread", next),
        ];
        Ok(Prepared::ways([chain("thread-exec", sites)]))
    }
}
