//! All backends and scenarios of the first matrix on the running kernel.

use std::collections::BTreeSet;

use execlab_backends::Backend;
use execlab_harness::registry;
use execlab_model::{
    exit::ExitCode,
    plan::BackendSpec,
    result::{Lab, Status},
};

use super::{Out, alone, machine::Machine, said};

/// Without those of audit where its trace is not to be left, and without those that nobody takes back.
fn may_run(backend: &dyn Backend) -> bool {
    backend.name() != BackendSpec::NONE
        && backend.only_in_guests().is_none()
        && (cfg!(feature = "live") || backend.program() != "audit")
}

/// Those of a run without any other word.
fn first() -> Vec<&'static str> {
    let first = registry::backends().into_iter().filter(|b| b.is_first);
    let first = first.filter_map(|b| execlab_backends::find(&b.name));
    first.filter(|&b| may_run(b)).map(Backend::name).collect()
}

/// One of each other family, because each has its own way to change a machine; all of them where there is time.
fn others() -> Vec<&'static str> {
    let first: BTreeSet<_> = registry::backends()
        .into_iter()
        .filter(|b| b.is_first)
        .filter_map(|b| Some(execlab_backends::find(&b.name)?.program()))
        .collect();
    let mut families = BTreeSet::new();
    let all = execlab_backends::BACKENDS
        .iter()
        .copied()
        .filter(|&b| may_run(b));
    all.filter(|b| {
        cfg!(feature = "live") || (!first.contains(b.program()) && families.insert(b.program()))
    })
    .map(Backend::name)
    .collect()
}

#[test]
fn every_backend_and_scenario_runs_and_the_machine_is_as_it_was() {
    let _alone = alone();
    let before = Machine::look();
    let out = Out::new();
    let backends = first();
    let (ended, lines) = out.run(&[
        "--backends",
        &backends.join(","),
        "--workloads",
        "absolute,relative,container",
        "--execs",
        "100",
        "--seeds",
        "1",
    ]);
    assert_eq!(
        ended.status.code(),
        Some(ExitCode::Ok.code().into()),
        "{}",
        said(&ended)
    );
    assert_eq!(lines.len(), 3 * (backends.len() + 2));
    for line in &lines {
        // A backend that this kernel cannot run says why.
        let unsupported = line.status == Status::Unsupported && line.reason.is_some();
        assert!(
            line.status == Status::Completed || unsupported,
            "{}: {:?}",
            line.trial,
            line.reason
        );
        assert_eq!(line.lab, Lab::Host);
        if line.status == Status::Completed {
            let truth = line.truth.expect("a completed trial has truth");
            assert_eq!(
                (truth.execs, truth.attempts, truth.forks),
                (100, 0, 100),
                "{}",
                line.trial
            );
            assert!(line.host.contains_key("steal_ns"), "{}", line.trial);
        }
    }
    assert_eq!(lines.iter().filter(|line| line.is_control()).count(), 3);
    before.assert_unchanged("after a whole matrix");
}

#[test]
fn every_other_family_leaves_the_machine_as_it_was() {
    let _alone = alone();
    let before = Machine::look();
    let out = Out::new();
    let backends = others();
    let (ended, lines) = out.run(&[
        "--backends",
        &backends.join(","),
        "--workloads",
        "dynamic",
        "--execs",
        "50",
        "--seeds",
        "1",
    ]);
    let code = ended.status.code();
    assert_eq!(code, Some(ExitCode::Ok.code().into()), "{}", said(&ended));
    for line in lines.iter().filter(|line| line.is_watched()) {
        let unsupported = line.status == Status::Unsupported && line.reason.is_some();
        assert!(
            line.status == Status::Completed || unsupported,
            "{}: {:?}",
            line.trial,
            line.reason
        );
    }
    before.assert_unchanged("after the other families");
}

#[test]
fn what_stops_each_exec_misses_none_on_several_cpus_either() {
    let _alone = alone();
    let out = Out::new();
    let (ended, lines) = out.run(&[
        "--backends",
        "ptrace",
        "--workloads",
        "relative,container",
        "--execs",
        "100",
        "--seeds",
        "1",
        "--load",
        "burst:25",
    ]);
    assert_eq!(
        ended.status.code(),
        Some(ExitCode::Ok.code().into()),
        "{}",
        said(&ended)
    );
    for line in lines.iter().filter(|line| line.is_watched()) {
        let seen = line.completeness.as_ref().expect("scored");
        assert_eq!(
            (seen.seen, seen.missed, seen.phantoms),
            (100, 0, 0),
            "{}",
            line.trial
        );
        assert_eq!(
            line.path.as_ref().expect("scored").exact,
            100,
            "{}",
            line.trial
        );
    }
}
