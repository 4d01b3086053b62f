//! `double-exec`: one process executes three files, one after the other, as wrappers do (`env`, `nice`,
//! `exec` in a shell's script). All have one pid; who looks a pid up later finds the last.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, bytes,
    chain::chain,
    worker::{Worker, copy_alone, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct DoubleExec;

impl Scenario for DoubleExec {
    fn name(&self) -> &'static str {
        "double-exec"
    }

    fn about(&self) -> &'static str {
        "three files executed by one process, one after the other"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let site = |name: &str| {
            let file = worker.bin.join(name);
            copy_alone(&ground.payload, &file)?;
            let site = worker.place.site(bytes(&file), "/", &file)?;
            Ok(labelled(name, site))
        };
        let sites = [site("first")?, site("second")?, site("third")?];
        Ok(Prepared::ways([chain("exec", sites)]))
    }
}
