//! `execlab replay` of trials that lost execs, on real kernels.

use std::{collections::BTreeSet, fs, path::PathBuf};

use execlab_model::{exit::ExitCode, result::TrialResult};
use execlab_reports::{
    replay::{Outcome, Replay},
    trace::{Event, Trace, check},
};

use super::{RUNNING, execlab, kernels, run};

const EXECS: u64 = 150;

/// A poller that is late for payloads that exit at once, and a netlink monitor whose buffer is too small for a burst.
fn lossy() -> &'static [TrialResult] {
    static LOSSY: std::sync::OnceLock<Vec<TrialResult>> = std::sync::OnceLock::new();
    LOSSY.get_or_init(|| {
        let matrix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replay.toml");
        fs::write(&matrix, "[variants.netlink.small]\nrcvbuf = 4608\n").unwrap();
        let (matrix, kernels) = (matrix.to_str().unwrap(), kernels());
        let backends = "proc-poll,netlink+small,tracefs-exec";
        let size = ["--execs=150", "--load=burst:150"];
        let which = ["--kernels", &kernels, "--backends", backends];
        run(
            "replay",
            &[
                &[matrix, "--workloads=absolute", "--verify=none"][..],
                &which,
                &size,
            ]
            .concat(),
        )
    })
}

/// Replays a trial of that run; what it said, and its timeline.
fn replay(line: &TrialResult, more: &[&str]) -> (Replay, Trace) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replay");
    let arguments = [
        "replay",
        dir.to_str().unwrap(),
        &line.trial,
        "--format=json",
    ];
    let _alone = RUNNING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let ended = execlab(&[&arguments, more].concat());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(
        ended.status.code(),
        Some(ExitCode::Ok.code().into()),
        "{said}"
    );
    let replay: Replay = serde_json::from_slice(&ended.stdout).unwrap();
    let text = fs::read_to_string(replay.trace.as_ref().expect("it has a storm")).unwrap();
    let trace: Trace = serde_json::from_str(&text).unwrap();
    assert_eq!(check(&trace), [], "{}", line.trial);
    (replay, trace)
}

fn watched() -> impl Iterator<Item = &'static TrialResult> {
    lossy().iter().filter(|line| line.is_watched())
}

fn of<'t>(trace: &'t Trace, category: &str) -> impl Iterator<Item = &'t Event> {
    let events = trace.trace_events.iter();
    events.filter(move |event| event.cat.as_deref() == Some(category))
}

#[test]
fn a_replayed_trial_has_the_record_of_its_run_and_one_missed_exec_has_a_story() {
    let mut replayed = BTreeSet::new();
    for line in watched() {
        let counted = line.completeness.as_ref().expect("it completed");
        let (whole, trace) = replay(line, &[]);
        assert_eq!(whole.outcome, Outcome::Same, "{}", line.trial);
        assert_eq!(whole.now.record_sha256, line.record_sha256);
        assert_eq!(whole.difference, None, "{}", line.trial);
        let counts = whole.counts.expect("somebody watched");
        assert_eq!(
            (counts.execs, counts.seen, counts.missed, counts.late),
            (EXECS, counted.seen, counted.missed, line.late),
            "{}",
            line.trial
        );
        assert_eq!(of(&trace, "exec").count() as u64, EXECS);
        assert_eq!(of(&trace, "missed").count() as u64, counted.missed);
        let missed: Vec<u32> = whole
            .gaps
            .iter()
            .flat_map(|gap| gap.execs.clone())
            .collect();
        assert_eq!(missed.len() as u64, counted.missed);
        if line.backend.name == "tracefs-exec" {
            assert!(missed.is_empty(), "{}", line.trial);
        }
        // Whether a monitor with a small buffer is woken in time is the scheduler's affair, and so the kernel's.
        if missed.is_empty() {
            continue;
        }
        let middle = missed[missed.len() / 2];
        let (one, part) = replay(line, &["--around", &middle.to_string(), "--margin=1"]);
        let story = one.around.expect("it was asked for");
        assert_eq!((story.exec, story.verdict.as_str()), (middle, "missed"));
        let own = story.moments.iter().filter(|moment| moment.own);
        assert_eq!(own.count(), 3, "{:?}", story.moments);
        assert!((2..=3).contains(&of(&part, "exec").count()));
        assert!(part.trace_events.len() < trace.trace_events.len());
        if line.backend.name == "netlink" {
            assert!(!whole.losses.is_empty(), "{}", line.trial);
            assert!(whole.gaps.iter().any(|gap| !gap.losses.is_empty()));
        }
        replayed.insert(line.backend.name.as_str());
    }
    assert!(
        replayed.is_superset(&BTreeSet::from(["proc-poll", "netlink"])),
        "{replayed:?}"
    );
}

#[test]
fn the_scheduler_shows_storm_and_monitor_and_disturbs_no_tracer() {
    for line in watched() {
        let (told, trace) = replay(line, &["--sched"]);
        let sched = told.sched.expect("it was asked for");
        assert_eq!(
            (sched.problem.as_deref(), sched.lost),
            (None, 0),
            "{}",
            line.trial
        );
        assert_eq!(sched.pages_left_out, 0);
        // Each exec's process is given the CPU at least once, and so is a monitor that tells of it.
        assert!(sched.storm_switches >= EXECS, "{sched:?}");
        assert!(sched.monitor_switches > 0, "{sched:?}");
        assert!(of(&trace, "storm").count() > 0 && of(&trace, "monitor").count() > 0);
        assert_eq!(told.outcome, Outcome::Same, "the first run is as ever");
        if line.backend.name == "tracefs-exec" {
            assert_eq!(sched.other_verdicts, Some(0), "{}: {sched:?}", line.trial);
        }
        // On one clock: the monitor's runs and the execs of that run lie in each other's time.
        let span = |category: &str| {
            let starts: Vec<u64> = of(&trace, category).map(|event| event.ts.ns()).collect();
            (*starts.iter().min().unwrap(), *starts.iter().max().unwrap())
        };
        let (execs, storm) = (span("exec-of-second-run"), span("storm"));
        assert!(
            execs.0 < storm.1 && storm.0 < execs.1,
            "{execs:?} {storm:?}"
        );
    }
}
