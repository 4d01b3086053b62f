//! The programs of a distribution that some scenarios need in their guests. They travel with the plan, as the
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
        for &set in needed(trial) {
            if there.contains_key(set) {
                continue;
            }
            let files = store
                .userland(set, &mut |event| progress(&event))
                .map_err(|error| {
                    let scenario = &trial.workload.scenario;
                    let what = format!("scenario {scenario} needs the programs of `{set}`");
                    lacks(what, "leave the scenario out, or see what is wrong", error)
                })?;
            there.insert(set, files.into_iter().map(plan_file).collect());
        }
        Ok(())
    }

    /// The files of a trial that was stocked for, each once: sets share libraries.
    pub(super) fn files(&self, trial: &TrialSpec) -> Vec<PlanFile> {
        let there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = needed(trial).iter().flat_map(|set| &there[set]);
        let by_path: BTreeMap<_, _> = files.map(|file| (&file.path, file)).collect();
        by_path.into_values().cloned().collect()
    }
}

fn needed(trial: &TrialSpec) -> &'static [&'static str] {
    execlab_workloads::scenario::find(&trial.workload.scenario)
        .map_or(&[], |scenario| scenario.userland())
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
    fn every_set_that_a_scenario_names_is_there() {
        let sets = kernels::userland_sets();
        for scenario in execlab_workloads::SCENARIOS {
            for set in scenario.userland() {
                assert!(sets.iter().any(|s| s == set), "{scenario:?}: {set}");
            }
        }
    }
}
