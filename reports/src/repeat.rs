//! Whether results repeat: what lines of one digest and trials that were run again say of it.

use std::collections::HashMap;

use execlab_model::{
    exit::ExitCode,
    repeat::{Difference, Repeat, Start, Verdict},
    result::{Status, TrialResult},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bound,
    compare::{Compared, compare},
    text::{clean, plural, shorten},
};

/// Two lines of one digest that are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Differing {
    /// A trial.
    pub one: String,
    /// One of the same digest; the same trial where it was run again.
    pub other: String,
    /// How the guest of the repeat was started, where one trial was run again.
    pub start: Option<Start>,
    /// The first difference.
    pub difference: Difference,
}

/// What is known of whether results repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeatability {
    /// How many trials were run again, and what came out.
    pub repeated: usize,
    /// How many of them in a guest that was booted and not restored.
    pub cold: usize,
    /// How many came out the same.
    pub same: usize,
    /// How many could not be run again.
    pub failed: usize,
    /// Everything that did not repeat.
    pub differing: Vec<Differing>,
    /// Where the guests said the same and the lines made of that are not the same: different versions
    /// of execlab have scored lines of one run.
    #[serde(default)]
    pub rescored: Vec<Differing>,
}

impl Repeatability {
    /// Of all results of a run and all of its repeats.
    pub fn new(results: &[TrialResult], repeats: &[Repeat]) -> Self {
        let count = |verdict| repeats.iter().filter(|r| r.verdict == verdict).count();
        let of_repeats = |verdict| {
            let repeats = repeats.iter().filter(move |r| r.verdict == verdict);
            let mut all: Vec<Differing> = repeats.filter_map(of_repeat).collect();
            // Their order is that in which they ended.
            all.sort_by(|a, b| a.one.cmp(&b.one));
            all
        };
        let mut differing = of_repeats(Verdict::Differs);
        let mut rescored = of_repeats(Verdict::Same);
        of_one_digest(results, &mut differing, &mut rescored);
        for found in differing.iter_mut().chain(&mut rescored) {
            bound::name(&mut found.one);
            bound::name(&mut found.other);
            bound::difference(&mut found.difference);
        }
        Self {
            repeated: repeats.len(),
            cold: repeats.iter().filter(|r| r.start == Start::Cold).count(),
            same: count(Verdict::Same),
            failed: count(Verdict::Failed),
            differing,
            rescored,
        }
    }

    /// What it makes of a run.
    pub fn exit_code(&self) -> ExitCode {
        match (self.failed, self.differing.is_empty()) {
            (1.., _) => ExitCode::Incomplete,
            (0, false) => ExitCode::Nondeterministic,
            (0, true) => ExitCode::Ok,
        }
    }

    /// `2 trials (1 cold): 2 same`; `None` where nothing was run again.
    pub fn line(&self) -> Option<String> {
        if self.repeated == 0 {
            return None;
        }
        let cold = match self.cold {
            0 => String::new(),
            n => format!(" ({n} cold)"),
        };
        let differ = self.repeated - self.same - self.failed;
        let parts: Vec<String> = [
            (self.same, "same to the last bit"),
            (differ, "not the same"),
            (self.failed, "could not be run again"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        Some(format!(
            "{}{cold}: {}",
            plural(self.repeated, "trial"),
            parts.join(", ")
        ))
    }

    /// One sentence without a full stop for each difference, the first few.
    pub fn warnings(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let mut all: Vec<String> = self
            .differing
            .iter()
            .take(SHOWN)
            .map(|d| clean(&d.to_string()))
            .collect();
        let more = self.differing.len().saturating_sub(SHOWN);
        if more > 0 {
            all.push(format!("not deterministic: {more} more"));
        }
        if let Some(first) = self.rescored.first() {
            all.push(clean(&first.rescored(self.rescored.len())));
        }
        if self.failed > 0 {
            let failed = plural(self.failed, "trial");
            all.push(format!(
                "{failed} could not be run again: whether they repeat is not known"
            ));
        }
        all
    }
}

impl std::fmt::Display for Differing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LONGEST: usize = 120;
        let Difference { path, one, other } = &self.difference;
        let (one, other) = (shorten(one, LONGEST), shorten(other, LONGEST));
        match self.start {
            Some(start) => write!(
                f,
                "not deterministic: {} differs when it is run again ({start}): {path} was {one} and then {other}",
                self.one
            ),
            None => write!(
                f,
                "not deterministic: {} and {} have one digest and differ: {path} is {one} and {other}",
                self.one, self.other
            ),
        }
    }
}

impl Differing {
    /// As the first of so many whose records are the same and whose lines are not.
    fn rescored(&self, count: usize) -> String {
        let whose = if self.one == self.other {
            format!("{} was run again with an equal record", self.one)
        } else {
            format!(
                "{} and {} have one digest and equal records",
                self.one, self.other
            )
        };
        let more = match count {
            1 => String::new(),
            n => format!("; the same of {} more", n - 1),
        };
        format!(
            "different versions of execlab have scored lines of one run, which must not be compared: {whose}, and {}{more}",
            self.difference
        )
    }
}

/// What a repeat that has a difference says. Of one that came out the same it is a difference of
/// lines, and not of what the guests did.
fn of_repeat(repeat: &Repeat) -> Option<Differing> {
    Some(Differing {
        one: repeat.trial.clone(),
        other: repeat.trial.clone(),
        start: Some(repeat.start),
        difference: repeat.difference.clone()?,
    })
}

/// Adds trials that were made from the same inputs and did not come out the same, or were not scored
/// in the same way.
fn of_one_digest(
    lines: &[TrialResult],
    differing: &mut Vec<Differing>,
    rescored: &mut Vec<Differing>,
) {
    let mut first: HashMap<&str, &TrialResult> = HashMap::new();
    // What the host's side broke says nothing of its inputs, and where time is real nothing repeats.
    let comparable =
        |l: &&TrialResult| l.lab.is_exact() && l.status != Status::Infra && !l.digest.is_empty();
    let mut lines: Vec<&TrialResult> = lines.iter().filter(comparable).collect();
    lines.sort_by(|a, b| a.trial.cmp(&b.trial));
    for line in lines {
        let Some(other) = first.get(line.digest.as_str()) else {
            first.insert(&line.digest, line);
            continue;
        };
        let (of_which, difference) = match compare(other, line) {
            Compared::Same => continue,
            Compared::Rescored(difference) => (&mut *rescored, difference),
            Compared::Differs(difference) => (&mut *differing, difference),
        };
        of_which.push(Differing {
            one: other.trial.clone(),
            other: line.trial.clone(),
            start: None,
            difference,
        });
    }
}
