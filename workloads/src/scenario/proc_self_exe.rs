//! `proc-self-exe`: an image executes itself again by `/proc/self/exe`, as sandboxes and updaters do. By
//! that string nobody else finds the file.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    chain::chain,
    worker::{Worker, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct ProcSelfExe;

impl Scenario for ProcSelfExe {
    fn name(&self) -> &'static str {
        "proc-self-exe"
    }

    fn about(&self) -> &'static str {
        "an image executes /proc/self/exe"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let sites = [
            labelled("by its path", worker.site()?),
            labelled("itself", worker.called("/proc/self/exe")?),
        ];
        Ok(Prepared::ways([chain("exec", sites)]))
    }
}
