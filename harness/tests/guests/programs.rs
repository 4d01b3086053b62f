//! Programs through the seam `exec:`, and what limits do to a monitor.

use std::{fs, os::unix::fs::PermissionsExt};

use execlab_harness::lab::monitor_program;
use execlab_model::{
    plan::{CPU_QUOTA, MEMORY_LIMIT},
    result::{Status, TrialResult},
};

use super::{kernels, one_kernel, run};

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
    let program = dir.path().join("monitor");
    fs::write(
        &program,
        monitor_program("netlink").expect("it is built in"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
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
