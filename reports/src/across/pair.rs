//! What of two runs belongs together.

use std::collections::BTreeSet;

use execlab_model::result::Status;

use super::{Comparison, LeftOut, Measured, NotComparable, Pooled, Row, Side, workloads};
use crate::{
    matrix::{At, Cell, Matrix, Role, Setup},
    metric::Metric,
    order::natural,
    rank::{Agreement, ranks},
    text::{clean, plural},
};

/// What a run is of, without its kernels.
pub(super) fn side(matrix: &Matrix<'_>, which: &'static str) -> Result<Side, NotComparable> {
    let Some(first) = matrix.setups.first() else {
        return Err(NotComparable::Empty { which });
    };
    if matrix.is_mixed() {
        let machines: BTreeSet<String> = matrix
            .setups
            .iter()
            .map(|s| format!("{}, {}", s.lab, plural(s.cpus as usize, "CPU")))
            .collect();
        return Err(NotComparable::SeveralMachines {
            which,
            machines: machines.into_iter().collect(),
        });
    }
    let trials = matrix.cells().flat_map(|c| &c.trials);
    let qemu: BTreeSet<String> = trials
        .filter_map(|t| t.provenance.qemu.as_deref())
        .map(clean)
        .collect();
    Ok(Side {
        lab: first.lab,
        cpus: first.cpus,
        unit: matrix.cost_unit(),
        kernels: Vec::new(),
        qemu: qemu.into_iter().collect(),
    })
}

/// Adds a kernel to what is told of a run.
pub(super) fn name_kernel(matrix: &Matrix<'_>, kernel: usize, side: &mut Side) {
    let kernel = &matrix.kernels[kernel];
    let named = (kernel.label.clone(), clean(&kernel.id.release));
    if !side.kernels.contains(&named) {
        side.kernels.push(named);
    }
}

/// Which kernel of the one is compared with which of the other.
pub(super) fn kernels(
    base: &Matrix<'_>,
    new: &Matrix<'_>,
    named: &[(String, String)],
) -> Result<Vec<(usize, usize)>, NotComparable> {
    let labels =
        |m: &Matrix<'_>| -> Vec<String> { m.kernels.iter().map(|k| k.label.clone()).collect() };
    let (base, new) = (labels(base), labels(new));
    let find = |has: &[String], which, kernel: &str| {
        has.iter()
            .position(|label| label == kernel)
            .ok_or_else(|| NotComparable::NoSuchKernel {
                which,
                kernel: clean(kernel),
                has: has.to_vec(),
            })
    };
    if !named.is_empty() {
        let pair = |(one, other): &(String, String)| {
            Ok((
                find(&base, "the first run", one)?,
                find(&new, "the second run", other)?,
            ))
        };
        let mut pairs = Vec::new();
        for named in named {
            let pair = pair(named)?;
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        return Ok(pairs);
    }
    let of_one_name: Vec<(usize, usize)> = base
        .iter()
        .enumerate()
        .filter_map(|(at, label)| Some((at, new.iter().position(|other| other == label)?)))
        .collect();
    if !of_one_name.is_empty() {
        return Ok(of_one_name);
    }
    match (base.len(), new.len()) {
        (1, _) => Ok((0..new.len()).map(|other| (0, other)).collect()),
        (_, 1) => Ok((0..base.len()).map(|one| (one, 0)).collect()),
        _ => Err(NotComparable::NoKernelsInCommon { base, new }),
    }
}

/// Every workload of both runs on every pair of kernels, with at least one backend that has a cost in
/// both.
pub(super) fn comparisons(
    base: &Matrix<'_>,
    new: &Matrix<'_>,
    kernels: &[(usize, usize)],
    left_out: &mut Vec<LeftOut>,
) -> Vec<Comparison> {
    let mut all = Vec::new();
    for (setup, other_setup) in workloads::pairs(&base.setups, &new.setups, left_out) {
        let (what, other) = (&base.setups[setup], &new.setups[other_setup]);
        for &(one_kernel, other_kernel) in kernels {
            let (base_kernel, new_kernel) = (
                base.kernels[one_kernel].label.clone(),
                new.kernels[other_kernel].label.clone(),
            );
            let workload = workloads::label(what);
            let place = format!("{workload}, {base_kernel} and {new_kernel}");
            let rows = rows(
                (base, setup, one_kernel),
                (new, other_setup, other_kernel),
                &place,
                left_out,
            );
            if rows.is_empty() {
                continue;
            }
            all.push(Comparison {
                workload,
                base_kernel,
                new_kernel,
                execs: (what.workload.execs, other.workload.execs),
                agreement: Agreement::of(&costs(&rows, |r| &r.base), &costs(&rows, |r| &r.new)),
                doubtful: [
                    doubtful(&rows, what, |r| &r.base),
                    doubtful(&rows, other, |r| &r.new),
                ]
                .concat(),
                rows,
            });
        }
    }
    all
}

fn costs(rows: &[Row], of: impl Fn(&Row) -> &Measured) -> Vec<f64> {
    rows.iter().map(|row| of(row).added_per_exec).collect()
}

/// A run, one of its setups and one of its kernels.
type Place<'m, 'a> = (&'m Matrix<'a>, usize, usize);

fn rows(
    base: Place<'_, '_>,
    new: Place<'_, '_>,
    place: &str,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Row> {
    let mut names: Vec<&str> = [base.0, new.0]
        .iter()
        .flat_map(|m| &m.backends)
        .filter(|b| b.role == Role::Watcher)
        .map(|b| b.label.as_str())
        .collect();
    names.sort_by(|a, b| natural(a, b));
    names.dedup();
    let mut rows = Vec::new();
    for name in names {
        match (measured(base, name), measured(new, name)) {
            (Ok(base), Ok(new)) => rows.push(Row {
                backend: name.to_owned(),
                base,
                new,
            }),
            (one, other) => {
                let why = [(one, "first"), (other, "second")]
                    .map(|(side, which)| Some(format!("{} in the {which} run", side.err()?)));
                left_out.push(LeftOut {
                    backend: name.to_owned(),
                    place: place.to_owned(),
                    reason: why.into_iter().flatten().collect::<Vec<_>>().join(", "),
                });
            }
        }
    }
    let ranked = |of: fn(&Row) -> &Measured| ranks(&costs(&rows, of));
    let ranks = ranked(|r| &r.base).into_iter().zip(ranked(|r| &r.new));
    for (row, (one, other)) in rows.iter_mut().zip(ranks.collect::<Vec<_>>()) {
        (row.base.rank, row.new.rank) = (one, other);
    }
    // Names are in order, and sorting is stable.
    rows.sort_by(|a, b| a.base.rank.total_cmp(&b.base.rank));
    rows
}

/// What a backend costs at a place, or why nothing is known of it.
fn measured((matrix, setup, kernel): Place<'_, '_>, name: &str) -> Result<Measured, String> {
    let backend = matrix.backends.iter().position(|b| b.label == name);
    let cell = backend.and_then(|backend| {
        matrix.cell(At {
            setup,
            kernel,
            backend,
        })
    });
    let cell = cell.ok_or("no trial")?;
    if cell.status() != Status::Completed {
        return Err(cell.status_label());
    }
    let figure = |id| cell.figure(Metric::by_id(id).expect("a metric of the table"));
    let added = figure("added_per_exec");
    let numbers = added.numbers.ok_or("no cost")?;
    Ok(Measured {
        added_per_exec: numbers.median,
        min: numbers.min,
        max: numbers.max,
        interval: added.interval,
        apart: apart(matrix, cell),
        seeds: numbers.count,
        rank: 0.0,
        completeness: figure("completeness").numbers.map(|n| n.min),
    })
}

fn apart(matrix: &Matrix<'_>, cell: &Cell<'_>) -> Option<crate::matrix::Apart> {
    matrix.apart(cell, Metric::by_id("added_per_exec")?)
}

/// Pairs whose intervals overlap, or that have none in a lab where they should.
fn doubtful(rows: &[Row], setup: &Setup<'_>, of: fn(&Row) -> &Measured) -> Vec<String> {
    if setup.lab.is_exact() {
        return Vec::new();
    }
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| of(a).rank.total_cmp(&of(b).rank));
    let mut pairs = Vec::new();
    for (at, one) in rows.iter().enumerate() {
        for other in &rows[at + 1..] {
            let intervals = (of(one).interval, of(other).interval);
            if !matches!(intervals, (Some(one), Some(other)) if !one.overlaps(&other)) {
                pairs.push(format!(
                    "{} and {} in {}",
                    one.backend, other.backend, setup.lab
                ));
            }
        }
    }
    pairs
}

/// The mean of each backend's ranks over all comparisons, among the backends that are in all.
pub(super) fn pooled(all: &[Comparison]) -> Option<Pooled> {
    let names =
        |c: &Comparison| -> BTreeSet<String> { c.rows.iter().map(|r| r.backend.clone()).collect() };
    let common = all.iter().map(names).reduce(|a, b| &a & &b)?;
    if all.len() < 2 || common.len() < 2 {
        return None;
    }
    let mut sums = vec![(0.0, 0.0); common.len()];
    for comparison in all {
        let of = |side: fn(&Row) -> &Measured| {
            let costs: Vec<f64> = common
                .iter()
                .filter_map(|name| comparison.rows.iter().find(|r| r.backend == *name))
                .map(|row| side(row).added_per_exec)
                .collect();
            ranks(&costs)
        };
        let both = of(|r| &r.base).into_iter().zip(of(|r| &r.new));
        for (sum, (one, other)) in sums.iter_mut().zip(both) {
            sum.0 += one;
            sum.1 += other;
        }
    }
    let count = all.len() as f64;
    let (one, other): (Vec<f64>, Vec<f64>) =
        sums.iter().map(|s| (s.0 / count, s.1 / count)).unzip();
    let agreement = Agreement::of(&one, &other);
    let mut backends: Vec<(String, f64, f64)> = common
        .into_iter()
        .zip(one.into_iter().zip(other))
        .map(|(name, (one, other))| (name, one, other))
        .collect();
    backends.sort_by(|a, b| a.1.total_cmp(&b.1));
    Some(Pooled {
        comparisons: all.len(),
        backends,
        agreement,
    })
}
