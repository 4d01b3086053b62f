//! Whether the meter of cost can be trusted: one CPU is never busy for longer than the clock says, and a storm that
//! never idles is busy as long as it lasts.

use execlab_model::{
    record::Costs,
    truth::Truth,
    workload::{Load, Workload},
};
use execlab_reports::doubts::METER;

/// Clock and meter may differ by a thousandth.
const TOLERANCE: u64 = 1000;
/// And by the current time slices of whoever reads them, in nanoseconds: a few thousand are usual.
const EDGES_NS: u64 = 20_000;

/// What is wrong with the meter, by a storm on one CPU. Only a closed storm of payloads that end at once, without
/// a monitor, has somebody to run at all times.
pub fn distrust(
    is_watched: bool,
    workload: &Workload,
    truth: &Truth,
    costs: &Costs,
) -> Option<String> {
    let ends_at_once = workload.lifetime_ns == 0
        && !truth.execs.is_empty()
        && truth.execs.iter().all(|exec| exec.lifetime_ns == 0);
    let never_idles = !is_watched && workload.load == Load::Closed && ends_at_once;
    let (wall, busy) = (costs.storm.wall_ns, costs.storm.busy_ns);
    let edge = wall / TOLERANCE + EDGES_NS;
    let what = if busy > wall + edge {
        "a storm"
    } else if never_idles && wall > busy + edge {
        "a storm that never idles"
    } else {
        return None;
    };
    Some(format!(
        "{METER}: {what} took {wall} ns by the clock and was busy for {busy} ns"
    ))
}

#[cfg(test)]
mod tests {
    use execlab_model::record::WindowCost;

    use super::*;
    use crate::score::calibration::{Shape, truth};

    fn judged(
        is_watched: bool,
        load: Load,
        lifetime_ns: u64,
        wall_ns: u64,
        busy_ns: u64,
    ) -> Option<String> {
        let workload = Workload {
            scenario: "absolute".into(),
            load,
            execs: 1,
            lifetime_ns: 0,
            spawn: execlab_model::workload::Spawn::Vfork,
            population: 0,
        };
        let storm = WindowCost {
            wall_ns,
            busy_ns,
            ..WindowCost::default()
        };
        let costs = Costs {
            storm,
            ..Costs::default()
        };
        let shape = Shape {
            execs: 1,
            ..Shape::default()
        };
        let mut truth = truth(&shape, 1);
        truth.execs[0].lifetime_ns = lifetime_ns;
        distrust(is_watched, &workload, &truth, &costs)
    }

    fn told(load: Load, lifetime_ns: u64, wall_ns: u64, busy_ns: u64) -> Option<String> {
        judged(false, load, lifetime_ns, wall_ns, busy_ns)
    }

    #[test]
    fn clock_and_meter_agree_within_a_thousandth() {
        assert_eq!(told(Load::Closed, 0, 135_312_040, 135_312_030), None);
        assert_eq!(told(Load::Closed, 0, 100_000_000, 99_880_000), None);
        for busy in [99_879_999, 100_120_001] {
            let told = told(Load::Closed, 0, 100_000_000, busy).unwrap();
            assert!(told.starts_with(METER));
            assert!(told.contains("100000000") && told.contains(&busy.to_string()));
        }
    }

    #[test]
    fn reports_know_the_note_of_a_guest_that_did_not_settle() {
        let guest = include_str!("../../../trial/src/guest/settle.rs");
        assert!(guest.contains(execlab_reports::doubts::UNSETTLED));
    }

    #[test]
    fn who_may_idle_is_not_judged() {
        assert_eq!(told(Load::Rate(100), 0, 100_000_000, 1), None);
        assert_eq!(told(Load::Closed, 1, 100_000_000, 1), None);
        assert_eq!(judged(true, Load::Closed, 0, 100_000_000, 1), None);
    }

    #[test]
    fn nobody_is_busy_for_longer_than_it_took() {
        for (is_watched, load) in [(true, Load::Closed), (false, Load::Rate(100))] {
            let told = judged(is_watched, load, 0, 13_280_360, 13_697_120).unwrap();
            assert!(told.contains("a storm took"), "{told}");
        }
    }
}
