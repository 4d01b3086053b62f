//! All backends and scenarios of the first matrix on the running kernel.

use execlab_model::{
    exit::ExitCode,
    plan::BackendSpec,
    result::{Lab, Status},
};

use super::{Out, alone, machine::Machine, said};

/// Without audit where its trace is not to be left.
fn backends() -> Vec<&'static str> {
    let all = execlab_backends::BACKENDS.iter().map(|b| b.name());
    all.filter(|&name| name != BackendSpec::NONE && (cfg!(feature = "live") || name != "audit"))
        .collect()
}

#[test]
fn every_backend_and_scenario_runs_and_the_machine_is_as_it_was() {
    let _alone = alone();
    let before = Machine::look();
    let out = Out::new();
    let backends = backends();
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
