//! Where time is real.

use execlab_model::result::{Lab, TrialResult};
use execlab_reports::gate::{Gate, Policy, Verdict, interleaved};

use super::{burden, compare, finding, named, rebuilt, row, run, with};

fn on_kvm(mut results: Vec<TrialResult>) -> Vec<TrialResult> {
    for trial in &mut results {
        trial.lab = Lab::Kvm;
        trial.digest = format!("kvm{}{}", trial.seed, &trial.digest[6..]);
        trial.record_sha256 = None;
    }
    results
}

#[test]
fn fewer_boots_than_needed_are_no_comparison() {
    let base = on_kvm(run(&["ptrace"], 0, 4, 1000, 0.01));
    let gate = compare(&base, &rebuilt(&base, |t| burden(t, 2.0)));
    assert_eq!((gate.exit_code, gate.verdict), (12, Verdict::NotComparable));
    let words = &finding(&gate, "ptrace", "added_per_exec").words;
    assert!(words.contains("too few boots (4)"), "{words}");
}

#[test]
fn a_change_between_runs_that_were_not_made_in_turn_is_suspected() {
    let base = on_kvm(run(&["ptrace"], 0, 8, 1000, 0.01));
    let new = rebuilt(&base, |t| burden(t, 1.2));
    let gate = compare(&base, &new);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Suspected));
    assert!(gate.terminal(100).contains("were not run in turn"));
    assert!(finding(&gate, "ptrace", "added_per_exec").p.unwrap() < 0.001);
    let gate = with(&base, &new, "[sampled]\nseparate_runs = \"fail\"");
    assert_eq!((gate.exit_code, gate.verdict), (10, Verdict::Regressed));
    let gate = compare(&new, &base);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Improved));
    // Far enough for the limits, and not for chance.
    let wide = on_kvm(run(&["ptrace"], 0, 8, 1000, 0.9));
    let gate = compare(&wide, &rebuilt(&wide, |t| burden(t, 1.2)));
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unclear));
    // Far enough for chance, and not for the limits.
    let close = rebuilt(&base, |t| burden(t, 1.02));
    assert_eq!(compare(&base, &close).verdict, Verdict::Unchanged);
}

/// One run of a variant beside the usual one, seed by seed or one after the other.
fn two_variants(in_turn: bool, factor: f64) -> Vec<TrialResult> {
    let base = on_kvm(run(&["ptrace"], 0, 8, 1000, 0.3));
    let slow = |t: &TrialResult| {
        let mut t = t.clone();
        t.backend.variant = "slow".into();
        t.backend.settings.insert("burden".into(), "90".into());
        burden(&mut t, factor);
        t
    };
    let variants = base.iter().filter(|t| t.is_watched());
    let mut all = base.clone();
    all.extend(variants.map(slow));
    if in_turn {
        all.sort_by_key(|t| t.seed);
    }
    all
}

fn ab(results: &[TrialResult], a: &str, b: &str) -> Gate {
    interleaved(named("run", results), a, b, &Policy::default()).unwrap()
}

#[test]
fn two_variants_of_one_run_are_judged_by_pairs() {
    // Each seed differs from the next by far more than the variants do, and has both.
    let gate = ab(&two_variants(true, 1.1), "ptrace", "ptrace+slow");
    assert_eq!((gate.exit_code, gate.verdict), (10, Verdict::Regressed));
    let p = finding(&gate, "ptrace", "added_per_exec").p.unwrap();
    assert!((p - 2.0 / 256.0).abs() < 1e-12, "{p}");
    assert_eq!(row(&gate, "ptrace").seeds.common, 8);
    assert!(gate.terminal(100).contains("run in turn, each seed"));
    let gate = ab(&two_variants(true, 1.1), "ptrace+slow", "ptrace+default");
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Improved));
    // The same lines one after the other are two runs in one file.
    let gate = ab(&two_variants(false, 2.0), "ptrace", "ptrace+slow");
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Suspected));
    let missing = interleaved(
        named("run", &two_variants(true, 1.0)),
        "ptrace",
        "ptrace+fast",
        &Policy::default(),
    );
    assert_eq!(
        missing.unwrap_err().to_string(),
        "the run has no backend `ptrace+fast` (it has: ptrace+default, ptrace+slow)"
    );
}
