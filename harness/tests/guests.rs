//! What only real guests can show, on the kernels in `EXECLAB_TEST_KERNELS` (the oldest and the newest
//! that can be had). Run by `cargo xtask test`, which fetches them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, OnceLock, PoisonError},
};

use execlab_model::{
    exit::ExitCode,
    result::{Honesty, Status, TrialResult},
    workload::Load,
};

#[path = "guests/conformance.rs"]
mod conformance;
#[path = "guests/programs.rs"]
mod programs;
#[path = "guests/real_time.rs"]
mod real_time;
#[path = "guests/replay.rs"]
mod replay;
#[path = "guests/witness.rs"]
mod witness;

const EXECS: u64 = 120;

fn kernels() -> String {
    env::var("EXECLAB_TEST_KERNELS").expect("`cargo xtask test` names the kernels")
}

fn one_kernel() -> String {
    kernels()
        .split(',')
        .next_back()
        .expect("at least one")
        .to_owned()
}

fn execlab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_execlab"))
        .args(arguments)
        // What guests do is to be seen, and not what they did once.
        .env("EXECLAB_NO_CACHE", "1")
        .output()
        .expect("execlab starts")
}

/// Guests of one run already use every core: runs wait for each other.
static RUNNING: Mutex<()> = Mutex::new(());

/// Runs a matrix into a folder of its own and reads its lines.
fn run(name: &str, arguments: &[&str]) -> Vec<TrialResult> {
    run_to(ExitCode::Ok, name, arguments)
}

/// The same, where it ends otherwise.
fn run_to(code: ExitCode, name: &str, arguments: &[&str]) -> Vec<TrialResult> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("an earlier run's folder can be removed");
    }
    let out = dir.to_str().expect("a target folder is text");
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = execlab(&[&["run", "--out", out], arguments].concat());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code.code().into()), "{said}");
    assert!(!said.contains("what makes idle time exact"), "{said}");
    read(&dir)
}

fn read(dir: &Path) -> Vec<TrialResult> {
    let text = std::fs::read_to_string(dir.join("results.jsonl")).expect("a run leaves results");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is a result"))
        .collect()
}

/// Every backend × three scenarios on both kernels: run once, looked at by several tests.
fn matrix() -> &'static [TrialResult] {
    static MATRIX: OnceLock<Vec<TrialResult>> = OnceLock::new();
    MATRIX.get_or_init(|| {
        let kernels = kernels();
        let execs = EXECS.to_string();
        run(
            "matrix",
            &[
                "--kernels",
                &kernels,
                "--backends",
                "proc-poll,netlink,audit,ebpf,ptrace,none+witness",
                "--workloads",
                "absolute,relative,container",
                "--execs",
                &execs,
            ],
        )
    })
}

fn of(backend: &str) -> impl Iterator<Item = &TrialResult> {
    matrix()
        .iter()
        .filter(move |line| line.backend.name == backend)
}

#[test]
fn every_trial_of_the_matrix_completes_with_whole_truth() {
    let cells = kernels().split(',').count() * 3 * (5 + 3);
    assert_eq!(matrix().len(), cells);
    for line in matrix() {
        assert_eq!(
            line.status,
            Status::Completed,
            "{}: {:?}",
            line.trial,
            line.reason
        );
        let truth = line.truth.expect("a completed trial has truth");
        assert_eq!(
            (truth.execs, truth.attempts, truth.forks),
            (EXECS, 0, EXECS),
            "{}",
            line.trial
        );
    }
}

#[test]
fn ebpf_ptrace_and_audit_see_every_exec_of_a_closed_load() {
    for backend in ["ebpf", "ptrace", "audit"] {
        for line in of(backend) {
            let seen = line.completeness.as_ref().expect("scored");
            assert_eq!((seen.seen, seen.missed), (EXECS, 0), "{}", line.trial);
            assert_eq!(
                (seen.duplicates, seen.phantoms, line.late),
                (0, 0, 0),
                "{}",
                line.trial
            );
            let loss = line.loss.as_ref().expect("scored");
            assert_eq!(
                (loss.actual, loss.honesty),
                (0, Honesty::Knew),
                "{}",
                line.trial
            );
            assert_eq!(
                line.pid.as_ref().expect("scored").host,
                EXECS,
                "{}",
                line.trial
            );
            assert_eq!(
                line.argv.as_ref().expect("scored").exact,
                EXECS,
                "{}",
                line.trial
            );
        }
    }
}

#[test]
fn relative_paths_are_exact_with_ebpf_and_ptrace() {
    for backend in ["ebpf", "ptrace"] {
        for line in of(backend).filter(|line| line.workload.scenario == "relative") {
            assert_eq!(
                line.path.as_ref().expect("scored").exact,
                EXECS,
                "{}",
                line.trial
            );
        }
    }
}

#[test]
fn ebpf_knows_the_container_of_every_exec() {
    for line in of("ebpf") {
        assert_eq!(
            line.container.as_ref().expect("scored").right,
            EXECS,
            "{}",
            line.trial
        );
    }
}

#[test]
fn watching_costs_something_and_its_parts_add_up() {
    for line in matrix().iter().filter(|line| line.is_watched()) {
        let cost = line.cost.as_ref().expect("a baseline was run");
        let parts =
            cost.inline_per_exec.unwrap() + cost.monitor_per_exec + cost.rest_per_exec.unwrap();
        let added = cost.added_per_exec.expect("a baseline was run");
        assert!(
            (parts - added).abs() < 0.01,
            "{}: {parts} is not {added}",
            line.trial
        );
        // A poller works by the clock and not by the exec: what it costs shows while nothing happens.
        let works = if line.backend.name == "proc-poll" {
            cost.idle_added_per_second.expect("a baseline was run")
        } else {
            cost.monitor_per_exec
        };
        assert!(works > 0.0, "{}", line.trial);
        assert_eq!(
            cost.boot_option_per_exec.is_some(),
            line.backend.name == "audit",
            "{}",
            line.trial
        );
    }
}

#[test]
fn truth_costs_at_most_a_twentieth() {
    let kernels = kernels();
    // As many execs as the claim is made for. The ratio is that of warm execs, and holds the storm's
    // checkpoints, whose share of an exec depends on how many there are.
    let arguments = [
        "--kernels",
        &kernels,
        "--backends",
        "none",
        "--workloads",
        "absolute,relative,container",
        "--execs",
        "1000",
    ];
    for line in run("truth", &arguments) {
        let ratio = line.cost.as_ref().and_then(|cost| cost.truth_ratio);
        let ratio = ratio.expect("a closed storm without a monitor");
        assert!(ratio > 1.0 && ratio <= 1.05, "{}: {ratio}", line.trial);
    }
}

/// Lines without the facts of the host, in the order of their names.
fn figures(mut lines: Vec<TrialResult>) -> Vec<String> {
    lines.sort_by(|a, b| a.trial.cmp(&b.trial));
    let text = lines.into_iter().map(|mut line| {
        line.host.clear();
        serde_json::to_string(&line).expect("a result is JSON")
    });
    text.collect()
}

#[test]
fn a_trial_is_the_same_warm_and_cold_alone_and_beside_others() {
    let kernels = kernels();
    let arguments = [
        &["--kernels", &kernels, "--backends", "netlink,audit"][..],
        &["--workloads", "container", "--execs", "50"],
    ]
    .concat();
    let with = |name, more: &[&str]| figures(run(name, &[&arguments[..], more].concat()));
    let warm = with("warm", &["--jobs", "1"]);
    let cold = with("cold", &["--cold", "--jobs", "2"]);
    assert_eq!(warm, cold);
}

#[test]
fn an_image_made_anew_gives_the_same_lines() {
    let kernel = one_kernel();
    let arguments = [
        &["--kernels", &kernel, "--backends", "ebpf,ptrace"][..],
        &["--workloads", "relative", "--execs", "50"],
    ]
    .concat();
    let first = run("image-1", &arguments);
    // A cache with the same kernels and nothing else.
    let found = execlab(&["kernels", "fetch", &kernel, "--format", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("it prints JSON");
    let vmlinux = Path::new(found[0]["vmlinux"].as_str().expect("a path"));
    let cache = tempfile::tempdir().expect("a temporary folder");
    let kernels = vmlinux.ancestors().nth(2).expect("kernels/NAME/vmlinux");
    std::os::unix::fs::symlink(kernels, cache.path().join("kernels")).expect("a link");
    let other = cache.path().to_str().expect("a temporary folder is text");
    let second = run("image-2", &[&arguments[..], &["--cache", other]].concat());
    assert_eq!(figures(first), figures(second));
}

#[test]
fn seeds_change_what_real_life_changes_and_nothing_that_truth_counts() {
    let kernel = one_kernel();
    let arguments = [
        &["--kernels", &kernel, "--backends", "ebpf"][..],
        &[
            "--workloads",
            "absolute",
            "--execs",
            "50",
            "--seeds",
            "0..4",
        ],
    ];
    let lines = run("seeds", &arguments.concat());
    let watched: Vec<_> = lines.iter().filter(|line| !line.is_baseline()).collect();
    assert_eq!(watched.len(), 4);
    let mut costs = Vec::new();
    for line in watched {
        let truth = line.truth.expect("a completed trial has truth");
        assert_eq!((truth.execs, truth.attempts, truth.forks), (50, 0, 50));
        assert_eq!(line.completeness.as_ref().expect("scored").seen, 50);
        costs.push(
            line.cost
                .as_ref()
                .expect("a baseline")
                .windows
                .storm
                .busy_ns,
        );
    }
    costs.sort_unstable();
    costs.dedup();
    assert_eq!(costs.len(), 4, "each seed is another trial: {costs:?}");
}

#[test]
fn what_a_burst_makes_small_buffers_lose_is_known_to_the_exec() {
    let matrix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("small.toml");
    let text = r#"
backends = ["netlink+small", "ebpf+small", "audit+tuned", "ptrace+tuned", "proc-poll+tuned"]
workloads = ["absolute"]
loads = ["burst:150"]
execs = 300

[variants.netlink.small]
rcvbuf = 4608

[variants.ebpf.small]
buffer-pages = 1
linger-ms = 1000
"#;
    std::fs::write(&matrix, text).expect("the target folder can be written");
    let matrix = matrix.to_str().expect("a target folder is text");
    let lines = run("small", &["--kernels", &one_kernel(), matrix]);
    for line in lines.iter().filter(|line| !line.is_baseline()) {
        let loss = line.loss.as_ref().expect("scored");
        let name = line.backend_label();
        match name.as_str() {
            "netlink+small" => {
                assert!(loss.actual > 0, "{name} was to be too small");
                assert_eq!(loss.self_reported, Some(loss.actual), "{name} counts execs");
            }
            // Its reader is woken before the ring is full; whether it still loses is the kernel's
            // scheduling, but what it loses it counts.
            "ebpf+small" => assert_eq!(loss.self_reported, Some(loss.actual), "{name}"),
            "audit+tuned" | "ptrace+tuned" => assert_eq!(loss.actual, 0, "{name}: {loss:?}"),
            "proc-poll+tuned" => {
                let honesty = if loss.actual == 0 {
                    Honesty::Knew
                } else {
                    Honesty::DidNotKnow
                };
                assert_eq!(loss.honesty, honesty, "{name} has no way to know");
            }
            other => panic!("{other} was not asked for"),
        }
    }
}

#[test]
fn loads_lifetimes_spawns_and_populations_are_carried_out() {
    let kernel = one_kernel();
    let lines = run(
        "loads",
        &[
            "--kernels",
            &kernel,
            "--backends",
            "netlink",
            "--workloads",
            "relative",
            "--execs",
            "60",
            "--load",
            "closed,rate:200,burst:20",
            "--lifetime",
            "2ms",
            "--spawn",
            "fork",
            "--population",
            "30",
        ],
    );
    assert_eq!(lines.len(), 6);
    for line in &lines {
        let truth = line.truth.expect("a completed trial has truth");
        assert_eq!((truth.execs, truth.attempts), (60, 0), "{}", line.trial);
        let rate = line.achieved_rate.expect("execs happened");
        match line.workload.load {
            // Each exec lives for 2 ms give or take a tenth, and the next one waits for it.
            Load::Closed => assert!(rate < 556.0, "{}: {rate}", line.trial),
            Load::Rate(asked) => {
                assert!(
                    (rate / f64::from(asked) - 1.0).abs() < 0.05,
                    "{}: {rate}",
                    line.trial
                );
            }
            Load::Burst(_) => assert!(rate > 0.0),
        }
    }
}
