//! The lab `host`, as far as nothing is changed.

use crate::support::{Bench, REAL};

#[test]
fn nothing_runs_before_its_owner_agreed_to_what_it_changes() {
    let bench = Bench::new();
    bench.with(REAL);
    let ran = bench
        .run(&["--lab=host", "--backends=ptrace,audit", "--seeds=1"])
        .code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: the lab host changes this machine while it runs, and was not told that it may
      processes are started by the thousand, as root, one trial at a time
      cgroups `execlab-*` are made at the root of the cgroup v2 hierarchy, and taken away after each trial
      files are kept in /run/execlab and taken away after each trial; mounts are made in namespaces of their own only
      audit: audit is switched on, its limits are set and exec rules added while it runs; all of that is put back
      audit: `audit_ever_enabled` stays set until the next boot: processes that start later pay a little for it
      audit: another owner of audit (auditd) is left alone: then the backend is unsupported
      ptrace: the storm's processes are traced, and no others
    help: agree with `--change-host`, or take the lab exact, which changes nothing here
    "#);
    assert!(!bench.path("o").exists());
}

#[test]
fn its_plan_has_the_running_kernel_and_a_control_for_each_seed() {
    let bench = Bench::new();
    let ran = bench
        .run(&[
            "--lab=host",
            "--backends=ebpf",
            "--workloads=absolute",
            "--seeds=2",
            "--dry-run",
        ])
        .code(0);
    insta::assert_snapshot!(ran.stdout, @r#"
    running/none/absolute/closed/host/0
    running/none+again/absolute/closed/host/0
    running/ebpf+default/absolute/closed/host/0
    running/none/absolute/closed/host/1
    running/ebpf+default/absolute/closed/host/1
    running/none+again/absolute/closed/host/1
    "#);
}

#[test]
fn trials_in_real_time_run_one_by_one_and_are_not_repeated() {
    let bench = Bench::new();
    let arguments = [
        "--lab=host",
        "--backends=ebpf",
        "--workloads=absolute",
        "--seeds=2",
        "-j4",
    ];
    let ran = bench.run(&arguments).code(0);
    assert!(
        ran.stderr.contains("6 trials, 1 at a time"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("repeat"), "{}", ran.stderr);
    let order: Vec<_> = bench
        .results("o")
        .iter()
        .map(|line| line.trial.clone())
        .collect();
    insta::assert_snapshot!(order.join("\n"), @r#"
    running/none/absolute/closed/host/0
    running/none+again/absolute/closed/host/0
    running/ebpf+default/absolute/closed/host/0
    running/none/absolute/closed/host/1
    running/ebpf+default/absolute/closed/host/1
    running/none+again/absolute/closed/host/1
    "#);
}

#[test]
fn a_repeat_is_refused_where_nothing_repeats() {
    let bench = Bench::new();
    let ran = bench.run(&["--lab=kvm", "--verify", "--seeds=1"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r"
    error: trials of the lab kvm do not repeat to the last bit, so there is nothing to verify
    help: leave `--verify` out; more seeds say how much they vary
    ");
}
