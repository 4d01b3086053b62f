//! Whether the meter of cost can be trusted: a storm that never idles is busy as long as it lasts.

use execlab_model::{
    record::Costs,
    workload::{Load, Workload},
};
use execlab_reports::doubts::METER;

/// Clock and meter may differ by a thousandth.
const TOLERANCE: u64 = 1000;
/// And by the current time slices of whoever reads them, in nanoseconds: a few thousand are usual.
const EDGES_NS: u64 = 20_000;

/// What is wrong with the meter, by a baseline's storm. Only a closed storm of payloads that end at
/// once, on one CPU and without a monitor, has somebody to run at all times.
pub fn distrust(workload: &Workload, costs: &Costs) -> Option<String> {
    let never_idles = workload.load == Load::Closed && workload.lifetime_ns == 0;
    let (wall, busy) = (costs.storm.wall_ns, costs.storm.busy_ns);
    let apart = wall.abs_diff(busy) > wall / TOLERANCE + EDGES_NS;
    (never_idles && apart).then(|| {
        format!(
            "{METER}: a storm that never idles took {wall} ns by the clock and was busy for {busy} ns"
        )
    })
}

#[cfg(test)]
mod tests {
    use execlab_model::record::WindowCost;

    use super::*;

    fn told(load: Load, lifetime_ns: u64, wall_ns: u64, busy_ns: u64) -> Option<String> {
        let workload = Workload {
            scenario: "absolute".into(),
            load,
            execs: 1,
            lifetime_ns,
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
        distrust(&workload, &costs)
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
    }
}
