//! Programs through the seam `exec:`, and what limits do to a monitor.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use execlab_harness::lab::monitor_program;
use execlab_model::{
    exit::ExitCode,
    plan::{CPU_QUOTA, MEMORY_LIMIT},
    result::{Honesty, Status, TrialResult},
};

use super::{kernels, one_kernel, run, run_to};

const EXECS: u64 = 20;

fn scores(line: &TrialResult) -> String {
    assert_eq!(
        line.status,
        Status::Completed,
        "{}: {:?}",
        line.trial,
        line.reason
    );
    let all = (
        &line.completeness,
        &line.path,
        &line.argv,
        &line.pid,
        &line.parent,
        &line.credentials,
        &line.container,
        line.late,
    );
    let loss = line
        .loss
        .as_ref()
        .map(|loss| (loss.actual, loss.self_reported, loss.honesty));
    format!("{all:?} {loss:?}")
}

fn of<'l>(lines: &'l [TrialResult], kernel: &str, backend: &str) -> &'l TrialResult {
    let is_it = |line: &&TrialResult| line.kernel.name == kernel && line.backend.name == backend;
    lines
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {backend} on {kernel}"))
}

/// The seam is no advantage and no disadvantage: what `execlab watch` prints, read as lines of somebody else's program,
/// scores as the same backend does in the binary form.
#[test]
fn our_own_netlink_through_the_seam_scores_as_netlink() {
    let dir = tempfile::tempdir().unwrap();
    executable(
        dir.path(),
        monitor_program("netlink").expect("it is built in"),
    );
    let file = dir.path().join("matrix.toml");
    let matrix = "backends = ['netlink', 'exec:mine']\nworkloads = ['relative', 'container']\n\
                  [programs.mine]\nrun = ['./monitor', 'netlink']\n";
    fs::write(&file, matrix).unwrap();
    let lines = run(
        "seam",
        &[
            file.to_str().unwrap(),
            "--kernels",
            &kernels(),
            "--execs",
            &EXECS.to_string(),
            "--lifetime",
            // Long enough for every lookup to win its race, so that only the seam could make a difference.
            "20ms",
            "--baselines",
            "false",
            "--verify=none",
        ],
    );
    assert_eq!(lines.len(), kernels().split(',').count() * 2 * 2);
    for kernel in kernels().split(',') {
        for scenario in ["relative", "container"] {
            let of_scenario: Vec<_> = lines
                .iter()
                .filter(|line| line.workload.scenario == scenario)
                .cloned()
                .collect();
            let ours = of(&of_scenario, kernel, "netlink");
            let theirs = of(&of_scenario, kernel, "exec:mine");
            assert_eq!(ours.completeness.as_ref().expect("scored").seen, EXECS);
            assert_eq!(scores(ours), scores(theirs), "{scenario} on {kernel}");
        }
    }
}

/// The example of the documentation, with its interpreter, libraries and commands found and carried along.
#[test]
fn a_monitor_in_shell_is_judged_like_any_other() {
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/shell-monitor/matrix.toml"
    );
    let lines = run(
        "shell",
        &[
            example,
            "--kernels",
            &kernels(),
            "--execs",
            &EXECS.to_string(),
            "--baselines",
            "false",
            "--verify=none",
        ],
    );
    for kernel in kernels().split(',') {
        for (scenario, exact, given) in [("absolute", EXECS, 0), ("relative", 0, EXECS)] {
            let line = lines.iter().find(|line| {
                line.kernel.name == kernel
                    && line.backend.name == "exec:shell"
                    && line.workload.scenario == scenario
            });
            let line = line.expect("it ran");
            assert_eq!(line.status, Status::Completed, "{:?}", line.reason);
            assert_eq!(
                line.completeness.as_ref().expect("scored").seen,
                EXECS,
                "{}",
                line.trial
            );
            let path = line.path.as_ref().expect("scored");
            assert_eq!(
                (path.exact, path.as_given),
                (exact, given),
                "{}",
                line.trial
            );
        }
    }
}

/// What it knows it lost comes through as well.
#[test]
fn losses_that_are_told_through_the_seam_count_as_those_of_our_own() {
    let dir = tempfile::tempdir().unwrap();
    let program = executable(
        dir.path(),
        monitor_program("netlink").expect("it is built in"),
    );
    let file = dir.path().join("matrix.toml");
    let matrix = format!(
        "backends = ['netlink+small', 'exec:mine']\nworkloads = ['absolute']\n\
         [variants.netlink.small]\nrcvbuf = 4608\n\
         [programs.mine]\nrun = ['{}', 'netlink', 'rcvbuf=4608']\n",
        program.display()
    );
    fs::write(&file, matrix).unwrap();
    let kernel = one_kernel();
    let mut arguments = vec![file.to_str().unwrap(), "--kernels", &kernel];
    arguments.extend(["--execs", "400", "--load", "burst:400"]);
    arguments.extend(["--baselines", "false", "--verify=none"]);
    for line in run("seam-losses", &arguments) {
        let loss = line.loss.as_ref().expect("scored");
        assert!(loss.actual > 0, "{}: {loss:?}", line.trial);
        assert_eq!(loss.honesty, Honesty::Knew, "{}: {loss:?}", line.trial);
    }
}

fn executable(dir: &Path, bytes: &[u8]) -> PathBuf {
    let file = dir.join("monitor");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// The one trial of a script that says what it found and gives up.
fn word_of(status: Status, name: &str, script: &str, limits: &[&str]) -> TrialResult {
    let dir = tempfile::tempdir().unwrap();
    executable(dir.path(), script.as_bytes());
    fs::write(dir.path().join("beside"), "found").unwrap();
    let file = dir.path().join("matrix.toml");
    let matrix = "backends = ['exec:mine']\nworkloads = ['absolute']\n\
                  [programs.mine]\nrun = ['./monitor', 'a b']\nfiles = ['beside']\n";
    fs::write(&file, matrix).unwrap();
    let kernel = one_kernel();
    let mut arguments = vec![file.to_str().unwrap(), "--kernels", &kernel, "--execs", "1"];
    arguments.extend(["--baselines", "false", "--verify=none"]);
    arguments.extend(limits);
    let code = match status {
        Status::BackendFailed => ExitCode::Incomplete,
        _ => ExitCode::Ok,
    };
    let line = run_to(code, name, &arguments).remove(0);
    assert_eq!(line.status, status, "{:?}", line.reason);
    line
}

#[test]
fn a_program_runs_under_its_own_name_and_finds_what_lies_beside_it() {
    let script = "#!/bin/sh\nread -r word < \"${0%/*}/beside\"\n\
                  echo \"{\\\"type\\\":\\\"unsupported\\\",\\\"reason\\\":\\\"${0##*/} $1 $word\\\"}\"\n";
    let line = word_of(Status::Unsupported, "own-name", script, &[]);
    assert_eq!(line.reason.as_deref(), Some("monitor a b found"));
    let command = line.provenance.monitor_command.expect("it is told");
    assert!(command[0].ends_with("/monitor"), "{command:?}");
    assert_eq!(command[1..], ["a b"]);
}

/// Its interpreter is no program, which is no fault of the guest.
#[test]
fn what_the_kernel_does_not_execute_has_failed() {
    let line = word_of(Status::BackendFailed, "no-program", "#!/etc/passwd\n", &[]);
    let reason = line.reason.expect("it is told");
    assert!(
        reason.starts_with("the monitor could not be executed: Permission denied"),
        "{reason}"
    );
}

/// 32 MiB of its own are too much for a limit of 16, and 8 MiB that it says are not its own.
#[test]
fn a_limit_of_memory_is_of_what_a_monitor_keeps_and_not_of_what_it_says() {
    let text = "x=0123456789abcdef\nn=1\nwhile [ $n -lt SIZE ]; do x=$x$x; n=$((n * 2)); done\n";
    let end = "echo '{\"type\":\"unsupported\",\"reason\":\"done\"}'\n";
    let keep = format!("#!/bin/sh\n{}{end}", text.replace("SIZE", "2097152"));
    let say = format!(
        "#!/bin/sh\n{}while [ $n -lt 4352 ]; do echo '{{\"type\":\"loss\",\"unit\":\"exec\",\"window_ns\":[1,2],\"source\":\"'$x'\"}}'; n=$((n + 1)); done\n{end}",
        text.replace("SIZE", "4096")
    );
    let limits = ["--limits", "memory=16"];
    let free = word_of(Status::Unsupported, "keep-free", &keep, &[]);
    assert_eq!(free.reason.as_deref(), Some("done"));
    let held = word_of(Status::BackendFailed, "keep-held", &keep, &limits);
    let reason = held.reason.expect("it is told");
    assert!(reason.contains("because memory had run out"), "{reason}");
    let said = word_of(Status::Unsupported, "say-held", &say, &limits);
    assert_eq!(said.reason.as_deref(), Some("done"));
}

#[test]
fn limits_hold_a_monitor_back_and_its_row_says_so() {
    let burst = |name: &str, limits: &[&str]| {
        let kernel = one_kernel();
        let rest = [
            "--kernels",
            &kernel,
            "--backends",
            "netlink",
            "--workloads",
            "absolute",
            "--load",
            "burst:400",
            "--execs",
            "400",
            "--baselines",
            "false",
            "--verify=none",
        ];
        let mut lines = run(name, &[limits, &rest].concat());
        lines.remove(0)
    };
    let free = burst("free", &[]);
    let held = burst("held", &["--limits", "cpu=1,memory=64"]);
    assert_eq!(free.backend.variant, "default");
    assert_eq!(held.backend.variant, "default.cpu1.mem64");
    assert!(
        held.trial.contains("netlink+default.cpu1.mem64"),
        "{}",
        held.trial
    );
    for (setting, value) in [(CPU_QUOTA, "1"), (MEMORY_LIMIT, "64")] {
        assert_eq!(held.backend.settings[setting], value);
    }
    assert_eq!(held.status, Status::Completed, "{:?}", held.reason);
    // With a hundredth of the CPU it comes to few lookups in time, where it came to most.
    let late = |line: &TrialResult| line.latency.as_ref().expect("scored").max;
    assert!(
        late(&held) > late(&free),
        "{:?} {:?}",
        held.latency,
        free.latency
    );
}
