//! Truth and its witnesses: what the kernel counted, and whether backends that should see everything
//! agree.
//!
//! A trial whose truth the kernel's count contradicts is `lost` by itself. What is found here shows only
//! where several trials of one storm are held against each other, and is an error of execlab, or of what
//! it expects of a backend: nobody may conclude anything from such a run.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    exit::ExitCode,
    plan::BackendSpec,
    result::{Status, TrialResult, TruthCounts},
    workload::Load,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conformance::{Cell, Facet, Held, NOTHING_TO_SEE, Rule, series},
    number::thousands,
    text::{clean, plural},
};

/// What is expected of a backend in a scenario on a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// That it sees every exec.
    pub every_exec: bool,
    /// That it sees nothing that truth does not have.
    pub no_phantom: bool,
}

/// What is expected, by what is known; `None` where nothing is. Takes the names of backend and scenario and the
/// series of the kernel.
pub type Expectation<'a> = &'a dyn Fn(&str, &str, &str) -> Option<Expected>;

/// As [`Expectation`], by the committed prediction: where that says so, of a backend that it names, in a cell of the
/// conformance table, and nothing explains why it is otherwise. In other cells nobody has held a prediction against what
/// was measured: fanotify sees every exec, but none of a program in memory.
pub fn expected(backend: &str, scenario: &str, kernel: &str) -> Option<Expected> {
    let held = Held::committed();
    let names = |rule: &Rule| rule.backends.iter().flatten().any(|name| name == backend);
    let in_table = held.scenarios.contains_key(scenario) && held.scope.holds(backend, scenario);
    if !in_table || !held.predictions.iter().any(names) {
        return None;
    }
    let cell = Cell {
        scenario,
        backend,
        kernel,
    };
    let class = held.predicted(cell);
    let is = |facet, words: &[&str]| words.contains(&class.of(facet).text(facet).as_str());
    let explained = |facet| {
        let mut all = held.explaining(cell);
        all.any(|explanation| explanation.claims.contains_key(&facet))
    };
    Some(Expected {
        every_exec: is(Facet::Seen, &["all", NOTHING_TO_SEE]) && !explained(Facet::Seen),
        no_phantom: is(Facet::Phantoms, &["no"]) && !explained(Facet::Phantoms),
    })
}

/// What witnesses say of the truths of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Witnesses {
    /// Storms whose forks the kernel counted.
    pub forks_counted: usize,
    /// Storms whose execs the kernel counted.
    pub execs_counted: usize,
    /// Execs by the kernel's count in those storms.
    pub execs_by_kernel: u64,
    /// Execs by truth in those storms.
    pub execs_in_truth: u64,
    /// What cannot be explained, in sentences for people. Each is an error of the harness.
    pub disagreements: Vec<String>,
}

impl Witnesses {
    /// Of all results of a run; `expected` says what backends should see.
    pub fn new(results: &[TrialResult], expected: Expectation<'_>) -> Self {
        let mut new = Self::default();
        for (heard, truth) in results.iter().filter_map(|t| Some((t.witness?, t.truth?))) {
            new.forks_counted += 1;
            if let Some(execs) = heard.execs {
                new.execs_counted += 1;
                new.execs_by_kernel += execs;
                new.execs_in_truth += truth.execs;
            }
        }
        for trials in storms(results) {
            new.disagreements.extend(truths(&trials));
            new.disagreements.extend(agreement(&trials, expected));
        }
        new
    }

    /// What it makes of a run.
    pub fn exit_code(&self) -> ExitCode {
        if self.disagreements.is_empty() {
            ExitCode::Ok
        } else {
            ExitCode::Internal
        }
    }

    /// A line for people; `None` where the kernel counted nothing.
    pub fn line(&self) -> Option<String> {
        let forks = plural(self.forks_counted, "storm");
        let execs = match self.execs_counted {
            0 => "; of no storm did it count the execs (`--backends none+witness` does)".into(),
            count => format!(
                ", and {} execs of {}, of which truth has {}",
                thousands(self.execs_by_kernel as f64),
                plural(count, "storm"),
                thousands(self.execs_in_truth as f64)
            ),
        };
        (self.forks_counted > 0).then(|| format!("the kernel counted the forks of {forks}{execs}"))
    }
}

/// The trials of each storm that came to an end with a truth that nothing contradicts.
fn storms(results: &[TrialResult]) -> Vec<Vec<&TrialResult>> {
    let mut storms: BTreeMap<String, Vec<&TrialResult>> = BTreeMap::new();
    let whole = |t: &&TrialResult| {
        matches!(t.status, Status::Completed | Status::BackendFailed) && t.truth.is_some()
    };
    for trial in results.iter().filter(whole) {
        storms.entry(name(trial)).or_default().push(trial);
    }
    for trials in storms.values_mut() {
        trials.sort_by_key(|trial| &trial.trial);
    }
    storms.into_values().collect()
}

/// What all trials of one storm share: the id without its second part, which is the backend.
fn name(trial: &TrialResult) -> String {
    let mut parts: Vec<&str> = trial.trial.split('/').collect();
    if parts.len() > 1 {
        parts.remove(1);
    }
    parts.join("/")
}

/// The same storm has the same truth, whoever watches.
fn truths(trials: &[&TrialResult]) -> Option<String> {
    let mut of = trials.iter().filter_map(|t| Some((t, t.truth?)));
    let (first, truth) = of.next()?;
    let (other, differs) = of.find(|(_, other)| *other != truth)?;
    let say = |t: TruthCounts| {
        format!(
            "{}, {} and {}",
            several(t.execs, "exec"),
            several(t.attempts, "attempt"),
            several(t.forks, "fork")
        )
    };
    Some(format!(
        "one storm, two truths: {} has {}, {} has {}",
        clean(&first.trial),
        say(truth),
        clean(&other.trial),
        say(differs)
    ))
}

/// What a backend that should see everything says of a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    missed: u64,
    phantoms: u64,
}

/// Backends that should see everything see the same, and that is what truth has.
///
/// Looked for only where the prediction was made for: no other load than a closed one, no settings of the
/// user's own. A loss that the backend itself reports explains what it missed: it is incomplete by its
/// own word. Late sightings are sightings.
fn agreement(trials: &[&TrialResult], expected: Expectation<'_>) -> Option<String> {
    let unexplained = |t: &TrialResult| {
        let as_predicted = t.workload.load == Load::Closed
            && [BackendSpec::DEFAULT, "tuned"].contains(&t.backend.variant.as_str());
        if !t.is_watched() || t.status != Status::Completed || !as_predicted {
            return None;
        }
        let expected = expected(&t.backend.name, &t.workload.scenario, series(&t.kernel)?)?;
        let seen = t.completeness.as_ref()?;
        // A loss without a number may be any.
        let told = t.loss.as_ref().map_or(Some(0), |loss| loss.self_reported);
        let missed = told.map_or(0, |told| seen.missed.saturating_sub(told));
        let word = Word {
            missed: if expected.every_exec { missed } else { 0 },
            phantoms: if expected.no_phantom {
                seen.phantoms
            } else {
                0
            },
        };
        // Who is not to see everything has no say in what there was, but may invent nothing either.
        (expected.every_exec || word.phantoms > 0).then_some(word)
    };
    let words: Vec<(&TrialResult, Word)> = trials
        .iter()
        .filter_map(|t| Some((*t, unexplained(t)?)))
        .collect();
    let nothing = Word {
        missed: 0,
        phantoms: 0,
    };
    let odd: Vec<&(&TrialResult, Word)> = words.iter().filter(|(_, w)| *w != nothing).collect();
    let (first, word) = odd.first()?;
    let said = format!(
        "missed {} and saw {} that truth does not have",
        several(word.missed, "exec"),
        several(word.phantoms, "exec")
    );
    let names: BTreeSet<String> = odd.iter().map(|(t, _)| clean(&t.backend_label())).collect();
    let names: Vec<String> = names.into_iter().collect();
    let trial = clean(&first.trial);
    let in_unison = odd.len() > 1 && odd.len() == words.len() && odd.iter().all(|(_, w)| w == word);
    Some(if in_unison {
        format!(
            "truth in doubt: all of {} that should see every exec and no other {said} alike (the first is {trial})",
            names.join(", ")
        )
    } else {
        format!(
            "unexplained: {} should see every exec and no other, and {trial} {said}, of which it says nothing; {} of {} agree with truth",
            names.join(", "),
            words.len() - odd.len(),
            plural(words.len(), "complete backend")
        )
    })
}

fn several(count: u64, what: &str) -> String {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    plural(count, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_does_not_hold_is_not_expected() {
        let of = |scenario| expected("fanotify", scenario, "7.3");
        assert!(of("absolute").is_some_and(|expected| expected.every_exec));
        assert_eq!(of("memfd"), None);
        let held = expected("ebpf", "memfd", "7.3");
        assert!(held.is_some_and(|expected| expected.every_exec));
    }
}
