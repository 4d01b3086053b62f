//! Trials that were not run again, because their results were kept by digest.

use execlab_model::result::TrialResult;

use crate::{number::thousands, text::clean};

/// When a trial was run that was taken from the cache; `None` where it was run in its own run.
pub fn cached_since(line: &TrialResult) -> Option<&str> {
    line.host.get("cached")?.get("since")?.as_str()
}

/// `12 of 63 were not run again: the same inputs were run between … and …`; `None` where all were run.
pub(crate) fn line(results: &[TrialResult]) -> Option<String> {
    let mut times: Vec<&str> = results.iter().filter_map(cached_since).collect();
    times.sort_unstable();
    let (first, last) = (times.first()?, times.last()?);
    let when = if first == last {
        format!("at {}", clean(first))
    } else {
        format!("between {} and {}", clean(first), clean(last))
    };
    Some(format!(
        "{} of {}, whose inputs have not changed since they were run {when}",
        thousands(times.len() as f64),
        thousands(results.len() as f64),
    ))
}
