//! What an agreement of orders means, and what it does not.

use std::collections::BTreeSet;

use execlab_model::result::Lab;

use super::{Across, Measured, Row, Side};
use crate::{
    matrix::Apart,
    rank::{Agreement, DRAWN, LISTED},
    text::{list, plural},
};

/// Up to how many backends the least p is worth a sentence: of six, it is 1/720.
const FEW: usize = 5;

/// Sentences for people, the result first.
pub(super) fn words(across: &Across) -> Vec<String> {
    let mut words = vec![verdict(across)];
    words.push("A cost is what watching adds to an exec: the median over the seeds, with its interval in square brackets or the least and the most in round ones.".into());
    words.extend(doubts(across));
    words.extend(nothing(across));
    words.push("The same order does not mean the same ratio: nothing here says by how much a backend is dearer than another in the other lab, and figures of the two labs, whose units differ, are not compared with each other.".into());
    words.push(machines(across));
    words.extend(what_p_is(across));
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

/// `0.0083`, `<0.0001`; of a sample of orders, `≤ 1/20001` where the order itself is the only hit.
pub(super) fn chance(p: f64, agreement: &Agreement) -> String {
    let orders = f64::from(DRAWN) + 1.0;
    if !agreement.exact && p * orders < 1.5 {
        format!("≤ 1/{orders:.0}")
    } else if p < 0.000_1 {
        "<0.0001".into()
    } else {
        format!("{p:.4}")
    }
}

/// What decides: all comparisons together where there are several.
fn deciding(across: &Across) -> Option<Agreement> {
    match (&across.pooled, across.comparisons.as_slice()) {
        (Some(pooled), _) => pooled.agreement,
        (None, [one]) => one.agreement,
        (None, _) => None,
    }
}

/// What p is and how small it can be, where there is any.
fn what_p_is(across: &Across) -> Vec<String> {
    let single = across.comparisons.iter().filter_map(|c| c.agreement);
    let all: Vec<Agreement> = single.chain(deciding(across)).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let mut p = "p is the share of all orders that agree at least as well, one-sided.".to_owned();
    if let Some(few) = deciding(across).filter(|a| a.count <= FEW) {
        p += &format!(
            " {} are few: it can at best be 1/{:.0} ({}).",
            plural(few.count, "backend"),
            1.0 / few.least_p,
            chance(few.least_p, &few)
        );
    }
    let mut words = vec![p];
    if all.iter().any(|a| !a.exact) {
        words.push(format!(
            "Of more than {LISTED} backends there are too many orders to list: p is approximate there, from {DRAWN} random ones."
        ));
    }
    words
}

fn verdict(across: &Across) -> String {
    let labs = format!("{} and {}", across.base.lab, across.new.lab);
    let several = across.comparisons.len();
    if several > 1 && across.pooled.is_none() {
        return format!(
            "No order over all: less than two backends are in all {several} comparisons of {labs}; see each."
        );
    }
    let over = if several > 1 {
        format!("over {}", plural(several, "comparison"))
    } else {
        "in one comparison".to_owned()
    };
    let Some(agreement) = deciding(across) else {
        return if several > 1 {
            format!(
                "No order over all: by their mean ranks, the backends that are in all {several} comparisons are equal in {} or in {}; see each.",
                across.base.lab, across.new.lab
            )
        } else {
            format!(
                "No order to compare: less than two backends were measured in both {labs}, or their costs are all equal in one of the two."
            )
        };
    };
    let Agreement {
        count,
        rho,
        tau_b,
        rho_p,
        ..
    } = agreement;
    // Of few things a chance of one in twenty may be out of reach, and then nothing is shown.
    let meaning = if rho_p <= 0.05 {
        "more than a random order would"
    } else {
        "no more than a random order might"
    };
    let same = if rho >= 1.0 - 1e-9 {
        "The order of the medians is the same. "
    } else {
        ""
    };
    format!(
        "{same}By what they add to an exec, {} in {labs} agree in their order {meaning}, {over}: rho {rho:.2}, tau-b {tau_b:.2}, p {}.",
        plural(count, "backend"),
        chance(rho_p, &agreement)
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
