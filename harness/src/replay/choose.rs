//! Finds a trial of a run.

use std::sync::Arc;

use execlab_model::result::TrialResult;

use crate::{nearest::distance, plan::Plan, results::BaselineLines};

/// So many trials are named where one could not be found.
const NAMED: usize = 5;

/// A text that names no trial, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTrial {
    /// A number beyond the plan.
    #[error("there is no trial {number}: the plan has {trials}, counted from 1")]
    Number {
        /// What was asked for.
        number: String,
        /// How many there are.
        trials: usize,
    },
    /// A part of no id.
    #[error("no trial is called `{wanted}`, or has that in its name (near to it: {})", near.join(", "))]
    None {
        /// What was asked for.
        wanted: String,
        /// Ids that are most like it.
        near: Vec<String>,
    },
    /// A part of several ids.
    #[error("{count} trials have `{wanted}` in their names: {}{}", some.join(", "), if *count > some.len() { " …" } else { "" })]
    Several {
        /// What was asked for.
        wanted: String,
        /// How many.
        count: usize,
        /// The first of them.
        some: Vec<String>,
    },
}

/// A trial, and what its run has of it.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its position in the plan.
    pub at: usize,
    /// Its line; `None` where the run did not come to it.
    pub line: Option<TrialResult>,
    /// What it was compared with.
    pub baselines: BaselineLines,
}

/// The trial that a text names: by its id, its number in the plan from 1 up, or a part of its id that no other has.
pub fn choose(plan: &Plan, lines: &[TrialResult], wanted: &str) -> Result<Chosen, BadTrial> {
    let at = position(plan, wanted)?;
    let line = |at: usize| {
        let id = &plan.trials[at].id;
        lines.iter().find(|line| line.trial == *id).cloned()
    };
    let compared = plan.baselines()[at];
    Ok(Chosen {
        at,
        line: line(at),
        baselines: BaselineLines {
            plain: compared.plain.and_then(line).map(Arc::new),
            boot: compared.boot.and_then(line).map(Arc::new),
        },
    })
}

fn position(plan: &Plan, wanted: &str) -> Result<usize, BadTrial> {
    let trials = &plan.trials;
    if let Some(at) = trials.iter().position(|trial| trial.id == wanted) {
        return Ok(at);
    }
    if !wanted.is_empty() && wanted.bytes().all(|digit| digit.is_ascii_digit()) {
        let number = wanted.parse::<usize>().ok();
        let known = number.filter(|number| (1..=trials.len()).contains(number));
        return known
            .map(|number| number - 1)
            .ok_or_else(|| BadTrial::Number {
                number: wanted.to_owned(),
                trials: trials.len(),
            });
    }
    let having: Vec<usize> = (0..trials.len())
        .filter(|&at| trials[at].id.contains(wanted))
        .collect();
    let ids = |places: &[usize]| {
        let some = places.iter().take(NAMED);
        some.map(|&at| trials[at].id.clone()).collect()
    };
    match having.as_slice() {
        [at] => Ok(*at),
        [] => {
            let mut near: Vec<usize> = (0..trials.len()).collect();
            near.sort_by_key(|&at| distance(wanted, &trials[at].id));
            Err(BadTrial::None {
                wanted: wanted.to_owned(),
                near: ids(&near),
            })
        }
        several => Err(BadTrial::Several {
            wanted: wanted.to_owned(),
            count: several.len(),
            some: ids(several),
        }),
    }
}
