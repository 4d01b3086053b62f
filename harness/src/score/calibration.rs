//! Calibration: sightings made from a truth, with planted faults and the findings that they must give.
//!
//! Pure functions on the host's side; no backend ever reads the truth. What a plant is worth is
//! noted as it is planted, in the words of the scorer but without its help: nothing here matches,
//! parses or compares. So the scorer is right where its findings equal the expected ones, field by
//! field.
//!
//! ```ignore
//! use execlab_harness::score::{
//!     calibration::{Fault, Findings, Shape, plant, truth},
//!     judge,
//! };
//! use execlab_model::result::PathClass;
//!
//! let truth = truth(&Shape::default(), 1);
//! let planted = plant(&truth, &[Fault::Drop(200), Fault::Duplicate(100, 5_000)], 1);
//! let best = [PathClass::Exact];
//! let judgement = judge(&planted.record(&truth), &best);
//! assert_eq!(Findings::of(&judgement), planted.expected(&truth, &best));
//! ```
//!
//! Without a source time and without an argv id, pid and receipt alone cannot tell a duplicate from a
//! late sighting of an earlier exec of that pid; so no fault takes both from one sighting.

mod arguments;
mod change;
mod fault;
mod findings;
mod invent;
mod paths;
mod pids;
mod plants;
mod random;
mod scenes;
mod truths;

use execlab_model::{
    record::{Canary, Costs, GuestStatus, Record},
    seam::Ready,
    sighting::{LossReport, LossUnit},
    truth::Truth,
};

pub use fault::{ArgvFault, Fault, Field, Given, LossFault, NsPid, PathFault, Permille, Sign};
pub use findings::Findings;
pub use scenes::Scene;
pub use truths::{Shape, truth};

use plants::{Plant, Plants};

/// How long after the last child's end the drain is over, in nanoseconds.
const DRAIN_NS: u64 = 1_000_000_000;

/// Sightings and loss reports with planted faults.
#[derive(Debug, Clone)]
pub struct Planted {
    plants: Vec<Plant>,
    loss: LossFault,
    drained_ns: u64,
}

/// Plants faults, in their order, into the sightings of a monitor without any; the same for the same
/// seed.
pub fn plant(truth: &Truth, faults: &[Fault], seed: u64) -> Planted {
    let drained_ns = truth.finished_ns + DRAIN_NS;
    let mut plants = Plants::perfect(truth, drained_ns);
    let mut loss = LossFault::Exact;
    for (number, fault) in (2_u64..).zip(faults) {
        match *fault {
            Fault::Loss(fault) => loss = fault,
            fault => plants.apply(fault, &mut random::Random::new(seed, number)),
        }
    }
    Planted {
        plants: plants.list,
        loss,
        drained_ns,
    }
}

impl Planted {
    /// What the scorer must find.
    pub fn expected(&self, truth: &Truth, best: &[execlab_model::result::PathClass]) -> Findings {
        findings::expected(truth, &self.plants, self.loss, self.drained_ns, best)
    }

    /// How many sightings there are.
    pub fn sightings(&self) -> usize {
        self.plants.len()
    }

    /// A trial with this truth in which a monitor said this.
    pub fn record(&self, truth: &Truth) -> Record {
        self.clone().into_record(truth.clone())
    }

    /// The same, without a second copy of a million sightings.
    pub fn into_record(self, truth: Truth) -> Record {
        let missed = findings::missed(&truth, &self.plants);
        Record {
            release: String::new(),
            status: GuestStatus::Completed,
            ready: Some(Ready::default()),
            canary: Canary {
                tries_before: 1,
                seen_after: true,
            },
            sightings: self.plants.into_iter().map(|p| p.sighting).collect(),
            losses: reports(self.loss, missed, (truth.began_ns, truth.finished_ns)),
            truth,
            drained_ns: self.drained_ns,
            costs: Costs::default(),
            monitor_peak_bytes: 0,
            steal_ns: None,
            witness: None,
            notes: Vec::new(),
        }
    }
}

/// What a monitor says of its losses, given how many execs it missed.
fn reports(fault: LossFault, missed: u64, storm_ns: (u64, u64)) -> Vec<LossReport> {
    let during = |window_ns, unit, count| LossReport {
        source: "planted".to_owned(),
        unit,
        count,
        window_ns,
    };
    let report = |unit, count| during(storm_ns, unit, count);
    let execs = |count| report(LossUnit::Exec, Some(count));
    let (began, finished) = storm_ns;
    let outside = |by| {
        let windows = [(0, began - 1), (finished + 1, u64::MAX)];
        windows.map(|window| during(window, LossUnit::Exec, Some(by)))
    };
    match fault {
        LossFault::Exact => vec![execs(missed / 2), execs(missed - missed / 2)],
        LossFault::TooLittle(by) => vec![execs(missed.saturating_sub(by))],
        LossFault::TooMuch(by) => vec![execs(missed + by)],
        LossFault::Silent => Vec::new(),
        LossFault::Unnumbered => vec![report(LossUnit::Unknown, None)],
        LossFault::Events(count) => vec![report(LossUnit::Event, Some(count))],
        LossFault::Records(count) => vec![report(LossUnit::Record, Some(count))],
        LossFault::Uncounted => vec![report(LossUnit::Exec, None)],
        LossFault::Zeroes => {
            use LossUnit::{Event, Exec, Record, Unknown};
            [Exec, Event, Record, Unknown]
                .map(|unit| report(unit, Some(0)))
                .into()
        }
        LossFault::ExactAndMore => vec![execs(missed), report(LossUnit::Event, None)],
        LossFault::OutsideToo(by) => [vec![execs(missed)], outside(by).into()].concat(),
        LossFault::OutsideOnly(by) => outside(by).into(),
    }
}
