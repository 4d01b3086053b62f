//! A small part of the conformance table, measured for real and held against the one that is built in.

use execlab_harness::registry;
use execlab_model::{exit::ExitCode, result::Status};
use execlab_reports::conformance::{Held, conformance};

use super::{kernels, matrix, one_kernel, run};

/// Beside the scenarios of the matrix, which is run anyway: a plain one, and those that only newer kernels can do,
/// which must be refused by the oldest and be done by the newest.
const MORE: [&str; 3] = ["symlink", "binfmt-misc-transparent", "execve-check"];
/// Of the matrix.
const SCENARIOS: usize = 3;
const BACKENDS: &str = "proc-poll,netlink,audit,ebpf,ptrace";

#[test]
fn guests_do_as_the_built_in_table_says() {
    let mut lines = matrix().to_vec();
    lines.extend(run(
        "conformance",
        &[
            "--kernels",
            &kernels(),
            "--backends",
            BACKENDS,
            "--workloads",
            &MORE.join(","),
            "--execs",
            "20",
            "--baselines",
            "false",
            "--verify=none",
        ],
    ));
    let table = conformance(&lines, Held::committed());
    assert_eq!(table.exit_code(), ExitCode::Ok, "{}", table.terminal(120));
    let each = kernels().split(',').count() * BACKENDS.split(',').count();
    assert_eq!(table.compared, each * (SCENARIOS + MORE.len()));
}

/// All scenarios, each watched once and once with the kernel counting the execs: a storm whose truth is not whole, or
/// is not what the kernel says, is lost.
#[test]
fn every_scenario_has_the_truth_that_the_kernel_counted() {
    let lines = run(
        "scenarios",
        &[
            "--kernels",
            &one_kernel(),
            "--backends",
            "ebpf,none+witness",
            "--workloads",
            "all",
            "--execs",
            "20",
            "--baselines",
            "false",
            "--verify=none",
        ],
    );
    let scenarios = registry::scenarios().len();
    assert_eq!(lines.len(), 2 * scenarios);
    for line in &lines {
        let (trial, reason) = (&line.trial, &line.reason);
        assert_eq!(line.status, Status::Completed, "{trial}: {reason:?}");
        let heard = line.witness.expect("the kernel counted");
        let truth = line.truth.expect("a completed trial has truth");
        let expected = line.is_witness().then_some(truth.execs);
        assert_eq!(heard.execs, expected, "{trial}");
    }
    let table = conformance(&lines, Held::committed());
    assert_eq!(table.exit_code(), ExitCode::Ok, "{}", table.terminal(120));
    assert_eq!(table.compared, scenarios);
}
