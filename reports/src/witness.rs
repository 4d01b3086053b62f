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

/// Whether a backend sees every exec of a scenario on a kernel, by what is known of it; `None` where
/// nothing is known. Takes the names of backend and scenario and the series of the kernel.
pub type Completeness<'a> = &'a dyn Fn(&str, &str, &str) -> Option<bool>;

/// As [`Completeness`], by the committed prediction: every exec and no phantom is expected where that says
/// so, of a backend that it names, and nothing explains why it is otherwise.
pub fn expected(backend: &str, scenario: &str, kernel: &str) -> Option<bool> {
    let held = Held::committed();
    let names = |rule: &Rule| rule.backends.iter().flatten().any(|name| name == backend);
    if !held.scenarios.contains_key(scenario) || !held.predictions.iter().any(names) {
        return None;
    }
    let cell = Cell {
        scenario,
        backend,
        kernel,
    };
    let class = held.predicted(cell);
    let is = |facet, words: &[&str]| words.contains(&class.of(facet).text(facet).as_str());
    let otherwise = held.explaining(cell).any(|explanation| {
        [Facet::Seen, Facet::Phantoms]
            .iter()
            .any(|facet| explanation.claims.contains_key(facet))
    });
    let all = is(Facet::Seen, &["all", NOTHING_TO_SEE]) && is(Facet::Phantoms, &["no"]);
    Some(all && !otherwise)
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
    /// Of all results of a run; `complete` says which backends should see every exec.
    pub fn new(results: &[TrialResult], complete: Completeness<'_>) -> Self {
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
            new.disagreements.extend(agreement(&trials, complete));
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
fn agreement(trials: &[&TrialResult], complete: Completeness<'_>) -> Option<String> {
    let expected = |t: &&&TrialResult| {
        let as_predicted = t.workload.load == Load::Closed
            && [BackendSpec::DEFAULT, "tuned"].contains(&t.backend.variant.as_str());
        let (backend, scenario) = (&t.backend.name, &t.workload.scenario);
        let said = series(&t.kernel).and_then(|kernel| complete(backend, scenario, kernel));
        t.is_watched() && t.status == Status::Completed && as_predicted && said == Some(true)
    };
    let unexplained = |t: &TrialResult| {
        let seen = t.completeness.as_ref()?;
        let told = t
            .loss
            .as_ref()
            .is_some_and(|loss| loss.self_reported != Some(0));
        Some(Word {
            missed: if told { 0 } else { seen.missed },
            phantoms: seen.phantoms,
        })
    };
    let words: Vec<(&TrialResult, Word)> = trials
        .iter()
        .filter(expected)
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
            "truth in doubt: all of {} that should see every exec {said} alike (the first is {trial})",
            names.join(", ")
        )
    } else {
        format!(
            "unexplained: {} should see every exec, and {trial} {said}, of which it says nothing; {} of {} agree with truth",
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
