//! What went missing, what is new, what cannot be compared, and what must not differ and does.

use execlab_model::{
    repeat::{self, Difference, Repeat, Start},
    result::{Lab, Status, TrialResult},
};
use execlab_reports::gate::{Input, Policy, Run, Verdict, gate, interleaved};

use super::{burden, compare, finding, named, rebuilt, row, run, verdicts, with};

/// Makes a trial one of other inputs.
type Other = fn(&mut TrialResult);

fn without(results: &[TrialResult], backend: &str) -> Vec<TrialResult> {
    let keep = |t: &&TrialResult| t.backend.name != backend;
    results.iter().filter(keep).cloned().collect()
}

#[test]
fn a_backend_that_vanished_is_a_run_that_is_not_whole() {
    let base = run(&["ebpf", "audit"], 0, 2, 1000, 0.0);
    let new = without(&base, "audit");
    let gate = compare(&base, &new);
    let audit = "6.1/audit+default/relative/closed";
    assert_eq!(gate.exit_code, 14);
    assert_eq!(verdicts(&gate), [(audit, Verdict::Disappeared)]);
    assert_eq!(with(&base, &new, "disappeared = \"warn\"").exit_code, 0);
    // The other way round there is no baseline for it.
    let gate = compare(&new, &base);
    assert_eq!(gate.exit_code, 12);
    assert_eq!(verdicts(&gate), [(audit, Verdict::New)]);
    assert_eq!(with(&new, &base, "missing_baseline = \"ok\"").exit_code, 0);
}

#[test]
fn nothing_is_compared_with_nothing() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    assert_eq!(compare(&[], &[]).exit_code, 12);
    assert_eq!(compare(&base, &[]).exit_code, 14);
    assert_eq!(compare(&[], &base).exit_code, 12);
}

#[test]
fn other_kernels_machines_and_versions_of_qemu_are_shown_and_not_judged() {
    let base = run(&["ebpf"], 0, 4, 1000, 0.0);
    let on = |change: fn(&mut TrialResult)| {
        let mut new = rebuilt(&base, |t| burden(t, 1.5));
        for trial in &mut new {
            trial.digest = format!("99{}", &trial.digest[2..]);
            change(trial);
        }
        new
    };
    let cases: [(Input, &str, Other); 4] = [
        (Input::Kernel, "kernel", |t| {
            t.kernel.sha256 = "9".repeat(64);
        }),
        (Input::Qemu, "qemu", |t| {
            t.provenance.qemu = Some("8.0".into());
        }),
        (Input::Machine, "machine", |t| {
            t.provenance.command_line.push("-cpu".into());
        }),
        (Input::Workload, "workload", |t| t.workload.execs = 500),
    ];
    for (input, name, change) in cases {
        let new = on(change);
        let gate = compare(&base, &new);
        assert_eq!(gate.exit_code, 12, "{name}");
        let found = row(&gate, "ebpf");
        assert_eq!(found.verdict, Verdict::NotComparable);
        let refused = found.changed.iter().find(|c| c.refused).unwrap();
        assert_eq!(refused.input, input);
        assert!(
            found.why[0].starts_with("not compared across: "),
            "{:?}",
            found.why
        );
        // Its figures stand there all the same, and so they do in the text.
        assert!(found.findings.iter().any(|f| f.difference.is_some()));
        let allowed = format!("[inputs]\n{name} = \"compare\"");
        let gate = with(&base, &new, &allowed);
        assert_eq!(
            (gate.exit_code, row(&gate, "ebpf").verdict),
            (10, Verdict::Regressed)
        );
    }
    let gate = compare(
        &base,
        &on(|t| t.provenance.command_line.push("-cpu max".into())),
    );
    let why = &row(&gate, "ebpf").why[0];
    assert_eq!(why, "not compared across: machine is -cpu max, was none");
    let mut other_lab = base.clone();
    for trial in &mut other_lab {
        trial.lab = Lab::Kvm;
    }
    let gate = compare(&base, &other_lab);
    assert_eq!(
        (gate.exit_code, row(&gate, "ebpf").verdict),
        (12, Verdict::NotComparable)
    );
    assert_eq!(row(&gate, "ebpf").changed[0].input, Input::Lab);
}

#[test]
fn the_same_inputs_that_give_something_else_are_not_deterministic() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    let mut new = base.clone();
    let trial = new.iter_mut().find(|t| t.is_watched()).unwrap();
    trial.record_sha256 = Some("1".repeat(64));
    burden(trial, 1.000_1);
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 15);
    let found = row(&gate, "ebpf");
    assert_eq!(found.verdict, Verdict::Nondeterministic);
    assert!(
        found.why[0].contains("seed 0") && found.why[0].contains("cost."),
        "{:?}",
        found.why
    );
    // With the same record it is execlab that counts in another way.
    let mut new = base.clone();
    new.iter_mut()
        .filter(|t| t.is_watched())
        .for_each(|t| burden(t, 1.5));
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 10);
    assert_eq!(row(&gate, "ebpf").changed[0].input, Input::Execlab);
}

#[test]
fn trials_that_failed_end_the_gate_by_what_they_are() {
    let base = run(&["ebpf", "audit"], 0, 2, 1000, 0.0);
    let fail = |status: Status| {
        let mut new = base.clone();
        let trial = new
            .iter_mut()
            .find(|t| t.is_watched() && t.seed == 1)
            .unwrap();
        (trial.status, trial.reason) = (status, Some("planted".into()));
        new
    };
    for (status, code, verdict) in [
        (Status::Lost, 20, Verdict::Lost),
        (Status::Infra, 14, Verdict::Incomplete),
        (Status::BackendFailed, 14, Verdict::Incomplete),
    ] {
        let gate = compare(&base, &fail(status));
        assert_eq!((gate.exit_code, gate.verdict), (code, verdict), "{status}");
        let gate = compare(&fail(status), &base);
        assert_eq!(
            (gate.exit_code, gate.verdict),
            (12, Verdict::NotComparable),
            "{status}"
        );
    }
}

#[test]
fn a_cost_that_is_gone_is_no_cost_of_nothing() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    let new = rebuilt(&base, |t| t.cost = None);
    let gate = compare(&base, &new);
    assert_eq!((gate.exit_code, gate.verdict), (14, Verdict::Disappeared));
    let gate = compare(&new, &base);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::New));
}

#[test]
fn a_backend_that_sees_nothing_now_is_worse_and_not_a_run_with_gaps() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    let blind = |t: &mut TrialResult| {
        let seen = t.completeness.as_mut().unwrap();
        (seen.seen, seen.missed) = (0, seen.missed + seen.seen);
        t.path = Some(execlab_model::result::PathCounts::default());
    };
    let new = rebuilt(&base, blind);
    let gate = compare(&base, &new);
    assert_eq!(
        finding(&gate, "ebpf", "path_rank").verdict,
        Verdict::Disappeared
    );
    assert_eq!(gate.exit_code, 11);
}

#[test]
fn seeds_that_are_gone_are_told_and_are_a_run_that_is_not_whole() {
    let base = run(&["ebpf"], 0, 16, 1000, 0.001);
    let one = run(&["ebpf"], 0, 1, 1000, 0.001);
    let gate = compare(&base, &one);
    assert_eq!((gate.exit_code, gate.verdict), (14, Verdict::Disappeared));
    assert_eq!(
        row(&gate, "ebpf").why,
        ["of the base's 16 seeds the new run has 1, and nothing else is compared"]
    );
    assert_eq!(with(&base, &one, "disappeared = \"warn\"").exit_code, 0);
    // The figures are judged all the same.
    let slow = rebuilt(&one, |t| burden(t, 1.5));
    assert_eq!(with(&base, &slow, "disappeared = \"warn\"").exit_code, 10);
    // More seeds, and others altogether, are no gap.
    assert_eq!(compare(&one, &base).exit_code, 0);
    assert_eq!(
        compare(&base, &run(&["ebpf"], 100, 16, 1000, 0.001)).exit_code,
        0
    );
}

fn differs(trial: &TrialResult) -> Repeat {
    Repeat {
        schema: repeat::SCHEMA,
        trial: trial.trial.clone(),
        digest: trial.digest.clone(),
        start: Start::Cold,
        verdict: repeat::Verdict::Differs,
        difference: Some(Difference {
            path: "cost.per_exec".into(),
            one: "1".into(),
            other: "2".into(),
        }),
        reason: None,
        record_sha256: None,
        wall_ms: 1,
    }
}

#[test]
fn a_base_that_did_not_repeat_is_none_and_a_run_that_did_not_ends_with_15() {
    let all = run(&["ebpf"], 0, 2, 1000, 0.0);
    let repeats = [differs(&all[1])];
    let shaky = Run {
        repeats: &repeats,
        ..named("shaky", &all)
    };
    let (steady, policy) = (named("steady", &all), Policy::default());
    let found = gate(shaky, steady, &policy);
    assert_eq!(
        (found.exit_code, found.verdict),
        (12, Verdict::NotComparable)
    );
    assert!(found.notes[0].starts_with("the base is none: not deterministic: "));
    let found = gate(steady, shaky, &policy);
    assert_eq!(
        (found.exit_code, found.verdict),
        (15, Verdict::Nondeterministic)
    );
}

#[test]
fn what_did_not_repeat_in_a_run_counts_for_the_variant_that_it_is_of() {
    let all = run(&["ebpf", "ptrace"], 0, 2, 1000, 0.0);
    let with = |backend: &str, a: &str, b: &str| {
        let trial = all.iter().find(|t| t.backend.name == backend).unwrap();
        let run = Run {
            repeats: &[differs(trial)],
            ..named("run", &all)
        };
        interleaved(run, a, b, &Policy::default())
            .unwrap()
            .exit_code
    };
    assert_eq!(with("ptrace", "ebpf", "ptrace"), 15);
    assert_eq!(with("ebpf", "ebpf", "ebpf"), 15);
    let steady = with("ebpf", "ptrace", "ptrace");
    assert_eq!(steady, 0);
    assert_eq!(with("none", "ptrace", "ptrace"), 15);
    assert_eq!(with("ptrace", "ptrace", "ebpf"), 12);
}
