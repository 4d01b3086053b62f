//! How large a guest is, and when it is given up.

use std::time::Duration;

use execlab_model::workload::{Load, Workload};
use execlab_trial::storm::patience_ns;
use execlab_vm::{
    guest::Clocks,
    qemu::{Engine, Machine},
};

use crate::plan::TrialSpec;

/// What nearly every trial fits into. Each size has warm images of its own, so there are few.
const USUAL_MIB: u64 = 320;
/// For each CPU after the first.
const CPU_MIB: u64 = 32;

/// A machine with room for what the workload keeps alive at once and for what it leaves behind.
pub(in crate::lab) fn machine(trial: &TrialSpec, engine: Engine) -> Machine {
    let workload = &trial.workload;
    let at_once = match workload.load {
        Load::Closed => 1,
        Load::Burst(at_once) => at_once.into(),
        Load::Rate(per_second) => {
            (u64::from(per_second).saturating_mul(workload.lifetime_ns)) / 1_000_000_000 + 1
        }
    };
    // A process that sleeps holds some 100 KiB: stack, page tables, a few copied pages. An exec
    // leaves about 0.5 KiB in the seam, and that again a few times while the record is made.
    let alive = u64::from(workload.population) + at_once.min(workload.execs.into());
    // Each further CPU has its own caches, and a monitor its own buffers for it.
    let cpus = match engine {
        Engine::Counting => 1,
        Engine::Real { cpus, .. } => cpus,
    };
    let needed = 256 + u64::from(cpus - 1) * CPU_MIB + alive / 8 + u64::from(workload.execs) / 256;
    let memory_mib = if needed <= USUAL_MIB {
        USUAL_MIB
    } else {
        needed.next_power_of_two()
    };
    let channel_mib = (8 + workload.execs / 1024).next_power_of_two();
    Machine {
        engine,
        memory_mib: u32::try_from(memory_mib)
            .expect("two numbers below 2^32, divided by 8 and more"),
        channel_mib: channel_mib.max(16),
        boot: trial.boot.clone(),
    }
}

/// Generous on purpose: they end guests that hang, and are no measure of speed. A slow or busy host
/// emulates 10 million instructions a second; an exec with a monitor takes under 2 million.
pub(in crate::lab) fn clocks(workload: &Workload) -> Clocks {
    // Where idle time is not skipped, a schedule and lifetimes take what they take.
    let storm = Duration::from_millis(200) * workload.execs;
    let storm = storm.max(Duration::from_nanos(patience_ns(workload)));
    let stage = Duration::from_mins(10) + storm;
    Clocks {
        boot: BOOT,
        stage,
        total: BOOT + 4 * stage,
        hurry: None,
    }
}

/// Until the first mark of a guest, or until it was restored.
const BOOT: Duration = Duration::from_mins(5);
/// Boot and settling: some two thousand million instructions.
pub(in crate::lab) const WARM: Duration = Duration::from_mins(20);

#[cfg(test)]
mod tests {
    use execlab_model::{plan::BackendSpec, result::Lab, workload::Spawn};

    use super::*;

    fn memory_mib(load: Load, execs: u32, population: u32) -> u32 {
        let trial = TrialSpec {
            program: None,
            id: String::new(),
            kernel: "6.1".into(),
            backend: BackendSpec {
                name: "none".into(),
                variant: "default".into(),
                settings: std::collections::BTreeMap::new(),
            },
            boot: Vec::new(),
            workload: Workload {
                scenario: "absolute".into(),
                load,
                execs,
                lifetime_ns: 1_000_000,
                spawn: Spawn::Vfork,
                population,
            },
            lab: Lab::Exact,
            cpus: 1,
            seed: 0,
        };
        machine(&trial, Engine::Counting).memory_mib
    }

    #[test]
    fn usual_trials_share_a_size_and_large_ones_have_room() {
        assert_eq!(memory_mib(Load::Closed, 1, 0), 320);
        assert_eq!(memory_mib(Load::Burst(150), 5_000, 200), 320);
        assert_eq!(memory_mib(Load::Closed, 20_000, 0), 512);
        assert_eq!(memory_mib(Load::Closed, 1000, 5000), 1024);
        assert!(memory_mib(Load::Rate(u32::MAX), u32::MAX, u32::MAX) > 1 << 29);
    }
}
