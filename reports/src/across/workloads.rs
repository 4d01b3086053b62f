//! Which workload of one run is compared with which of the other.

use execlab_model::workload::Workload;

use super::LeftOut;
use crate::matrix::Setup;

/// As in every report, without the execs, which may differ.
pub(super) fn label(setup: &Setup<'_>) -> String {
    let execs = format!(
        ", {} execs",
        crate::number::thousands(f64::from(setup.workload.execs))
    );
    setup.label.replacen(&execs, "", 1)
}

/// Workloads are the same where only the number of execs differs: cost is counted for each of them.
fn same(one: &Workload, other: &Workload) -> bool {
    let without_execs = |w: &Workload| Workload {
        execs: 0,
        ..w.clone()
    };
    without_execs(one) == without_execs(other)
}

/// Each workload with one of the other run: with that of as many execs where there is one. None is in two
/// pairs, or its figures would weigh double; what is left over is named.
pub(super) fn pairs(
    base: &[Setup<'_>],
    new: &[Setup<'_>],
    left_out: &mut Vec<LeftOut>,
) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for as_many in [true, false] {
        for (at, one) in base.iter().enumerate() {
            let other = new.iter().enumerate().find(|(other_at, other)| {
                let free = pairs.iter().all(|p| p.0 != at && p.1 != *other_at);
                let execs = one.workload.execs == other.workload.execs;
                free && (execs || !as_many) && same(one.workload, other.workload)
            });
            pairs.extend(other.map(|(other_at, _)| (at, other_at)));
        }
    }
    pairs.sort_unstable();
    for (at, setup) in base.iter().enumerate() {
        if pairs.iter().all(|p| p.0 != at) {
            left_out.push(left(setup, new, "second"));
        }
    }
    for (at, setup) in new.iter().enumerate() {
        if pairs.iter().all(|p| p.1 != at) {
            left_out.push(left(setup, base, "first"));
        }
    }
    pairs
}

fn left(setup: &Setup<'_>, others: &[Setup<'_>], which: &str) -> LeftOut {
    let reason = if others.iter().any(|o| same(o.workload, setup.workload)) {
        format!("the {which} run's is compared with another number of execs")
    } else {
        format!("the {which} run does not have this workload")
    };
    LeftOut {
        backend: "every backend".to_owned(),
        place: setup.label.clone(),
        reason,
    }
}
