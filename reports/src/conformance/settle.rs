//! From what was measured to what is held of it, and whether that is predicted or explained.

use std::collections::BTreeMap;

use execlab_model::plan::PROGRAM_PREFIX;

use super::{
    class::{Claim, Class, Measured},
    facet::Facet,
    held::Held,
    rules::{Cell, Rule, over},
};

/// What the table is to say of a cell that showed this: for each facet the explanation's claim or else
/// the prediction's, if it holds; otherwise just what was measured. So what is a race stays one in the
/// table, whatever a run shows of it.
pub fn settle(held: &Held, cell: Cell<'_>, measured: &Measured) -> Class {
    let predicted = held.predicted(cell);
    let explained = over(&held.explanations, cell, predicted);
    let choose = |facet: Facet, explained: &Class, predicted: &Class| {
        [explained, predicted]
            .map(|class| class.of(facet))
            .into_iter()
            .find(|claim| claim.holds(measured.facet(facet)))
            .unwrap_or(Claim::exactly(measured.facet(facet)))
    };
    let seen = choose(Facet::Seen, &explained, &predicted);
    let (explained, predicted) = (explained.given(seen), predicted.given(seen));
    let others = &Facet::ALL[1..];
    let chosen = others.iter().fold(explained, |class, &facet| {
        class.with(facet, choose(facet, &explained, &predicted))
    });
    chosen.given(seen)
}

/// How a cell of the table stands to what was predicted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Facets that are otherwise than predicted, with what was predicted.
    pub differs: BTreeMap<Facet, String>,
    /// Why: the explanations that fit, each once, in the order of their file.
    pub why: Vec<String>,
    /// Facets that differ and that no explanation fits.
    pub unexplained: Vec<Facet>,
}

/// Holds a cell of the table against prediction and explanations.
pub fn standing(held: &Held, cell: Cell<'_>, class: &Class) -> Standing {
    // Nobody predicts what a program of the user does.
    if cell.backend.starts_with(PROGRAM_PREFIX) {
        return Standing::default();
    }
    let seen = class.of(Facet::Seen);
    let raw = held.predicted(cell);
    let predicted = raw.given(seen).with(Facet::Seen, raw.of(Facet::Seen));
    let mut standing = Standing::default();
    for facet in Facet::ALL {
        if class.of(facet) == predicted.of(facet) {
            continue;
        }
        let said = predicted.of(facet).text(facet);
        standing.differs.insert(facet, said);
        match held
            .explaining(cell)
            .find(|rule| fits(rule, class, &raw, facet))
        {
            Some(rule) if standing.why.contains(&rule.why) => {}
            Some(rule) => standing.why.push(rule.why.clone()),
            None => standing.unexplained.push(facet),
        }
    }
    standing
}

/// Whether an explanation says just what the table says of a facet.
fn fits(rule: &Rule, class: &Class, predicted: &Class, facet: Facet) -> bool {
    let Some(&claim) = rule.claims.get(&facet) else {
        return false;
    };
    if facet == Facet::Seen {
        return claim == class.of(facet);
    }
    let explained = predicted.with(facet, claim).given(class.of(Facet::Seen));
    explained.of(facet) == class.of(facet)
}

/// Something for which the table is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// A row that differs from the prediction, and nobody says why.
    #[error(
        "{scenario} × {backend} on {kernel}: {facet} is `{found}`, predicted was `{predicted}`, and no explanation says so"
    )]
    Unexplained {
        /// Whose.
        scenario: String,
        /// Whose.
        backend: String,
        /// Series.
        kernel: String,
        /// Which.
        facet: Facet,
        /// What the table says.
        found: String,
        /// What techniques.md predicts.
        predicted: String,
    },
    /// An explanation of what is not, or no longer, so.
    #[error("the explanation of {place} says that {facet} is `{claim}`, and on {kernel} {scenario} × {backend} has `{found}`{}", if *.is_predicted { ", as predicted" } else { "" })]
    Stale {
        /// Of the explanation.
        place: String,
        /// A cell that it covers.
        scenario: String,
        /// A cell that it covers.
        backend: String,
        /// A cell that it covers.
        kernel: String,
        /// Which.
        facet: Facet,
        /// What it says.
        claim: String,
        /// What the table says.
        found: String,
        /// Whether that needs no explanation.
        is_predicted: bool,
    },
    /// An explanation of no cell of the table.
    #[error("the explanation of {place} explains no cell of the table")]
    Idle {
        /// Of the explanation.
        place: String,
    },
}

/// Everything for which the committed table is refused; empty where each of its rows is as predicted
/// or explained, and each explanation is needed.
pub fn problems(held: &Held) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (cell, entry) in held.table.iter() {
        let standing = standing(held, cell, &entry.class);
        for facet in standing.unexplained {
            problems.push(Problem::Unexplained {
                scenario: cell.scenario.to_owned(),
                backend: cell.backend.to_owned(),
                kernel: cell.kernel.to_owned(),
                facet,
                found: entry.class.of(facet).text(facet),
                predicted: standing.differs[&facet].clone(),
            });
        }
    }
    for rule in &held.explanations {
        let covered: Vec<_> = held
            .table
            .iter()
            .filter(|(cell, _)| rule.covers(*cell))
            .collect();
        if covered.is_empty() {
            problems.push(Problem::Idle {
                place: rule.place(),
            });
        }
        for (cell, entry) in covered {
            let raw = held.predicted(cell);
            let standing = standing(held, cell, &entry.class);
            for (&facet, claim) in &rule.claims {
                let is_predicted = !standing.differs.contains_key(&facet);
                if is_predicted || !fits(rule, &entry.class, &raw, facet) {
                    problems.push(Problem::Stale {
                        place: rule.place(),
                        scenario: cell.scenario.to_owned(),
                        backend: cell.backend.to_owned(),
                        kernel: cell.kernel.to_owned(),
                        facet,
                        claim: claim.text(facet),
                        found: entry.class.of(facet).text(facet),
                        is_predicted,
                    });
                }
            }
        }
    }
    problems
}
