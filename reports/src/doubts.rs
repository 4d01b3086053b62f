//! Notes of lines that put figures in doubt. They stand above the figures, since nobody looks for them
//! in the details of a trial.

use execlab_model::result::TrialResult;

use crate::text::{clean, plural};

/// How the note begins of a baseline whose meter and clock do not agree.
pub const METER: &str = "the meter is not to be trusted";
/// How the note begins of a trial that was compared with such a baseline.
pub const BASELINE_METER: &str = "compared with a baseline whose meter is not to be trusted";
/// How the note begins of a trial whose kernel never came to rest.
pub const UNSETTLED: &str = "the kernel did not settle before the trial";

/// Whether a note puts figures in doubt.
pub(crate) fn is_doubt(note: &str) -> bool {
    [METER, BASELINE_METER, UNSETTLED]
        .iter()
        .any(|begin| note.starts_with(begin))
}

/// One sentence without a full stop for each kind of doubt that there is.
pub(crate) fn warnings(results: &[TrialResult]) -> Vec<String> {
    [
        (
            METER,
            "costs in doubt: the meter is not to be trusted, since it and the clock do not agree on how long a storm was busy",
        ),
        (
            BASELINE_METER,
            "costs in doubt: compared with a baseline whose meter is not to be trusted",
        ),
        (
            UNSETTLED,
            "costs in doubt: the kernel did not settle before the trial",
        ),
    ]
    .into_iter()
    .filter_map(|(note, what)| {
        let told = |t: &&TrialResult| t.notes.iter().any(|n| n.starts_with(note));
        let trials = || results.iter().filter(told).map(|t| t.trial.as_str());
        // The first by name: lines stand in the order in which their trials ended.
        let first = clean(trials().min()?);
        let all = plural(trials().count(), "trial");
        Some(format!("{what} ({all}, the first is {first})"))
    })
    .collect()
}

/// Trials that were tried twice, since the host's side broke the first time, with the first reason.
pub(crate) fn second_tries(results: &[TrialResult]) -> Option<String> {
    let tried_twice = |t: &&TrialResult| t.host.contains_key("tries");
    let first = results
        .iter()
        .filter(tried_twice)
        .min_by_key(|t| &t.trial)?;
    let all = plural(results.iter().filter(tried_twice).count(), "trial");
    let reason = first.host.get("first_try").and_then(|r| r.as_str());
    let (trial, reason) = (clean(&first.trial), clean(reason.unwrap_or_default()));
    Some(format!(
        "second try: the host's side broke the first one of {all}; {trial}: {reason}"
    ))
}
