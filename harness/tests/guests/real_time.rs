//! The very machine of the lab `kvm`, executed by QEMU itself where there may be no KVM: time is real,
//! CPUs run side by side. What comes out says nothing of KVM; that it comes out says that everything
//! else of that lab works.

use std::{
    io,
    sync::{PoisonError, atomic::AtomicBool},
};

use execlab_harness::{
    lab::{
        Laboratory, Start,
        kvm::{KvmLab, Tries},
    },
    matrix::{self, Given, Selection},
    plan::Plan,
    progress::Lines,
    registry::Registry,
    run::{Done, Run},
    store::{self, RunDir},
    verify::Verify,
};
use execlab_model::result::{Lab, Status, TrialResult};
use execlab_vm::kernels::Store;

const EXECS: u64 = 40;

fn given(texts: &[&str]) -> Vec<Given> {
    texts
        .iter()
        .map(|&text| Given::flag("test", text))
        .collect()
}

/// Runs a matrix of the lab `kvm` with emulated CPUs and reads its lines.
fn run(kernel: &str, cpus: u32, backends: &[&str]) -> Vec<TrialResult> {
    let one = |text: &str| Some(Given::flag("test", text));
    let registry = Registry::of_this_build();
    let selection = Selection {
        kernels: Some(given(&[kernel])),
        backends: Some(given(backends)),
        workloads: Some(given(&["relative"])),
        execs: one(&EXECS.to_string()),
        seeds: one("1"),
        lab: one("kvm"),
        cpus: one(&cpus.to_string()),
        ..Selection::default()
    };
    let plan = Plan::of(&matrix::resolve(selection, &registry).expect("a matrix"));
    let store = Store::open(None, None).expect("the user's cache");
    let lab = KvmLab::new(store, Tries::emulated(), |_| {});
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let mut run_dir = RunDir::create(&out, &plan).expect("a run directory");
    let _alone = super::RUNNING
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    lab.check(&plan.trials).expect("the canary comes through");
    let run = Run {
        cache: None,
        plan: &plan,
        lab: &lab,
        registry: &registry,
        jobs: 1,
        start: Start::Cold,
        verify: Verify::None,
        expected: &[],
        interrupted: &AtomicBool::new(false),
    };
    run.go(&mut run_dir, Done::default(), &mut Lines::new(io::stderr()))
        .expect("a run");
    store::read_lines(&out).expect("results").items
}

/// Nothing here is a matter of speed: not what is counted, and not that time passes.
fn every_line_is_whole(lines: &[TrialResult], cpus: u32) {
    let cpus_argument = cpus.to_string();
    for line in lines {
        let TrialResult { trial, reason, .. } = line;
        assert_eq!(line.status, Status::Completed, "{trial}: {reason:?}");
        assert_eq!((line.lab, line.cpus), (Lab::Kvm, cpus), "{trial}");
        let truth = line.truth.expect("a completed trial has truth");
        let counted = (truth.execs, truth.attempts, truth.forks);
        assert_eq!(counted, (EXECS, 0, EXECS), "{trial}");
        let cost = line.cost.as_ref().expect("scored");
        assert_eq!(cost.unit, Lab::Kvm.cost_unit(), "{trial}");
        let windows = &cost.windows;
        assert!(windows.idle.wall_ns >= 500_000_000, "{trial}");
        assert!(
            windows.storm.busy_ns > 0 && windows.storm.storm_ns > 0,
            "{trial}"
        );
        for fact in ["steal_ns", "host_steal_ns", "load_average"] {
            assert!(line.host.contains_key(fact), "{trial}: no {fact}");
        }
        let words = &line.provenance.command_line;
        assert!(words.windows(2).any(|w| w == ["-smp", &cpus_argument]));
        assert!(
            words.contains(&"tcg,thread=single".to_owned())
                && !words.contains(&"-icount".to_owned()),
            "{words:?}"
        );
    }
}

#[test]
fn guests_with_two_cpus_bring_records_home_in_real_time() {
    // Each guest takes its time here, so there are few: the newest kernel has two CPUs, the oldest has one,
    // and of the backends those that lose nothing on several CPUs either.
    let backends = ["ebpf", "ptrace"];
    let lines = run(&super::one_kernel(), 2, &backends);
    every_line_is_whole(&lines, 2);
    // A baseline, and a control that is compared with it.
    assert_eq!(lines.len(), backends.len() + 2);
    for line in lines.iter().filter(|line| line.backend.watches()) {
        let seen = line.completeness.as_ref().expect("scored");
        assert_eq!((seen.seen, seen.missed), (EXECS, 0), "{}", line.trial);
    }
}

#[test]
fn guests_with_one_cpu_bring_records_home_in_real_time() {
    let kernels = super::kernels();
    let oldest = kernels.split(',').next().expect("at least one");
    let lines = run(oldest, 1, &["ebpf"]);
    every_line_is_whole(&lines, 1);
    assert_eq!(lines.len(), 3);
}
