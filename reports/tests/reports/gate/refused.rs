//! What went missing, what is new, what cannot be compared, and what must not differ and does.

use execlab_model::result::{Lab, Status, TrialResult};
use execlab_reports::gate::{Input, Verdict};

use super::{burden, compare, rebuilt, row, run, verdicts, with};

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
