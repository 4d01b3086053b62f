//! Which trials a matrix means, and in which order they are run.

use std::slice;

use execlab_model::{plan::BackendSpec, result::Lab, workload::Workload};

use super::{TrialSpec, id};
use crate::{
    matrix::{Matrix, SelectedBackend},
    program::Program,
};

/// Where nothing drifts, the order says nothing; so each line can be scored as it ends.
pub(super) fn baselines_first(matrix: &Matrix) -> Vec<TrialSpec> {
    let points = || points(matrix);
    let baselines = points().flat_map(|point| point.baselines(matrix));
    baselines
        .chain(points().flat_map(|point| point.watched(matrix)))
        .collect()
}

/// Where a machine drifts, what is compared stands close together: each seed has its own baseline, the
/// control and all backends behind it, in turn, so that none is always the first or the last.
pub(super) fn interleaved(matrix: &Matrix) -> Vec<TrialSpec> {
    let mut trials = Vec::new();
    for point in points(matrix) {
        trials.extend(point.baselines(matrix));
        let control = point.trial(&BackendSpec::none(BackendSpec::AGAIN), &[], None);
        let mut compared: Vec<_> = [control].into_iter().chain(point.watched(matrix)).collect();
        let turns = point.seed % compared.len() as u64;
        compared.rotate_left(usize::try_from(turns).expect("less than a length"));
        trials.extend(compared);
    }
    trials
}

/// The options that a backend's kernel is booted with; the running one was booted long ago.
fn boot_of(backend: &SelectedBackend, lab: Lab) -> Vec<String> {
    match lab {
        Lab::Exact | Lab::Kvm => sorted(&backend.boot),
        Lab::Host => Vec::new(),
    }
}

fn sorted(boot: &[String]) -> Vec<String> {
    let mut boot = boot.to_vec();
    boot.sort();
    boot.dedup();
    boot
}

/// All that a baseline and the trials compared with it share.
struct Point<'a> {
    kernel: &'a str,
    workload: Workload,
    lab: Lab,
    cpus: u32,
    seed: u64,
}

impl Point<'_> {
    /// Without a monitor, once for each set of boot options.
    fn baselines(&self, matrix: &Matrix) -> Vec<TrialSpec> {
        if !matrix.baselines {
            return Vec::new();
        }
        let mut boots: Vec<Vec<String>> = vec![Vec::new()];
        for backend in &matrix.backends {
            let boot = boot_of(backend, self.lab);
            if !boots.contains(&boot) {
                boots.push(boot);
            }
        }
        let none = BackendSpec::none(BackendSpec::DEFAULT);
        boots
            .iter()
            .map(|boot| self.trial(&none, boot, None))
            .collect()
    }

    /// What is run beside the baselines: every backend, and the kernel's own counter if it was asked for.
    fn watched(&self, matrix: &Matrix) -> Vec<TrialSpec> {
        let beside = |b: &&SelectedBackend| b.spec.watches() || b.spec.is_witness();
        let beside = matrix.backends.iter().filter(beside);
        beside
            .map(|backend| {
                let program = backend.program.as_ref();
                self.trial(&backend.spec, &boot_of(backend, self.lab), program)
            })
            .collect()
    }

    fn trial(
        &self,
        backend: &BackendSpec,
        boot: &[String],
        program: Option<&Program>,
    ) -> TrialSpec {
        let mut trial = TrialSpec {
            id: String::new(),
            kernel: self.kernel.to_owned(),
            backend: backend.clone(),
            program: program.cloned(),
            boot: boot.to_vec(),
            workload: self.workload.clone(),
            lab: self.lab,
            cpus: self.cpus,
            seed: self.seed,
        };
        trial.id = id::of(&trial);
        trial
    }
}

fn points(matrix: &Matrix) -> impl Iterator<Item = Point<'_>> {
    let mut points = Vec::new();
    for kernel in &matrix.kernels {
        for workload in workloads(matrix) {
            for seed in matrix.seeds.0..matrix.seeds.1 {
                points.push(Point {
                    kernel,
                    workload: workload.clone(),
                    lab: matrix.lab,
                    cpus: matrix.cpus,
                    seed,
                });
            }
        }
    }
    points.into_iter()
}

fn workloads(matrix: &Matrix) -> Vec<Workload> {
    let mut workloads = Vec::new();
    for scenario in &matrix.workloads {
        let own = matrix.own.get(scenario);
        let own_load = own.and_then(|own| own.load);
        let loads = own_load.as_ref().map_or(&matrix.loads[..], slice::from_ref);
        let execs = own.map_or(matrix.execs, |own| {
            matrix.execs.clamp(own.least_execs, own.most_execs)
        });
        for &load in loads {
            for &lifetime_ns in &matrix.lifetimes_ns {
                for &spawn in &matrix.spawns {
                    for &population in &matrix.populations {
                        workloads.push(Workload {
                            scenario: scenario.clone(),
                            load,
                            execs,
                            lifetime_ns,
                            spawn,
                            population,
                        });
                    }
                }
            }
        }
    }
    workloads
}

#[cfg(test)]
mod tests {
    use execlab_model::workload::Spawn;

    use super::*;
    use crate::plan::{Plan, tests::small};

    #[test]
    fn ids_hold_what_is_not_usual_and_baselines_come_first() {
        let plan = Plan::of(&Matrix {
            populations: vec![200],
            ..small()
        });
        let ids: Vec<_> = plan.trials.iter().map(|t| t.id.as_str()).collect();
        insta::assert_snapshot!(ids.join("\n"), @r#"
        6.1/none/relative+pop=200/closed/exact/3
        6.1/none+audit=1/relative+pop=200/closed/exact/3
        6.1/none/relative+fork+pop=200/closed/exact/3
        6.1/none+audit=1/relative+fork+pop=200/closed/exact/3
        6.1/none/relative+life=1ms+pop=200/closed/exact/3
        6.1/none+audit=1/relative+life=1ms+pop=200/closed/exact/3
        6.1/none/relative+fork+life=1ms+pop=200/closed/exact/3
        6.1/none+audit=1/relative+fork+life=1ms+pop=200/closed/exact/3
        6.1/netlink+default/relative+pop=200/closed/exact/3
        6.1/audit+tuned/relative+pop=200/closed/exact/3
        6.1/netlink+default/relative+fork+pop=200/closed/exact/3
        6.1/audit+tuned/relative+fork+pop=200/closed/exact/3
        6.1/netlink+default/relative+life=1ms+pop=200/closed/exact/3
        6.1/audit+tuned/relative+life=1ms+pop=200/closed/exact/3
        6.1/netlink+default/relative+fork+life=1ms+pop=200/closed/exact/3
        6.1/audit+tuned/relative+fork+life=1ms+pop=200/closed/exact/3
        "#);
    }

    #[test]
    fn where_machines_drift_a_seed_stands_together_and_nobody_is_always_first() {
        let plan = Plan::of(&Matrix {
            lab: Lab::Host,
            lifetimes_ns: vec![0],
            spawns: vec![Spawn::Vfork],
            seeds: (3, 6),
            ..small()
        });
        let ids: Vec<_> = plan.trials.iter().map(|t| t.id.as_str()).collect();
        insta::assert_snapshot!(ids.join("\n"), @r"
        6.1/none/relative/closed/host/3
        6.1/none+again/relative/closed/host/3
        6.1/netlink+default/relative/closed/host/3
        6.1/audit+tuned/relative/closed/host/3
        6.1/none/relative/closed/host/4
        6.1/netlink+default/relative/closed/host/4
        6.1/audit+tuned/relative/closed/host/4
        6.1/none+again/relative/closed/host/4
        6.1/none/relative/closed/host/5
        6.1/audit+tuned/relative/closed/host/5
        6.1/none+again/relative/closed/host/5
        6.1/netlink+default/relative/closed/host/5
        ");
        let control = plan.trials.iter().position(|t| t.backend.is_control());
        let baselines = plan.baselines();
        assert_eq!(baselines[control.unwrap()].plain, Some(0));
    }
}
