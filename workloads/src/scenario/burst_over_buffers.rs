//! `burst-over-buffers`: more execs at once than any monitor's buffer holds with its default settings: the
//! connector's socket has room for some 80 processes, a ring of 256 KiB for some 200 records of these
//! arguments, audit's queue for 8,192 records, of which an exec makes seven. The children run
//! before any monitor, so whoever does not have the execs wait loses what does not fit.

use execlab_model::workload::{Load, Workload};

use super::{Family, Ground, Prepared, Scenario, SetupError, acting};

/// At once.
const CHILDREN: u32 = 1_536;
/// Bytes of one argument, so that rings are as full as queues of fixed records.
const PADDING: usize = 1_000;

/// See the module.
#[derive(Debug)]
pub struct BurstOverBuffers;

impl Scenario for BurstOverBuffers {
    fn name(&self) -> &'static str {
        "burst-over-buffers"
    }

    fn about(&self) -> &'static str {
        "1,536 execs at once, more than any default buffer holds"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn load(&self) -> Option<Load> {
        Some(Load::Burst(CHILDREN))
    }

    fn least_execs(&self) -> u32 {
        CHILDREN
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(acting::RUNS_FIRST)
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        acting::run_first()?;
        let padding = vec![b'p'; PADDING].into();
        let site = acting::site(ground, ["end".into(), padding])?;
        Ok(Prepared::ways([acting::way(site)]))
    }
}
