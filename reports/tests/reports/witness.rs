//! What the kernel counted, and whether backends that should see everything agree.

use execlab_model::{
    exit::ExitCode,
    plan::BackendSpec,
    record::Witness,
    repeat::Repeat,
    result::{Completeness, Honesty, Loss, Status, TrialResult, TruthCounts},
    workload::Load,
};
use execlab_reports::{
    Summary, TerminalOptions, Witnesses, html, markdown, terminal,
    witness::{Expected, expected},
};

use crate::fixture;

const NONE: &[Repeat] = &[];
const EXECS: u64 = 100;

/// A backend that missed so many, says so little of it and saw so much that never was.
fn watched(backend: &str, missed: u64, told: u64, phantoms: u64) -> TrialResult {
    let mut line = fixture::bare("6.1", backend, "relative", 100, 1);
    line.status = Status::Completed;
    line.truth = Some(TruthCounts {
        execs: EXECS,
        attempts: 0,
        forks: EXECS,
    });
    line.completeness = Some(Completeness {
        seen: EXECS - missed,
        missed,
        phantoms,
        ..Completeness::default()
    });
    line.loss = Some(Loss {
        actual: missed,
        self_reported: Some(told),
        honesty: Honesty::Knew,
        reports: Vec::new(),
    });
    line
}

fn counted(variant: &str, execs: Option<u64>) -> TrialResult {
    let mut line = watched("none", 0, 0, 0);
    (line.completeness, line.loss) = (None, None);
    line.backend = BackendSpec::none(variant);
    line.trial = line.trial.replace("/none/", &format!("/none+{variant}/"));
    line.digest = line.digest.replace(['a', 'b'], &variant[..1]);
    line.witness = Some(Witness {
        forks: EXECS,
        kernel_threads: 0,
        execs,
    });
    line
}

/// All but `proc-poll` are expected to see everything, and nobody to invent anything.
fn found(lines: &[TrialResult]) -> Vec<String> {
    let complete = |backend: &str, scenario: &str, kernel: &str| {
        assert_eq!((scenario, kernel), ("relative", "6.1"));
        Some(Expected {
            every_exec: backend != "proc-poll",
            no_phantom: true,
        })
    };
    Witnesses::new(lines, &complete).disagreements
}

#[test]
fn complete_backends_that_agree_with_truth_say_nothing() {
    let lines = [
        watched("audit", 0, 0, 0),
        watched("ebpf", 0, 0, 0),
        watched("proc-poll", 90, 0, 0),
    ];
    assert!(found(&lines).is_empty());
    // A loss that a backend reports itself is explained by that.
    let lines = [watched("audit", 0, 0, 0), watched("netlink", 7, 7, 0)];
    assert!(found(&lines).is_empty());
}

#[test]
fn what_one_complete_backend_misses_in_silence_is_unexplained() {
    let lines = [watched("audit", 0, 0, 0), watched("ebpf", 7, 0, 0)];
    insta::assert_snapshot!(found(&lines).join("\n"), @"unexplained: ebpf+default should see every exec and no other, and 6.1/ebpf+default/relative/closed/exact/1 missed 7 execs and saw 0 execs that truth does not have, of which it says nothing; 1 of 2 complete backends agree with truth");
    let lines = [watched("audit", 0, 0, 3), watched("ebpf", 0, 0, 0)];
    insta::assert_snapshot!(found(&lines).join("\n"), @"unexplained: audit+default should see every exec and no other, and 6.1/audit+default/relative/closed/exact/1 missed 0 execs and saw 3 execs that truth does not have, of which it says nothing; 1 of 2 complete backends agree with truth");
    // Where nobody knows whether it should, nobody can be surprised.
    let nothing = Witnesses::new(&lines, &|_, _, _| None);
    assert!(nothing.disagreements.is_empty());
}

#[test]
fn complete_backends_that_agree_against_truth_put_it_in_doubt() {
    let lines = [watched("audit", 2, 0, 0), watched("ebpf", 2, 0, 0)];
    insta::assert_snapshot!(found(&lines).join("\n"), @"truth in doubt: all of audit+default, ebpf+default that should see every exec and no other missed 2 execs and saw 0 execs that truth does not have alike (the first is 6.1/audit+default/relative/closed/exact/1)");
}

#[test]
fn what_is_expected_is_what_is_committed() {
    let of = |backend, scenario| expected(backend, scenario, "6.1");
    let all = |every_exec| {
        Some(Expected {
            every_exec,
            no_phantom: true,
        })
    };
    assert_eq!(of("ebpf", "relative"), all(true));
    assert_eq!(of("proc-poll", "relative"), all(false), "it races");
    assert_eq!(of("somebody-else-s", "relative"), None);
    assert_eq!(of("ebpf", "no-such-scenario"), None);
}

#[test]
fn nothing_is_expected_of_other_loads_and_settings() {
    let odd = |change: fn(&mut TrialResult)| {
        let mut line = watched("ebpf", 7, 0, 0);
        change(&mut line);
        found(&[line, watched("audit", 0, 0, 0)])
    };
    assert_eq!(odd(|_| {}).len(), 1);
    assert!(odd(|line| line.workload.load = Load::Burst(9)).is_empty());
    assert!(odd(|line| line.backend.variant = "small".into()).is_empty());
}

#[test]
fn one_storm_has_one_truth() {
    let mut other = watched("ebpf", 0, 0, 0);
    let one = watched("audit", 0, 0, 0);
    assert!(found(&[one.clone(), other.clone()]).is_empty());
    other.truth = Some(TruthCounts {
        execs: EXECS,
        attempts: 1,
        forks: EXECS + 1,
    });
    insta::assert_snapshot!(found(&[one.clone(), other.clone()]).join("\n"), @"one storm, two truths: 6.1/audit+default/relative/closed/exact/1 has 100 execs, 0 attempts and 100 forks, 6.1/ebpf+default/relative/closed/exact/1 has 100 execs, 1 attempt and 101 forks");
    // Another seed is another storm.
    other.trial = other.trial.replace("/1", "/2");
    assert!(found(&[one, other]).is_empty());
}

#[test]
fn a_disagreement_is_an_error_in_every_document() {
    let mut lines = vec![counted("witness", Some(EXECS)), counted("default", None)];
    let summary = Summary::new(&lines, NONE);
    assert_eq!(summary.exit_code(), ExitCode::Ok);
    assert_eq!(summary.witnesses.execs_by_kernel, EXECS);
    lines[1].truth = Some(TruthCounts::default());
    let summary = Summary::new(&lines, NONE);
    assert_eq!(summary.exit_code(), ExitCode::Internal);
    let wide = TerminalOptions {
        width: 1000,
        color: false,
    };
    let screen = terminal(&lines, NONE, &wide);
    for document in [screen.clone(), markdown(&lines, NONE), html(&lines, NONE)] {
        assert!(document.contains("error of the harness: one storm, two truths"));
        assert!(document.contains("100 execs of 1 storm, of which truth has 100"));
    }
    let told = screen.lines().find(|line| line.contains("Witness"));
    insta::assert_snapshot!(told.unwrap(), @"- Witness: the kernel counted the forks of 2 storms, and 100 execs of 1 storm, of which truth has 100");
}
