//! What the scorer finds, and what it must find.

use std::collections::BTreeMap;

use execlab_model::{
    result::{
        ArgvCounts, Completeness, FieldCounts, Honesty, LabelCounts, Latency, PathClass,
        PathCounts, PidCounts,
    },
    truth::Truth,
};

use super::{
    fault::LossFault,
    plants::{About, Plant, Worth},
};
use crate::score::Judgement;

/// All figures of a judgement that faults can change. Equal findings are equal field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of Judgement")]
pub struct Findings {
    pub completeness: Completeness,
    pub late: u64,
    pub path: PathCounts,
    pub given: FieldCounts,
    pub argv: ArgvCounts,
    pub pid: PidCounts,
    pub parent: FieldCounts,
    pub credentials: FieldCounts,
    pub container: FieldCounts,
    pub out_of_order: u64,
    pub conflicts: u64,
    pub latency: Option<Latency>,
    pub self_reported: Option<u64>,
    pub honesty: Honesty,
}

impl Findings {
    /// What the scorer found.
    pub fn of(judgement: &Judgement) -> Self {
        Self {
            completeness: judgement.completeness.clone(),
            late: judgement.late,
            path: judgement.path.clone(),
            given: judgement.given.clone(),
            argv: judgement.argv.clone(),
            pid: judgement.pid.clone(),
            parent: judgement.parent.clone(),
            credentials: judgement.credentials.clone(),
            container: judgement.container.clone(),
            out_of_order: judgement.out_of_order,
            conflicts: judgement.conflicts,
            latency: judgement.latency.clone(),
            self_reported: judgement.loss.self_reported,
            honesty: judgement.loss.honesty,
        }
    }
}

/// Whether there is any sighting of each exec.
fn sighted(truth: &Truth, plants: &[Plant]) -> Vec<bool> {
    let mut sighted = vec![false; truth.execs.len()];
    for plant in plants {
        if let About::Exec(worth) = &plant.about {
            sighted[worth.exec as usize] = true;
        }
    }
    sighted
}

/// Execs of which there is no sighting at all.
pub(super) fn missed(truth: &Truth, plants: &[Plant]) -> u64 {
    let sighted = sighted(truth, plants).into_iter();
    sighted.filter(|sighted| !sighted).count() as u64
}

/// Execs and misses by label; a site without a label has none.
fn labels(truth: &Truth, plants: &[Plant]) -> BTreeMap<String, LabelCounts> {
    let mut labels: BTreeMap<String, LabelCounts> = BTreeMap::new();
    for site in truth.sites.iter().filter(|site| !site.label.is_empty()) {
        labels.entry(site.label.clone()).or_default();
    }
    for (exec, sighted) in truth.execs.iter().zip(sighted(truth, plants)) {
        if let Some(label) = labels.get_mut(&truth.site(exec).label) {
            label.execs += 1;
            label.missed += u64::from(!sighted);
        }
    }
    labels
}

/// What the scorer must find, from what each plant is worth.
pub(super) fn expected(
    truth: &Truth,
    plants: &[Plant],
    loss: LossFault,
    drained_ns: u64,
    best: &[PathClass],
) -> Findings {
    let missed = missed(truth, plants);
    let (self_reported, honesty) = told(loss, missed);
    let mut found = Findings {
        completeness: Completeness {
            missed,
            by_label: labels(truth, plants),
            ..Completeness::default()
        },
        late: 0,
        path: PathCounts::default(),
        given: FieldCounts::default(),
        argv: ArgvCounts::default(),
        pid: PidCounts::default(),
        parent: FieldCounts::default(),
        credentials: FieldCounts::default(),
        container: FieldCounts::default(),
        out_of_order: 0,
        conflicts: 0,
        latency: None,
        self_reported,
        honesty,
    };
    // By the first sighting of each exec: first received, then first said.
    let receipt = |at: usize| (plants[at].sighting.received_ns, at);
    let mut first: Vec<Option<usize>> = vec![None; truth.execs.len()];
    for (at, plant) in plants.iter().enumerate() {
        match &plant.about {
            About::Phantom => found.completeness.phantoms += 1,
            About::Foreign => found.completeness.foreign += 1,
            About::Exec(worth) => {
                found.conflicts += u64::from(worth.conflict);
                let first = &mut first[worth.exec as usize];
                match *first {
                    None => *first = Some(at),
                    Some(other) => {
                        found.completeness.duplicates += 1;
                        *first = Some(if receipt(at) < receipt(other) {
                            at
                        } else {
                            other
                        });
                    }
                }
            }
        }
    }
    let mut seen: Vec<usize> = Vec::new();
    for at in first.into_iter().flatten() {
        if plants[at].sighting.received_ns > drained_ns {
            found.late += 1;
        } else {
            seen.push(at);
        }
    }
    seen.sort_unstable(); // in the order in which the monitor said them
    let mut latest = 0;
    let mut latencies = Vec::new();
    for at in seen {
        let About::Exec(worth) = &plants[at].about else {
            continue;
        };
        let exec = &truth.execs[worth.exec as usize];
        found.completeness.seen += 1;
        found.out_of_order += u64::from(exec.started_ns <= latest);
        latest = latest.max(exec.spawned_ns);
        let received_ns = plants[at].sighting.received_ns;
        latencies.push(received_ns.saturating_sub(exec.started_ns));
        let label = &truth.site(exec).label;
        if let Some(label) = found.completeness.by_label.get_mut(label) {
            label.seen += 1;
            label.best_path += u64::from(best.contains(&worth.path));
        }
        count(&mut found, worth, best);
    }
    found.latency = percentiles(latencies);
    found
}

fn count(found: &mut Findings, worth: &Worth, best: &[PathClass]) {
    *found.path.of(worth.path) += 1;
    found.path.best += u64::from(best.contains(&worth.path));
    found.path.suffixed += u64::from(worth.suffixed);
    *worth.given.count(&mut found.given) += 1;
    *worth.argv.count(&mut found.argv) += 1;
    *worth.pid.count(&mut found.pid) += 1;
    *worth.parent.count(&mut found.parent) += 1;
    *worth.credentials.count(&mut found.credentials) += 1;
    *worth.container.count(&mut found.container) += 1;
}

/// By the definition of a percentile: the least value that so many percent do not exceed.
fn percentiles(mut latencies: Vec<u64>) -> Option<Latency> {
    latencies.sort_unstable();
    let count = latencies.len();
    let percentile = |percent: usize| {
        let covers = |&(at, _): &(usize, &u64)| (at + 1) * 100 >= count * percent;
        latencies
            .iter()
            .enumerate()
            .find(covers)
            .map(|(_, &value)| value)
    };
    Some(Latency {
        unit: "ns".to_owned(),
        p50: percentile(50)?,
        p90: percentile(90)?,
        p99: percentile(99)?,
        max: *latencies.last()?,
    })
}

/// What the monitor says in execs, and what that is called.
fn told(loss: LossFault, missed: u64) -> (Option<u64>, Honesty) {
    use LossFault as L;
    match loss {
        L::Exact | L::TooLittle(0) | L::OutsideToo(_) => (Some(missed), Honesty::Knew),
        L::Silent | L::Zeroes | L::OutsideOnly(_) | L::TooLittle(_) if missed == 0 => {
            (Some(0), Honesty::Knew)
        }
        L::Silent | L::Zeroes | L::OutsideOnly(_) => (Some(0), Honesty::DidNotKnow),
        L::TooLittle(by) if by >= missed => (Some(0), Honesty::DidNotKnow),
        L::TooLittle(by) => (Some(missed - by), Honesty::KnewTooLittle),
        L::TooMuch(by) => (Some(missed + by), Honesty::KnewTooMuch),
        L::Unnumbered | L::Events(_) | L::Records(_) | L::Uncounted | L::ExactAndMore => {
            (None, Honesty::KnewWithoutANumber)
        }
    }
}
