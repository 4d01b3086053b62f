//! Two backends, or two variants of one, whose trials stand beside each other in one run.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{repeat::Repeat, result::TrialResult};

use super::{Gate, Policy, Run, between, judge::Design};
use crate::text::clean;

/// A backend that a run does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run has no backend `{name}` (it has: {})", has.join(", "))]
pub struct NoSuchBackend {
    /// As it was named.
    pub name: String,
    /// Those that it has.
    pub has: Vec<String>,
}

/// Compares `b` with `a`, each named `backend+variant` as in its trials; `+default` may be left out.
pub fn interleaved(run: Run<'_>, a: &str, b: &str, policy: &Policy) -> Result<Gate, NoSuchBackend> {
    let (base, new) = (of(run.results, a)?, of(run.results, b)?);
    let design = if in_turn(run.results, &label(a), &label(b)) {
        Design::InTurn
    } else {
        Design::Separate
    };
    // One name for both, so that they are rows of one table; what else differs stays what it is.
    let as_base = base[0].backend.clone();
    let renamed = |mut trial: TrialResult| {
        trial.backend.name.clone_from(&as_base.name);
        trial.backend.variant.clone_from(&as_base.variant);
        trial
    };
    let new: Vec<TrialResult> = new.into_iter().map(renamed).collect();
    let (of_base, of_new) = (repeats(run, &base), repeats(run, &new));
    let name = |label: &str| format!("{} of {}", label, run.name);
    // What both are held against is judged with the second.
    let unwatched: Vec<TrialResult> = run
        .results
        .iter()
        .filter(|t| !t.is_watched())
        .cloned()
        .collect();
    Ok(between(
        Run {
            name: &name(a),
            results: &base,
            repeats: &of_base,
        },
        Run {
            name: &name(b),
            results: &new,
            repeats: &[of_new, repeats(run, &unwatched)].concat(),
        },
        policy,
        design,
    ))
}

/// Those of some trials.
fn repeats(run: Run<'_>, of: &[TrialResult]) -> Vec<Repeat> {
    let trials: BTreeSet<&str> = of.iter().map(|t| t.trial.as_str()).collect();
    let of_them = |r: &&Repeat| trials.contains(r.trial.as_str());
    run.repeats.iter().filter(of_them).cloned().collect()
}

fn label(name: &str) -> String {
    if name.contains('+') {
        name.to_owned()
    } else {
        format!("{name}+default")
    }
}

fn of(results: &[TrialResult], name: &str) -> Result<Vec<TrialResult>, NoSuchBackend> {
    let wanted = label(name);
    let watched = || results.iter().filter(|t| t.is_watched());
    let found: Vec<TrialResult> = watched()
        .filter(|t| t.backend_label() == wanted)
        .cloned()
        .collect();
    if found.is_empty() {
        let mut has: Vec<String> = watched().map(|t| clean(&t.backend_label())).collect();
        has.sort();
        has.dedup();
        return Err(NoSuchBackend {
            name: clean(name),
            has,
        });
    }
    Ok(found)
}

/// Whether the two take turns, as far as the order of lines tells: a line is written when its trial ends.
fn in_turn(results: &[TrialResult], a: &str, b: &str) -> bool {
    let mut streaks: BTreeMap<String, (String, u32)> = BTreeMap::new();
    for trial in results {
        let label = trial.backend_label();
        if label != a && label != b {
            continue;
        }
        let place = format!("{} {:?}", trial.kernel.name, trial.workload);
        let (last, length) = streaks.entry(place).or_default();
        *length = if *last == label { *length + 1 } else { 1 };
        *last = label;
        // b a | a b: of two seeds, the same one may end the first and begin the second.
        if *length > 2 {
            return false;
        }
    }
    true
}
