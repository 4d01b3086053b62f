//! A small part of the conformance table, measured for real and held against the one that is built in.

use execlab_model::exit::ExitCode;
use execlab_reports::conformance::{Held, conformance};

use super::{kernels, matrix, run};

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
        ],
    ));
    let table = conformance(&lines, Held::committed());
    assert_eq!(table.exit_code(), ExitCode::Ok, "{}", table.terminal(120));
    let each = kernels().split(',').count() * BACKENDS.split(',').count();
    assert_eq!(table.compared, each * (SCENARIOS + MORE.len()));
}
