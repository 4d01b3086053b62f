//! Two runs of different labs side by side.

use execlab_model::result::{Lab, Status, TrialResult};
use execlab_reports::{
    Across, NotComparable,
    across::{Comparison, across},
};

use crate::fixture::{
    self,
    sampled::{run, shift},
};

/// The first matrix on one kernel, with seeds.
fn exact(kernels: &[&str]) -> Vec<TrialResult> {
    let mut results = fixture::realistic();
    results.retain(|t| kernels.contains(&t.kernel.name.as_str()));
    results
}

/// A run of the lab host with two workloads.
fn host() -> Vec<TrialResult> {
    let mut results = run(Lab::Host, 8, true);
    let mut second = results.clone();
    for t in &mut second {
        t.workload.scenario = "absolute".into();
        t.trial = t.trial.replace("relative", "absolute");
    }
    results.extend(second);
    for t in &mut results {
        t.kernel.release = "6.6.1-custom".into();
    }
    results
}

fn compared(base: &[TrialResult], new: &[TrialResult]) -> Across {
    across(base, new, &[]).unwrap()
}

#[test]
fn an_exact_run_beside_a_host_run() {
    let found = compared(&exact(&["6.1"]), &host());
    insta::assert_snapshot!(found.terminal(100));
    insta::assert_snapshot!(found.markdown());
    assert_eq!(
        found.comparisons.len(),
        2,
        "the third workload was run in one lab only"
    );
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Across>(&text).unwrap(), found);
}

#[test]
fn one_comparison_alone_is_not_pooled() {
    let found = compared(&exact(&["6.1"]), &run(Lab::Host, 8, true));
    assert_eq!((found.comparisons.len(), found.pooled), (1, None));
    let agreement = found.comparisons[0].agreement.unwrap();
    assert_eq!(agreement.count, 5);
    assert!(agreement.exact && agreement.least_p < 0.0084);
    insta::assert_snapshot!(found.words[0]);
}

#[test]
fn the_other_order_is_no_agreement() {
    let mut host = run(Lab::Host, 8, true);
    for (name, by) in [
        ("ptrace", -70_000.0),
        ("ebpf", 90_000.0),
        ("audit", -20_000.0),
    ] {
        shift(&mut host, name, by);
    }
    let found = compared(&exact(&["6.1"]), &host);
    let agreement = found.comparisons[0].agreement.unwrap();
    assert!(
        agreement.rho < -0.5 && agreement.rho_p > 0.9,
        "{agreement:?}"
    );
    assert!(
        found.words[0].contains("no more than a random order might"),
        "{}",
        found.words[0]
    );
}

#[test]
fn what_did_not_complete_in_both_is_left_out_with_the_reason() {
    let mut host = run(Lab::Host, 8, true);
    host.retain(|t| t.backend.name != "ptrace");
    for t in host
        .iter_mut()
        .filter(|t| t.backend.name == "audit" && t.seed < 2)
    {
        t.status = Status::BackendFailed;
    }
    let found = compared(&exact(&["6.1"]), &host);
    let left: Vec<String> = found
        .left_out
        .iter()
        .map(|l| format!("{}: {}", l.backend, l.reason))
        .collect();
    insta::assert_snapshot!(left.join("\n"));
    let rows: Vec<&str> = found.comparisons[0]
        .rows
        .iter()
        .map(|r| r.backend.as_str())
        .collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    // Ranks are those among what is compared.
    assert_eq!(found.comparisons[0].rows[2].base.rank.to_string(), "3");
}

#[test]
fn kernels_are_matched_by_name_or_one_with_all_or_as_one_says() {
    let host = run(Lab::Host, 8, true);
    let pairs = |found: &Across| -> Vec<String> {
        let pair = |c: &Comparison| format!("{}={}", c.base_kernel, c.new_kernel);
        found.comparisons.iter().map(pair).collect()
    };
    let all = exact(&["5.10", "6.1", "7.2"]);
    assert_eq!(
        pairs(&compared(&all, &host)),
        ["5.10=running", "6.1=running", "7.2=running"]
    );
    assert_eq!(pairs(&compared(&all, &run(Lab::Kvm, 6, true))), ["6.1=6.1"]);
    let named = |one: &str, other: &str| across(&all, &host, &[(one.into(), other.into())]);
    assert_eq!(pairs(&named("7.2", "running").unwrap()), ["7.2=running"]);
    insta::assert_snapshot!(named("9.9", "running").unwrap_err());
    insta::assert_snapshot!(named("6.1", "6.1").unwrap_err());
    let mut two = host.clone();
    two.extend(host.iter().cloned().map(|mut t| {
        t.kernel.name = "other".into();
        t
    }));
    assert!(matches!(
        across(&all, &two, &[]),
        Err(NotComparable::NoKernelsInCommon { .. })
    ));
}

/// The same run once more, with other execs.
fn with_execs(results: &[TrialResult], execs: u32) -> Vec<TrialResult> {
    let mut results = results.to_vec();
    for t in &mut results {
        t.workload.execs = execs;
        t.digest = format!("{execs}{}", t.digest);
        t.trial = format!("{}+{execs}", t.trial);
    }
    results
}

#[test]
fn nothing_is_compared_twice() {
    let (mut base, host) = (exact(&["6.1"]), run(Lab::Host, 8, true));
    let twice = ("6.1".to_owned(), "running".to_owned());
    let named = across(&base, &host, &[twice.clone(), twice]).unwrap();
    assert_eq!((named.comparisons.len(), &named.pooled), (1, &None));
    base.retain(|t| t.workload.scenario == "relative");
    base.extend(with_execs(&base, host[0].workload.execs));
    let found = compared(&base, &host);
    assert_eq!((found.comparisons.len(), &found.pooled), (1, &None));
    let (one, other) = found.comparisons[0].execs;
    assert_eq!(one, other, "those of as many execs");
    let left: Vec<String> = found
        .left_out
        .iter()
        .map(|l| format!("{} ({}): {}", l.backend, l.place, l.reason))
        .collect();
    insta::assert_snapshot!(left.join("\n"));
}

#[test]
fn without_backends_in_all_comparisons_each_stands_for_itself() {
    let mut host = host();
    // Each workload has its own two.
    host.retain(|t| {
        let name = t.backend.name.as_str();
        match t.workload.scenario.as_str() {
            "absolute" => ["none", "ebpf", "ptrace"].contains(&name),
            _ => ["none", "netlink", "audit"].contains(&name),
        }
    });
    let found = compared(&exact(&["6.1"]), &host);
    assert_eq!(found.comparisons.len(), 2);
    for comparison in &found.comparisons {
        assert!(comparison.agreement.unwrap().rho > 0.99);
    }
    insta::assert_snapshot!(found.words[0]);
    assert!(!found.words.iter().any(|w| w.contains("at best")));
}

/// Ten backends: their orders are drawn, and a chance is known only so far down.
#[test]
fn of_many_backends_no_chance_is_claimed_that_was_not_looked_for() {
    let many = |mut results: Vec<TrialResult>| {
        results.retain(|t| t.workload.scenario == "relative");
        let more: Vec<TrialResult> = results
            .iter()
            .filter(|t| t.backend.watches())
            .cloned()
            .map(|mut t| {
                t.backend.variant = "more".into();
                t.trial = t.trial.replace("default", "more");
                t.digest = format!("more{}", t.digest);
                let cost = t.cost.as_mut().unwrap();
                cost.added_per_exec = cost.added_per_exec.map(|added| added + 500_000.0);
                t
            })
            .collect();
        results.extend(more);
        results
    };
    let found = compared(&many(exact(&["6.1"])), &many(run(Lab::Host, 8, true)));
    assert_eq!(found.comparisons[0].agreement.unwrap().count, 10);
    insta::assert_snapshot!(found.words[0]);
    let p: Vec<&String> = found
        .words
        .iter()
        .filter(|w| w.contains("orders"))
        .collect();
    insta::assert_debug_snapshot!(p);
}

#[test]
fn runs_that_cannot_be_compared_say_why() {
    let (exact, host) = (exact(&["6.1"]), run(Lab::Host, 8, true));
    let error = |one: &[TrialResult], other: &[TrialResult]| {
        across(one, other, &[]).unwrap_err().to_string()
    };
    let mut mixed = host.clone();
    mixed.extend(exact.clone());
    let mut elsewhere = host.clone();
    for t in &mut elsewhere {
        t.workload.population = 7;
    }
    insta::assert_snapshot!(
        [
            error(&exact, &exact),
            error(&exact, &[]),
            error(&mixed, &host),
            error(&exact, &elsewhere),
        ]
        .join("\n")
    );
}
