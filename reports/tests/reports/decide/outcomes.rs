//! Who remains, who falls and why, and how the command ends.

use execlab_model::{
    exit::ExitCode,
    repeat::{Difference, Repeat, Start, Verdict},
    result::{Lab, Status, TrialResult},
};
use execlab_reports::decide::{About, CannotDecide, Outcome, decide};

use super::{decided, names, question};
use crate::fixture;

/// Changes trials of a backend.
fn changed(
    mut results: Vec<TrialResult>,
    backend: &str,
    kernel: &str,
    change: impl Fn(&mut TrialResult),
) -> Vec<TrialResult> {
    let mut found = 0;
    for trial in &mut results {
        if trial.backend.name == backend && trial.kernel.name == kernel {
            change(trial);
            found += 1;
        }
    }
    assert!(found > 0, "{backend} on {kernel}");
    results
}

#[test]
fn the_cheapest_of_those_that_meet_all_is_recommended() {
    let results = fixture::realistic();
    let found = decided(&results, &["completeness>=0.999", "path=exact"], &[]);
    assert_eq!(found.outcome, Outcome::Recommended);
    assert_eq!(found.outcome.exit_code(), ExitCode::Ok);
    assert_eq!(names(&found.remain), ["ebpf+default", "ptrace+default"]);
    assert_eq!(found.recommendation.unwrap().candidate, "ebpf+default");
    let mut fallen = names(&found.fallen);
    fallen.sort_unstable();
    assert_eq!(
        fallen,
        ["audit+default", "netlink+default", "proc-poll+default"]
    );
    assert!(found.undecided.is_empty());
}

#[test]
fn one_bad_trial_of_many_is_enough_and_is_named() {
    let results = changed(fixture::realistic(), "ebpf", "7.2", |t| {
        if t.workload.scenario == "absolute" {
            let seen = t.completeness.as_mut().unwrap();
            (seen.seen, seen.missed) = (199, 1);
        }
    });
    let found = decided(&results, &["completeness>=0.999"], &[]);
    let fallen = found
        .fallen
        .iter()
        .find(|c| c.name == "ebpf+default")
        .unwrap();
    let [objection] = fallen.objections.as_slice() else {
        panic!("{:?}", fallen.objections);
    };
    assert_eq!(objection.said, "99.50%");
    assert_eq!(
        objection.trial.as_deref(),
        Some("7.2/ebpf+default/absolute/closed/exact/1")
    );
    assert_eq!(
        (objection.trials, objection.kernels.as_slice()),
        (1, &["7.2".to_owned()][..])
    );
    // And just as much is to be given up for it.
    let change = &found.changes.needs[0];
    assert_eq!(change.lets_in[0].candidate, "ebpf+default");
    assert_eq!(
        change.lets_in[0].with.as_deref(),
        Some("completeness>=0.995")
    );
    assert!(change.lets_in[0].wins);
    let asked_so = decided(&results, &["completeness>=0.995"], &[]);
    assert!(names(&asked_so.remain).contains(&"ebpf+default"));
    assert_eq!(found.changes.kernels[0].lets_in, ["ebpf+default"]);
}

#[test]
fn a_kernel_on_which_it_cannot_work_makes_it_fall_in_range_only() {
    let results = changed(fixture::realistic(), "ebpf", "5.10", |t| {
        let bare = fixture::bare("5.10", "ebpf", &t.workload.scenario, 200, 1);
        *t = bare;
        t.status = Status::Unsupported;
        t.reason = Some("no BTF".into());
    });
    let mut asked = question(&results, &["path=exact"], &[]);
    let found = decide(&results, &asked).unwrap();
    assert_eq!(
        found.recommendation.as_ref().unwrap().candidate,
        "ptrace+default"
    );
    let fallen = found
        .fallen
        .iter()
        .find(|c| c.name == "ebpf+default")
        .unwrap();
    assert_eq!(fallen.objections[0].about, About::Status);
    assert_eq!(fallen.objections[0].said, "unsupported: no BTF");
    let worst = &found.changes.kernels[0];
    assert_eq!((worst.place.as_str(), worst.unsupported), ("5.10", 1));
    assert_eq!(worst.lets_in, ["ebpf+default"]);
    asked.kernels = vec!["6.1..".parse().unwrap()];
    let newer = decide(&results, &asked).unwrap();
    assert_eq!(newer.recommendation.unwrap().candidate, "ebpf+default");
}

#[test]
fn what_was_not_measured_neither_remains_nor_falls() {
    let lose = |status| {
        changed(fixture::realistic(), "ebpf", "6.1", move |t| {
            let scenario = t.workload.scenario.clone();
            *t = fixture::bare("6.1", "ebpf", &scenario, 200, 1);
            t.status = status;
            t.reason = Some("planted".into());
        })
    };
    let mut absent = fixture::realistic();
    absent.retain(|t| t.backend.name != "ebpf" || t.kernel.name != "6.1");
    let no_baseline = changed(fixture::realistic(), "ebpf", "6.1", |t| {
        let cost = t.cost.as_mut().unwrap();
        (cost.added_per_exec, cost.baseline_per_exec) = (None, None);
    });
    for (what, results) in [
        ("lost", lose(Status::Lost)),
        ("infra", lose(Status::Infra)),
        ("absent", absent),
        ("no baseline", no_baseline),
    ] {
        let found = decided(&results, &["path=exact", "cost<=50000"], &[]);
        assert_eq!(names(&found.undecided), ["ebpf+default"], "{what}");
        assert!(found.remain.is_empty(), "{what}");
        assert_eq!(found.outcome, Outcome::NotMeasured, "{what}");
        assert_eq!(found.outcome.exit_code(), ExitCode::Incomplete);
        assert_eq!(found.recommendation, None);
        let again = &found.commands[0];
        assert!(again.what.contains("undecided"), "{what}: {again:?}");
        assert!(
            again.command.contains("--kernels 6.1 --backends ebpf "),
            "{again:?}"
        );
    }
    // A monitor that died while it watched has shown something.
    let died = decided(&lose(Status::BackendFailed), &["path=exact"], &[]);
    assert!(names(&died.fallen).contains(&"ebpf+default"));
}

#[test]
fn only_what_costs_too_much_ends_otherwise_than_what_sees_too_little() {
    let results = fixture::realistic();
    let dear = decided(&results, &["path=exact", "cost<=1000"], &[]);
    assert_eq!(dear.outcome, Outcome::CostExcludesAll);
    assert_eq!(dear.outcome.exit_code(), ExitCode::CostRegressed);
    let first = &dear.changes.needs[0].lets_in[0];
    assert_eq!(first.candidate, "ebpf+default");
    let with = first.with.clone().unwrap();
    let asked_so = decided(&results, &["path=exact", &with], &[]);
    assert_eq!(names(&asked_so.remain), ["ebpf+default"]);
    let blind = decided(&results, &["completeness>=1", "foreign>=9"], &[]);
    assert_eq!(blind.outcome, Outcome::NothingMeets);
    assert_eq!(blind.outcome.exit_code(), ExitCode::AccuracyRegressed);
    assert!(!blind.changes.nearest.is_empty());
}

#[test]
fn containers_are_asked_for_where_there_are_some_and_never_taken_for_granted() {
    let results = fixture::realistic();
    let found = decided(&results, &["containers"], &[]);
    assert_eq!(names(&found.remain), ["ebpf+default", "ptrace+default"]);
    let audit = found
        .fallen
        .iter()
        .find(|c| c.name == "audit+default")
        .unwrap();
    assert_eq!(audit.objections[0].said, "not offered");
    assert!(
        audit.objections[0]
            .trial
            .as_ref()
            .unwrap()
            .contains("/container/")
    );
    let mut asked = question(&results, &["containers"], &[]);
    asked.scenarios = vec!["relative".into()];
    let without = decide(&results, &asked).unwrap();
    assert_eq!(without.outcome, Outcome::NotMeasured);
    assert_eq!(without.undecided.len(), 5);
}

#[test]
fn what_a_deployment_cannot_have_is_no_candidate_and_unknown_is_no_yes() {
    let results = fixture::realistic();
    let found = decided(&results, &["path=exact"], &["bpf"]);
    assert_eq!(found.recommendation.unwrap().candidate, "ptrace+default");
    assert_eq!(found.changes.needs.last().unwrap().what, "without bpf");
    assert!(found.changes.needs.last().unwrap().lets_in[0].wins);
    let mut asked = question(&results, &["path=exact"], &["bpf"]);
    asked.deployments.retain(|spec, _| spec.name != "ptrace");
    let unknown = decide(&results, &asked).unwrap();
    assert_eq!(names(&unknown.undecided), ["ptrace+default"]);
    assert_eq!(unknown.outcome, Outcome::NotMeasured);
}

#[test]
fn without_a_word_on_completeness_what_misses_execs_is_not_the_cheapest() {
    let found = decided(&fixture::realistic(), &[], &[]);
    assert_eq!(found.remain.len(), 5);
    assert_eq!(found.recommendation.unwrap().candidate, "ebpf+default");
}

#[test]
fn what_does_not_belong_together_or_is_not_there_is_refused() {
    let results = fixture::realistic();
    let refused = |change: &dyn Fn(&mut Vec<TrialResult>)| {
        let mut results = results.clone();
        change(&mut results);
        decide(&results, &question(&results, &[], &[])).unwrap_err()
    };
    let said = [
        refused(&|r| r[1].lab = Lab::Host),
        refused(&|r| r[1].cpus = 2),
        refused(&|r| r[1].provenance.qemu = Some("11.0".into())),
        refused(&|r| {
            for (trial, model) in r.iter_mut().zip(["max", "EPYC"]) {
                trial.provenance.command_line = vec!["-cpu".into(), model.into()];
            }
        }),
        refused(&|r| r.retain(TrialResult::is_baseline)),
        refused(&Vec::clear),
    ]
    .map(|error| error.to_string());
    insta::assert_snapshot!(said.join("\n"));
    let mut asked = question(&results, &[], &[]);
    asked.kernels = vec!["8..".parse().unwrap()];
    let nothing = decide(&results, &asked);
    assert!(matches!(nothing, Err(CannotDecide::Nothing(_))));
    let nothing = nothing.unwrap_err().to_string();
    assert!(
        nothing.contains("`8..` (they have: 5.10, 6.1, 7.2)"),
        "{nothing}"
    );
    // Beside one that is there too, and even where somebody could have measured it.
    asked.kernels.push("6.1..".parse().unwrap());
    asked.known_kernels = vec!["8.1".into()];
    assert!(matches!(
        decide(&results, &asked),
        Err(CannotDecide::Nothing(_))
    ));
    asked.kernels = vec!["4.19".parse().unwrap()];
    insta::assert_snapshot!(decide(&results, &asked).unwrap_err());
    // What is out of scope does not matter.
    let mixed: Vec<TrialResult> = changed(results, "ebpf", "5.10", |t| t.lab = Lab::Host);
    asked.kernels = vec!["6.1..".parse().unwrap()];
    assert!(decide(&mixed, &asked).is_ok());
}

#[test]
fn a_kernel_with_a_baseline_alone_is_not_taken_for_supported() {
    let mut results = fixture::realistic();
    results.retain(|t| t.kernel.name != "6.1" || t.is_baseline());
    let found = decided(&results, &["path=exact"], &[]);
    assert_eq!(found.outcome, Outcome::NotMeasured);
    assert_eq!(names(&found.undecided), ["ebpf+default", "ptrace+default"]);
    let mut asked = question(&results, &["path=exact"], &[]);
    asked.kernels = vec!["5.10".parse().unwrap(), "7.2".parse().unwrap()];
    assert_eq!(
        decide(&results, &asked).unwrap().outcome,
        Outcome::Recommended
    );
}

#[test]
fn kernels_that_nobody_measured_are_told() {
    let results = fixture::realistic();
    let mut asked = question(&results, &[], &[]);
    asked.known_kernels = ["5.10", "6.1", "6.6", "7.2"].map(str::to_owned).to_vec();
    asked.kernels = vec!["6.1..".parse().unwrap()];
    let found = decide(&results, &asked).unwrap();
    assert_eq!(found.context.kernels_without_results, ["6.6"]);
    assert!(found.context.cautions.iter().any(|c| c.contains("6.6")));
    // In a range that was asked for, what was not measured is neither good nor bad.
    assert_eq!(found.outcome, Outcome::NotMeasured);
    assert_eq!(found.recommendation, None);
    assert_eq!(found.undecided.len(), 5);
    let [objection] = found.undecided[0].objections.as_slice() else {
        panic!("{:?}", found.undecided[0].objections);
    };
    assert_eq!(
        (objection.about, objection.is_against),
        (About::Absent, false)
    );
    assert_eq!(objection.said, "no trial was made on 6.6");
    assert_eq!(objection.kernels, ["6.6"]);
    let first = &found.commands[0].command;
    assert!(
        first.contains("--kernels 6.6 --backends audit,ebpf,netlink,proc-poll,ptrace "),
        "{first}"
    );
    // By their names one asks for no more than there is, and without a word for all results.
    for kernels in [&["6.1", "7.2"][..], &[]] {
        asked.kernels = kernels.iter().map(|name| name.parse().unwrap()).collect();
        let found = decide(&results, &asked).unwrap();
        assert_eq!(found.outcome, Outcome::Recommended, "{kernels:?}");
    }
}

#[test]
fn what_did_not_repeat_is_no_measurement() {
    let results = fixture::realistic();
    let at = |backend: &str| {
        let of = |t: &&TrialResult| t.backend.name == backend && t.kernel.name == "6.1";
        results.iter().find(of).unwrap()
    };
    let repeat = |trial: &TrialResult, verdict| Repeat {
        schema: 1,
        trial: trial.trial.clone(),
        digest: trial.digest.clone(),
        start: Start::Cold,
        verdict,
        difference: (verdict == Verdict::Differs).then(|| Difference {
            path: "cost.windows".into(),
            one: "1".into(),
            other: "2".into(),
        }),
        reason: None,
        record_sha256: None,
        wall_ms: 1,
    };
    let decided = |repeats: Vec<Repeat>, kernels: &str| {
        let mut asked = question(&results, &["path=exact"], &[]);
        asked.repeats = repeats;
        asked.kernels = vec![kernels.parse().unwrap()];
        decide(&results, &asked).unwrap()
    };
    let same = decided(vec![repeat(at("ebpf"), Verdict::Same)], "..");
    assert_eq!(same.recommendation.unwrap().candidate, "ebpf+default");
    let differs = vec![repeat(at("ebpf"), Verdict::Differs)];
    let found = decided(differs.clone(), "..");
    assert_eq!(found.recommendation.unwrap().candidate, "ptrace+default");
    assert_eq!(names(&found.undecided), ["ebpf+default"]);
    let objection = &found.undecided[0].objections[0];
    assert_eq!(objection.what, "every trial repeats");
    assert_eq!(objection.trial.as_ref(), Some(&at("ebpf").trial));
    assert!(
        found.commands[0]
            .command
            .contains("--kernels 6.1 --backends ebpf ")
    );
    // On other kernels nothing did so.
    let elsewhere = decided(differs, "7..");
    assert_eq!(elsewhere.recommendation.unwrap().candidate, "ebpf+default");
    // A baseline is no candidate; that it did not repeat is told.
    let baseline = decided(vec![repeat(at("none"), Verdict::Differs)], "..");
    let named = |c: &String| c.contains(&at("none").trial);
    assert!(baseline.context.cautions.iter().any(named));
}

#[test]
fn what_no_command_can_measure_again_is_told() {
    let mut results = fixture::realistic();
    for trial in &mut results {
        if trial.backend.name == "ebpf" {
            trial.backend.variant = "mine".into();
        }
    }
    let found = decided(&results, &[], &[]);
    let again = &found.commands[0];
    assert_eq!(again.what, "Measure all of it again, but for ebpf+mine");
    assert!(!again.command.contains("ebpf"), "{again:?}");
    let named = |c: &String| c.contains("leave out ebpf+mine");
    assert!(found.context.cautions.iter().any(named));
    // Even where nothing else is left to measure.
    results.retain(|t| !t.is_watched() || t.backend.name == "ebpf");
    let found = decided(&results, &[], &[]);
    assert!(found.context.cautions.iter().any(named));
}

#[test]
fn seeds_that_one_of_them_did_not_run_leave_it_undecided() {
    let mut results = fixture::everything();
    results.retain(|t| t.kernel.name == "6.1" && t.workload.scenario == "relative");
    let found = decided(&results, &["completeness>=0.9"], &[]);
    // audit has two seeds of three, and its monitor died in one.
    assert_eq!(names(&found.fallen), ["audit+default"]);
    assert_eq!(found.fallen[0].objections.len(), 2);
    results.retain(|t| t.backend.name != "ebpf" || t.seed == 1);
    let found = decided(&results, &["completeness>=0.9"], &[]);
    assert_eq!(names(&found.undecided), ["ebpf+default"]);
    assert_eq!(found.undecided[0].objections[0].about, About::Absent);
    assert_eq!(found.undecided[0].objections[0].trials, 2);
}
