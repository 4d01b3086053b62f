//! The programs of a distribution that some scenarios and some backends need in their guests. They travel with the plan, as the
//! monitor does: what no trial needs is in no guest's memory, and in no digest.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use execlab_model::{
    Bytes,
    plan::{Contents, PlanFile},
};
use execlab_vm::kernels::{self, FetchEvent, Store, UserFile};

use super::lacks;
use crate::{lab::LabError, plan::TrialSpec};

/// The sets that were read, by name.
#[derive(Debug, Default)]
pub(super) struct Userlands(Mutex<BTreeMap<&'static str, Vec<PlanFile>>>);

impl Userlands {
    /// Reads what the scenario of a trial needs, and fetches it if it has to.
    pub(super) fn stock(
        &self,
        trial: &TrialSpec,
        store: &Store,
        progress: &dyn Fn(&FetchEvent),
    ) -> Result<(), LabError> {
        let mut there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (set, whose) in needed(trial) {
            if there.contains_key(set) {
                continue;
            }
            let files = store
                .userland(set, &mut |event| progress(&event))
                .map_err(|error| {
                    let what = format!("{whose} needs the programs of `{set}`");
                    lacks(what, "leave it out, or see what is wrong", error)
                })?;
            there.insert(set, files.into_iter().map(plan_file).collect());
        }
        Ok(())
    }

    /// The files of a trial that was stocked for, each once: sets share libraries.
    pub(super) fn files(&self, trial: &TrialSpec) -> Vec<PlanFile> {
        let there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = needed(trial).into_iter().flat_map(|(set, _)| &there[set]);
        let by_path: BTreeMap<_, _> = files.map(|file| (&file.path, file)).collect();
        by_path.into_values().cloned().collect()
    }
}

/// The sets of a trial, each with whose they are.
fn needed(trial: &TrialSpec) -> Vec<(&'static str, String)> {
    let scenario = execlab_workloads::scenario::find(&trial.workload.scenario);
    let scenario = scenario.map(|s| (s.userland(), format!("scenario {}", s.name())));
    let backend = execlab_backends::find(&trial.backend.name);
    let backend = backend.map(|b| (b.userland(), format!("backend {}", b.name())));
    let both = [scenario, backend].into_iter().flatten();
    both.flat_map(|(sets, whose)| sets.iter().map(move |&set| (set, whose.clone())))
        .collect()
}

fn plan_file(file: UserFile) -> PlanFile {
    PlanFile {
        path: file.path.as_str().into(),
        contents: match file.contents {
            kernels::Contents::File(mode, bytes) => Contents::File(mode, Bytes(bytes)),
            kernels::Contents::Link(to) => Contents::Link(to.as_str().into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_that_is_named_is_there() {
        let sets = kernels::userland_sets();
        for scenario in execlab_workloads::SCENARIOS {
            for set in scenario.userland() {
                assert!(sets.iter().any(|s| s == set), "{scenario:?}: {set}");
            }
        }
        for backend in execlab_backends::BACKENDS {
            for set in backend.userland() {
                assert!(sets.iter().any(|s| s == set), "{backend:?}: {set}");
            }
        }
    }
}
