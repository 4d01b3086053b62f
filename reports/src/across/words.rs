//! What an agreement of orders means, and what it does not.

use std::collections::BTreeSet;

use execlab_model::result::Lab;

use super::{Across, Measured, Row, Side};
use crate::{
    matrix::Apart,
    rank::{Agreement, DRAWN},
    text::{list, plural},
};

/// Sentences for people, the result first.
pub(super) fn words(across: &Across) -> Vec<String> {
    let mut words = vec![verdict(across)];
    words.push("A cost is what watching adds to an exec: the median over the seeds, with its interval in square brackets or the least and the most in round ones.".into());
    words.extend(doubts(across));
    words.extend(nothing(across));
    words.push("The same order does not mean the same ratio: nothing here says by how much a backend is dearer than another in the other lab, and figures of the two labs, whose units differ, are not compared with each other.".into());
    words.push(machines(across));
    let listed = across.comparisons.iter().filter_map(|c| c.agreement);
    if let Some(fewest) = listed.min_by_key(|a| a.count) {
        words.push(format!(
            "p is the share of all orders that agree at least as well, one-sided. {} {} few: it can at best be 1/{:.0} ({}).",
            plural(fewest.count, "backend"),
            if fewest.count == 1 { "is" } else { "are" },
            1.0 / fewest.least_p,
            chance(fewest.least_p)
        ));
        if !fewest.exact {
            words.push(format!(
                "There are too many orders to list: p is approximate, from {DRAWN} random ones."
            ));
        }
    }
    if across.pooled.is_some() {
        words.push("Pooled are mean ranks over all comparisons, of the backends that are in all of them. Comparisons share backends, kernels and machines: they are no independent trials, and so p is counted over orders of backends and not of cells.".into());
    }
    if across.comparisons.iter().any(|c| c.execs.0 != c.execs.1) {
        words.push("The two runs made different numbers of execs; what a backend pays once weighs more where they are fewer.".into());
    }
    if across
        .comparisons
        .iter()
        .flat_map(|c| &c.rows)
        .any(|r| r.base.completeness < Some(1.0) || r.new.completeness < Some(1.0))
    {
        words.push("A backend that misses execs does less and seems cheaper: look at what it saw in each lab before its rank.".into());
    }
    words
}

/// `0.0083`, `<0.0001`.
pub(super) fn chance(p: f64) -> String {
    if p < 0.000_1 {
        "<0.0001".into()
    } else {
        format!("{p:.4}")
    }
}

/// What decides: all comparisons together where there are several.
fn verdict(across: &Across) -> String {
    let (agreement, of_what) = match (&across.pooled, across.comparisons.as_slice()) {
        (Some(pooled), _) => (
            pooled.agreement,
            format!("over {}", plural(pooled.comparisons, "comparison")),
        ),
        (None, [one]) => (one.agreement, "in one comparison".to_owned()),
        (None, _) => (None, String::new()),
    };
    let labs = format!("{} and {}", across.base.lab, across.new.lab);
    let Some(Agreement {
        count,
        rho,
        tau_b,
        rho_p,
        ..
    }) = agreement
    else {
        return format!(
            "No order to compare: less than two backends have different costs in {labs} wherever both were run."
        );
    };
    // Of few things a chance of one in twenty may be out of reach, and then nothing is shown.
    let meaning = if rho_p <= 0.05 {
        "more than a random order would"
    } else {
        "no more than a random order might"
    };
    let same = if rho >= 1.0 - 1e-9 {
        "The order is the same. "
    } else {
        ""
    };
    format!(
        "{same}By what they add to an exec, {} in {labs} agree in their order {meaning}, {of_what}: rho {rho:.2}, tau-b {tau_b:.2}, p {}.",
        plural(count, "backend"),
        chance(rho_p)
    )
}

fn doubts(across: &Across) -> Option<String> {
    let mut pairs: Vec<String> = across
        .comparisons
        .iter()
        .flat_map(|c| c.doubtful.clone())
        .collect();
    pairs.sort();
    pairs.dedup();
    let more = pairs.len().saturating_sub(4);
    pairs.truncate(4);
    (!pairs.is_empty()).then(|| {
        let more = if more > 0 {
            format!("; {more} more")
        } else {
            String::new()
        };
        format!(
            "Not told apart by their intervals, so that their order may be chance: {}{more}.",
            pairs.join("; ")
        )
    })
}

/// Whose cost may be nothing at all.
fn nothing(across: &Across) -> Option<String> {
    let of = |row: &Row, side: fn(&Row) -> &Measured, lab: Lab| {
        (side(row).apart == Some(Apart::NotToldApart)).then(|| format!("{} in {lab}", row.backend))
    };
    let rows = across.comparisons.iter().flat_map(|c| &c.rows);
    let all: BTreeSet<String> = rows
        .flat_map(|row| {
            [
                of(row, |r| &r.base, across.base.lab),
                of(row, |r| &r.new, across.new.lab),
            ]
        })
        .flatten()
        .collect();
    let all: Vec<String> = all.into_iter().collect();
    (!all.is_empty()).then(|| {
        format!(
            "Not told apart from nothing in at least one comparison: {}.",
            list(&all)
        )
    })
}

fn machines(across: &Across) -> String {
    let say = |side: &Side| {
        let kernels: Vec<String> = side
            .kernels
            .iter()
            .map(|(name, release)| {
                if name == release || release.is_empty() {
                    name.clone()
                } else {
                    format!("{name} ({release})")
                }
            })
            .collect();
        format!(
            "{} had {} and {}",
            side.lab,
            plural(side.cpus as usize, "CPU"),
            list(&kernels)
        )
    };
    let differ = if across.base.kernels == across.new.kernels {
        "Machines differ too"
    } else {
        "Kernels and machines differ too"
    };
    format!(
        "{differ}: {}; {}. What that changes is in the ranks.",
        say(&across.base),
        say(&across.new)
    )
}
