//! What is concluded of costs: a ranking, and only where figures bear one.

use std::collections::BTreeSet;

use execlab_model::result::Lab;

use super::{OfBackend, figure, whole};
use crate::{
    interval::{FEWEST, Interval},
    matrix::{Apart, Cell, Matrix},
    metric::Metric,
    number,
    text::{list, plural},
};

/// A machine on which costs can be compared: a lab with a number of CPUs.
type Machine = (Lab, u32);

/// One sentence or more for each machine: costs of different ones are never compared.
pub(super) fn cost(matrix: &Matrix<'_>, backends: &[OfBackend<'_, '_>]) -> Vec<String> {
    let machines: BTreeSet<Machine> = matrix.setups.iter().map(|s| (s.lab, s.cpus)).collect();
    let mixed = machines.len() > 1;
    machines
        .into_iter()
        .flat_map(|machine| {
            let lines = of_machine(matrix, backends, machine);
            lines.into_iter().map(move |line| {
                if mixed {
                    format!(
                        "In the lab {} with {}: {line}",
                        machine.0,
                        plural(machine.1 as usize, "CPU")
                    )
                } else {
                    line
                }
            })
        })
        .collect()
}

/// One backend where it is compared.
struct Compared<'m, 'a> {
    label: &'m str,
    cells: Vec<&'m Cell<'a>>,
}

/// A kernel and a workload.
fn place(cell: &Cell<'_>) -> (usize, usize) {
    (cell.at.setup, cell.at.kernel)
}

/// Compares only where all that are compared have a number: a backend must not look cheap because
/// its dear cells have no result.
fn of_machine(
    matrix: &Matrix<'_>,
    backends: &[OfBackend<'_, '_>],
    machine: Machine,
) -> Vec<String> {
    let here = |cell: &Cell<'_>| {
        let setup = &matrix.setups[cell.at.setup];
        (setup.lab, setup.cpus) == machine && figure(cell, "added_percent").is_some()
    };
    let complete = whole(backends);
    let (candidates, of_whom): (Vec<_>, _) = if complete.is_empty() {
        let all = backends.iter().collect();
        (all, "all backends (none of which saw everything)")
    } else {
        (complete, "those that saw every exec")
    };
    let with_cost = candidates.into_iter().map(|backend| Compared {
        label: backend.label,
        cells: backend.scored.iter().copied().filter(|c| here(c)).collect(),
    });
    let mut compared: Vec<Compared<'_, '_>> = with_cost.filter(|c| !c.cells.is_empty()).collect();
    let places =
        |c: &Compared<'_, '_>| -> BTreeSet<_> { c.cells.iter().map(|c| place(c)).collect() };
    // Those with the most places first: one that shares none with them is left out, and not the comparison.
    compared.sort_by_key(|c| std::cmp::Reverse(places(c).len()));
    let mut common = BTreeSet::new();
    compared.retain(|backend| {
        let here = places(backend);
        let shared = if common.is_empty() {
            here
        } else {
            &common & &here
        };
        let is_compared = !shared.is_empty();
        if is_compared {
            common = shared;
        }
        is_compared
    });
    if compared.is_empty() {
        return Vec::new();
    }
    for backend in &mut compared {
        backend.cells.retain(|c| common.contains(&place(c)));
    }
    compared.sort_by(|a, b| a.percent().total_cmp(&b.percent()));
    let cells = plural(common.len(), "cell");
    let unit = matrix.cost_unit_of(compared[0].cells[0].at.setup);
    if machine.0.is_exact() {
        return exact(&compared, of_whom, &cells, &unit)
            .into_iter()
            .collect();
    }
    let mut lines = vec![sampled(&compared, of_whom, &cells, &unit)];
    lines.extend(from_nothing(matrix, &compared));
    lines
}

impl Compared<'_, '_> {
    fn all(&self, id: &str) -> impl Iterator<Item = crate::matrix::Spread> {
        self.cells.iter().filter_map(move |c| figure(c, id))
    }

    /// Mean over the cells of what is added, in percent.
    fn percent(&self) -> f64 {
        self.all("added_percent").map(|p| p.median).sum::<f64>() / self.cells.len() as f64
    }

    fn intervals(&self) -> impl Iterator<Item = ((usize, usize), Interval)> {
        let added = Metric::by_id("added_per_exec").expect("a metric of the table");
        self.cells
            .iter()
            .filter_map(move |c| Some((place(c), c.figure(added).interval?)))
    }

    fn say(&self, unit: &str) -> String {
        let (low, high): (Vec<f64>, Vec<f64>) = if self.cells.iter().any(|c| c.is_sampled()) {
            self.intervals().map(|(_, i)| (i.low, i.high)).unzip()
        } else {
            self.all("added_per_exec").map(|n| (n.min, n.max)).unzip()
        };
        let low = low.into_iter().reduce(f64::min);
        let high = high.into_iter().reduce(f64::max);
        let range = match (low, high) {
            (Some(low), Some(high)) if low < high => {
                format!("{} to {}", number::signed(low), number::signed(high))
            }
            (Some(one), _) => number::signed(one),
            (None, _) => "n/a".into(),
        };
        format!(
            "{} with {range} {unit} per exec ({}% on average)",
            self.label,
            number::signed(self.percent())
        )
    }

    /// Whether it is the cheaper one beyond doubt: its interval lies below the other's in every cell.
    fn is_below(&self, other: &Self) -> bool {
        self.cells.iter().all(|cell| {
            let of = |all: &Self| all.intervals().find(|(at, _)| *at == place(cell));
            match (of(self), of(other)) {
                (Some((_, own)), Some((_, other))) => own.high < other.low,
                _ => false,
            }
        })
    }
}

fn exact(all: &[Compared<'_, '_>], of_whom: &str, cells: &str, unit: &str) -> Option<String> {
    match all {
        [] => None,
        [one] => Some(format!("What it costs: {}.", one.say(unit))),
        [first, .., last] => Some(format!(
            "Cheapest of {of_whom}, over {cells} in common: {}; dearest: {}.",
            first.say(unit),
            last.say(unit)
        )),
    }
}

/// Names whom no other can be told to be cheaper or dearer than; one alone at an end is a claim.
fn sampled(all: &[Compared<'_, '_>], of_whom: &str, cells: &str, unit: &str) -> String {
    if all.iter().any(|b| b.intervals().count() < b.cells.len()) {
        return format!(
            "No order by cost: fewer than {FEWEST} seeds have a figure somewhere, and without intervals a difference may be chance."
        );
    }
    if let [one] = all {
        return format!("What it costs: {}.", one.say(unit));
    }
    let end = |is_beyond: &dyn Fn(&Compared<'_, '_>, &Compared<'_, '_>) -> bool| -> Vec<&Compared<'_, '_>> {
        let at_end = |one: &&Compared<'_, '_>| !all.iter().any(|other| is_beyond(other, one));
        all.iter().filter(at_end).collect()
    };
    let cheap = end(&|other, one| other.is_below(one));
    let dear = end(&|other, one| one.is_below(other));
    if cheap.len() == all.len() {
        let labels: Vec<String> = all.iter().map(|b| b.label.to_owned()).collect();
        return format!(
            "No order by cost of {of_whom}, over {cells} in common: the intervals of {} overlap.",
            list(&labels)
        );
    }
    let say = |what: &str, those: &[&Compared<'_, '_>]| {
        let each: Vec<String> = those.iter().map(|b| b.say(unit)).collect();
        match those {
            [_] => format!("{what}: {}", each.concat()),
            _ => format!(
                "{what}, and not told apart by their intervals: {}",
                list(&each)
            ),
        }
    };
    format!(
        "Costs of {of_whom}, over {cells} in common. {}; {}.",
        say("Cheapest", &cheap),
        say("dearest", &dear)
    )
}

/// Who may cost nothing at all.
fn from_nothing(matrix: &Matrix<'_>, all: &[Compared<'_, '_>]) -> Option<String> {
    let added = Metric::by_id("added_per_exec").expect("a metric of the table");
    let not_apart = |cell: &&&Cell<'_>| matrix.apart(cell, added) == Some(Apart::NotToldApart);
    let each: Vec<String> = all
        .iter()
        .filter_map(|backend| {
            let count = backend.cells.iter().filter(not_apart).count();
            let cells = plural(backend.cells.len(), "cell");
            (count > 0).then(|| format!("{} in {count} of {cells}", backend.label))
        })
        .collect();
    (!each.is_empty()).then(|| {
        format!(
            "Not told apart from nothing, by what this lab shows of an exec's cost: {}.",
            list(&each)
        )
    })
}
