//! What is fit to be compared with.

use execlab_model::{
    exit::ExitCode,
    result::{Status, TrialResult},
};
use execlab_reports::Repeatability;

use super::{BaselineError, Source};

/// Refuses a run with gaps.
pub(super) fn whole(source: &Source<'_>) -> Result<(), BaselineError> {
    if source.results.is_empty() {
        return refuse("it has no results".to_owned(), ExitCode::NothingSelected);
    }
    let bad = |t: &&TrialResult| !matches!(t.status, Status::Completed | Status::Unsupported);
    let failed: Vec<&TrialResult> = source.results.iter().filter(bad).collect();
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let lost = failed.iter().any(|t| t.status == Status::Lost);
    let code = if lost {
        ExitCode::GuestLost
    } else {
        ExitCode::Incomplete
    };
    let why = format!(
        "{} of {} trials failed or have no result, the first is {} ({})",
        failed.len(),
        source.results.len(),
        first.trial,
        first.status
    );
    refuse(why, code)
}

/// Refuses a run that did not repeat: gaps are seen by who compares with it, and this is not.
pub(super) fn repeated(source: &Source<'_>) -> Result<(), BaselineError> {
    let repeats = Repeatability::new(source.results, source.repeats);
    match repeats.differing.first() {
        Some(first) => refuse(
            format!("{first}; `--incomplete` does not change that"),
            ExitCode::Nondeterministic,
        ),
        None => Ok(()),
    }
}

fn refuse(why: String, code: ExitCode) -> Result<(), BaselineError> {
    Err(BaselineError::NotWhole { why, code })
}
