//! Each part of a trial is killed at each of its stages, and the machine is as it was.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use execlab_model::{
    exit::ExitCode,
    result::{Status, TrialResult},
};

use super::{
    Out, alone, backend, command,
    machine::Machine,
    read, said,
    stage::{Part, begun, reached, strike, strike_everything},
};

/// While the monitor attaches, while the machine is quiet and stormed, and while the monitor catches up
/// and drains. What comes behind that takes no time in which it could be broken.
const STAGES: [&str; 3] = ["prepared", "attached", "stormed"];
/// Without audit there is less to be put back, and two stages do.
const FIRST: usize = if cfg!(feature = "live") { 0 } else { 1 };
/// With this seed the backend comes right after the baseline.
const SEED: &str = "1..2";
const SESSION: u32 = 1;
/// A trial may have gone on before it was struck; then it is caught anew.
const TRIES: usize = 5;

/// Runs a small matrix, kills a part of the backend's trial at a stage, and says how the harness ended.
fn kill_at(part: Part, stage: &str, out: &Out) -> ExitStatus {
    for _ in 0..TRIES {
        let _ = std::fs::remove_dir_all(out.dir());
        let mut harness = command(&["--backends", backend(), "--workloads", "container"])
            .args(["--execs", "300", "--seeds", SEED, "--out", &out.text()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("execlab starts");
        let session = reached(harness.id(), SESSION, stage).expect("the trial gets there");
        let struck = strike(part, &session, harness.id());
        let ended = harness.wait().expect("it can be waited for");
        if struck {
            return ended;
        }
    }
    panic!("{part:?} was never caught at {stage}");
}

fn at_each_stage(part: Part, mut check: impl FnMut(&str, ExitStatus, &Out)) {
    let _alone = alone();
    for stage in &STAGES[FIRST..] {
        let before = Machine::look();
        let out = Out::new();
        let ended = kill_at(part, stage, &out);
        if part == Part::Harness {
            before.assert_unchanged(&format!("{stage}: the supervisor does it alone"));
        }
        check(stage, ended, &out);
        before.assert_unchanged(&format!("{part:?} killed at {stage}"));
    }
}

/// The line of the trial that was struck.
fn struck(out: &Out) -> TrialResult {
    let lines = read(&out.dir());
    let line = lines.into_iter().find(TrialResult::is_watched);
    line.expect("a trial that was struck has a line too")
}

#[test]
fn a_killed_monitor_has_failed_and_leaves_nothing() {
    at_each_stage(Part::Monitor, |stage, ended, out| {
        let line = struck(out);
        // Before it was ready, or after: in either case it ended without a word.
        assert_eq!(
            line.status,
            Status::BackendFailed,
            "{stage}: {:?}",
            line.reason
        );
        assert_eq!(code(ended), ExitCode::Incomplete.code(), "{stage}");
    });
}

#[test]
fn a_killed_storm_loses_the_trial_and_leaves_nothing() {
    at_each_stage(Part::Storm, |stage, ended, out| {
        let line = struck(out);
        assert_eq!(line.status, Status::Lost, "{stage}: {:?}", line.reason);
        assert_eq!(code(ended), ExitCode::GuestLost.code(), "{stage}");
    });
}

#[test]
fn a_killed_runner_loses_the_trial_and_leaves_nothing() {
    at_each_stage(Part::Runner, |stage, ended, out| {
        let line = struck(out);
        assert_eq!(line.status, Status::Lost, "{stage}: {:?}", line.reason);
        assert!(line.reason.expect("told").contains("signal: 9"), "{stage}");
        assert_eq!(code(ended), ExitCode::GuestLost.code(), "{stage}");
    });
}

#[test]
fn a_killed_supervisor_is_told_and_its_trial_is_tried_again() {
    at_each_stage(Part::Supervisor, |stage, ended, out| {
        let line = struck(out);
        assert_eq!(line.status, Status::Completed, "{stage}: {:?}", line.reason);
        assert_eq!(line.host["tries"], 2, "{stage}");
        let first = line.host["first_try"].as_str().expect("a reason is text");
        assert!(first.contains("signal: 9"), "{stage}: {first}");
        assert_eq!(code(ended), ExitCode::Ok.code(), "{stage}");
    });
}

#[test]
fn a_supervisor_that_is_told_to_end_puts_things_back_first() {
    at_each_stage(Part::SupervisorPolitely, |stage, ended, out| {
        let line = struck(out);
        assert_eq!(line.host["tries"], 2, "{stage}");
        assert_eq!(code(ended), ExitCode::Ok.code(), "{stage}");
    });
}

#[test]
fn a_killed_harness_leaves_nothing_but_a_run_that_can_be_resumed() {
    at_each_stage(Part::Harness, |stage, ended, out| {
        assert_eq!(ended.signal(), Some(9), "{stage}");
        assert_eq!(
            read(&out.dir()).len(),
            1,
            "{stage}: only the baseline had ended"
        );
        resume(out, stage);
    });
}

#[test]
fn where_all_are_killed_the_next_run_puts_things_back() {
    at_each_stage(Part::All, |stage, ended, out| {
        assert_eq!(ended.signal(), Some(9), "{stage}");
        assert!(
            !execlab_trial::host::session::Session::all(
                execlab_trial::host::session::ROOT.as_ref()
            )
            .expect("it can be read")
            .is_empty(),
            "{stage}: what was noted is still there"
        );
        // By the doctor, or by the next run: both have to.
        if stage == STAGES[1] {
            let said = clean(stage);
            assert!(said.contains("cleaned up: 1"), "{said}");
        } else {
            resume(out, stage);
        }
    });
}

/// Noting, setting the stage, cleaning up: no mark stands between them, so the moments are many.
#[test]
fn at_whatever_moment_all_are_killed_the_doctor_puts_things_back() {
    const MOMENTS: u32 = if cfg!(feature = "live") { 24 } else { 8 };
    let _alone = alone();
    let before = Machine::look();
    for moment in 0..MOMENTS {
        let out = Out::new();
        let mut harness = command(&["--backends", backend(), "--workloads", "container"])
            .args(["--execs", "50", "--seeds", SEED, "--out", &out.text()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("execlab starts");
        let session = begun(harness.id(), SESSION).expect("the trial begins");
        // Dense at the start, where most happens without a mark.
        std::thread::sleep(Duration::from_millis(u64::from(moment * moment * 4)));
        strike_everything(&session, harness.id());
        harness.wait().expect("it can be waited for");
        clean(&format!("moment {moment}"));
        before.assert_unchanged(&format!("all killed at moment {moment}"));
    }
}

/// What a user does who finds a killed run.
fn clean(when: &str) -> String {
    let cleaned = std::process::Command::new(env!("CARGO_BIN_EXE_execlab"))
        .args(["doctor", "--clean", "--lab", "host"])
        .output()
        .expect("execlab starts");
    assert_eq!(
        code(cleaned.status),
        ExitCode::Ok.code(),
        "{when}: {}",
        said(&cleaned)
    );
    said(&cleaned)
}

fn resume(out: &Out, stage: &str) {
    let resumed = std::process::Command::new(env!("CARGO_BIN_EXE_execlab"))
        .args(["run", "--change-host", "--resume", &out.text()])
        .output()
        .expect("execlab starts");
    assert_eq!(
        code(resumed.status),
        ExitCode::Ok.code(),
        "{stage}: {}",
        said(&resumed)
    );
    let lines = read(&out.dir());
    assert_eq!(lines.len(), 3, "{stage}");
    assert!(
        lines.iter().all(|line| line.status == Status::Completed),
        "{stage}"
    );
}

fn code(ended: ExitStatus) -> u8 {
    let code = ended.code().expect("it ended by itself");
    u8::try_from(code).expect("exit codes are small")
}
