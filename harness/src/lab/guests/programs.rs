//! Programs of somebody else, read once before the first trial: what a run measures is not to change under it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::lacks;
use crate::{
    lab::LabError,
    plan::TrialSpec,
    program::{Gathered, gather},
};

/// What was gathered, by the name of the backend.
#[derive(Debug, Default)]
pub(in crate::lab) struct Programs(Mutex<BTreeMap<String, Gathered>>);

impl Programs {
    /// Reads what the program of a trial needs, if it has one.
    pub(in crate::lab) fn stock(&self, trial: &TrialSpec) -> Result<(), LabError> {
        let Some(program) = &trial.program else {
            return Ok(());
        };
        let mut there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !there.contains_key(&trial.backend.name) {
            let gathered = gather(program).map_err(|error| {
                let what = format!("the program of `{}` cannot be had", trial.backend.name);
                lacks(
                    what,
                    "see what it needs (`ldd`), and name it in `files`",
                    error,
                )
            })?;
            if gathered.all != program.all_sha256 {
                return Err(LabError {
                    what: format!(
                        "the program of `{}`, or a file that it needs, is not what it was when the run was planned",
                        trial.backend.name
                    ),
                    remedy: "put it back, or begin a new run".into(),
                    source: None,
                });
            }
            there.insert(trial.backend.name.clone(), gathered);
        }
        Ok(())
    }

    /// What belongs to a trial that was stocked for.
    pub(in crate::lab) fn of(&self, trial: &TrialSpec) -> Option<Gathered> {
        trial.program.as_ref()?;
        let there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        there.get(&trial.backend.name).cloned()
    }
}
