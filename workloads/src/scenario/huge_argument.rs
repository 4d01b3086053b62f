//! `huge-argument`: one argument of 131,071 bytes, the longest that the kernel takes (`MAX_ARG_STRLEN` is 32
//! pages with the NUL, include/uapi/linux/binfmts.h). Audit cuts it into many records.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, acting};

/// Without its NUL.
const BYTES: usize = 131_071;

/// How many execs of this size a guest of the usual size has room for beside a monitor, with some to spare.
const MOST: u32 = 64;

/// See the module.
#[derive(Debug)]
pub struct HugeArgument;

impl Scenario for HugeArgument {
    fn name(&self) -> &'static str {
        "huge-argument"
    }

    fn about(&self) -> &'static str {
        "one argument of 131,071 bytes, the longest there is"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    /// Monitors keep all arguments of all execs until the storm is over.
    fn most_execs(&self) -> u32 {
        MOST
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let huge = vec![b'h'; BYTES].into();
        let site = acting::site(ground, ["end".into(), huge])?;
        Ok(Prepared::ways([acting::way(site)]))
    }
}
