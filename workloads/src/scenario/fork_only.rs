//! `fork-only`: processes that call no exec: one ends at once, the next lives for a while. Whoever reports one
//! of them as an exec has a phantom.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, acting};
use crate::{spawn::Maker, step::Step};

/// See the module.
#[derive(Debug)]
pub struct ForkOnly;

impl Scenario for ForkOnly {
    fn name(&self) -> &'static str {
        "fork-only"
    }

    fn about(&self) -> &'static str {
        "processes without an exec: nothing is to be seen"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn prepare(&self, _: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let ends = Way::of([Step::Exit]).made_by(Maker::Fork);
        // Long enough for whoever looks at all processes now and then.
        let time = i64::try_from(acting::LASTING_NS / 1_000_000).expect("a quarter of a second");
        let lives = ends.clone().after(&[sleep_ms(time)]);
        Ok(Prepared::ways([ends, lives]))
    }
}

/// `poll` of nothing, which takes its time as a number: a sleep.
fn sleep_ms(time: i64) -> Step {
    Step::numbers(libc::SYS_poll, &[0, 0, time])
}
