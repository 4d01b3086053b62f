//! `many-arguments`: 20,000 arguments. They fill page after page of the new stack, and every limit that a
//! monitor has for a number of arguments.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, acting};

/// All of them, name, id and lifetime included.
const ARGUMENTS: usize = 20_000;

/// How many execs of this size a guest of the usual size has room for beside a monitor, with some to spare.
const MOST: u32 = 64;

/// See the module.
#[derive(Debug)]
pub struct ManyArguments;

impl Scenario for ManyArguments {
    fn name(&self) -> &'static str {
        "many-arguments"
    }

    fn about(&self) -> &'static str {
        "20,000 arguments"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    /// Monitors keep all arguments of all execs until the storm is over.
    fn most_execs(&self) -> u32 {
        MOST
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let mut site = acting::site(ground, ["end".into()])?;
        site.argv.resize(ARGUMENTS, "a".into());
        Ok(Prepared::ways([acting::way(site)]))
    }
}
