//! The summary of a step in CI, added to a file that others write to as well.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use execlab_harness::store::StoreError;
use execlab_model::{repeat::Repeat, result::TrialResult};
use execlab_reports::{STEP_LIMIT, step_summary};

use super::super::errors::ExpectedError;

/// Adds the summary of a run to the end of a file, and never more than one step may have.
pub fn append(
    file: &Path,
    run: &Path,
    results: &[TrialResult],
    repeats: &[Repeat],
) -> Result<(), ExpectedError> {
    let write = || -> std::io::Result<()> {
        let mut open = OpenOptions::new().create(true).append(true).open(file)?;
        let there = usize::try_from(open.metadata()?.len()).unwrap_or(usize::MAX);
        let room = STEP_LIMIT.saturating_sub(there);
        let text = step_summary(results, repeats, &run.display().to_string(), room);
        open.write_all(text.as_bytes())
    };
    write().map_err(|source| {
        let path = file.to_owned();
        StoreError::Write { path, source }.into()
    })
}
