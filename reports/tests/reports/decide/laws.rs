//! What holds of every decision, whatever is asked and whatever was measured.

use std::collections::BTreeSet;

use execlab_model::result::{Status, TrialResult};
use execlab_reports::decide::{About, Decision, Need, Outcome, decide};
use proptest::prelude::*;

use super::{names, question};
use crate::fixture;

const NEEDS: &[&str] = &[
    "completeness>=0.999",
    "completeness>=0.5",
    "path=exact",
    "path>=0.4",
    "containers",
    "container>=0.3",
    "cost<=8000",
    "cost<=60000",
    "latency<=1ms",
    "honesty=knew",
    "honesty=knew|knew-without-a-number",
    "memory<=1KiB",
];
const PROPERTIES: &[&str] = &["bpf", "ptrace", "audit-owner"];

/// The first matrix with trouble in some of its trials.
fn measured() -> impl Strategy<Value = Vec<TrialResult>> {
    let whole = fixture::realistic();
    let trouble = prop::collection::vec((0..whole.len(), 0..5_u8), 0..6);
    trouble.prop_map(move |trouble| {
        let mut results = whole.clone();
        for (at, what) in trouble {
            let trial = &mut results[at];
            let blank = fixture::bare(
                &trial.kernel.name,
                &trial.backend.name,
                &trial.workload.scenario,
                200,
                1,
            );
            match what {
                0 => *trial = blank,
                1 => {
                    *trial = blank;
                    trial.status = Status::Unsupported;
                }
                2 => trial.status = Status::BackendFailed,
                3 => trial.cost = None,
                _ => trial.trial = String::new(),
            }
        }
        results.retain(|trial| !trial.trial.is_empty());
        results
    })
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(of, 0..=3)
}

/// Whether trials and figures say what the decision says, by reading them once more.
fn check(found: &Decision, results: &[TrialResult], needs: &[&str], without: &[&str]) {
    let trials: BTreeSet<&str> = results.iter().map(|t| t.trial.as_str()).collect();
    let all = names(&found.remain)
        .into_iter()
        .chain(names(&found.undecided))
        .chain(names(&found.fallen));
    let all: Vec<&str> = all.collect();
    let watching: BTreeSet<String> = results
        .iter()
        .filter(|t| t.is_watched())
        .map(TrialResult::backend_label)
        .collect();
    assert_eq!(all.len(), watching.len(), "each is in one list");
    assert_eq!(
        all.into_iter().collect::<BTreeSet<_>>().len(),
        watching.len()
    );
    for candidate in &found.fallen {
        assert!(candidate.objections.iter().any(|o| o.is_against));
    }
    for candidate in found.fallen.iter().chain(&found.undecided) {
        for objection in &candidate.objections {
            let named = objection.trial.as_deref();
            let is_real = named
                .is_some_and(|trial| trials.contains(trial) && trial.contains(&candidate.name));
            let is_of_all = matches!(objection.about, About::Deployment | About::Absent)
                || objection.said == "no container scenario is in scope";
            assert_eq!(is_real, !is_of_all, "{objection:?}");
        }
    }
    for candidate in &found.undecided {
        assert!(candidate.objections.iter().all(|o| !o.is_against));
    }
    let needs: Vec<Need> = needs.iter().map(|need| need.parse().unwrap()).collect();
    for candidate in &found.remain {
        assert_eq!(candidate.objections, []);
        let properties = &candidate.deployment.as_ref().unwrap().properties;
        assert!(properties.iter().all(|p| !without.contains(&p.as_str())));
        let own = results
            .iter()
            .filter(|t| t.is_watched() && t.backend_label() == candidate.name);
        for trial in own {
            assert_eq!(trial.status, Status::Completed);
            for need in &needs {
                let id = need.to_string();
                let of_containers = id.starts_with("container");
                if of_containers && trial.workload.scenario != "container" {
                    continue;
                }
                let id = match id.split(['<', '>', '=']).next().unwrap() {
                    "path" => "path_accuracy",
                    "containers" => "container",
                    other => other,
                };
                let metric = execlab_reports::metric::Metric::by_id(id).unwrap();
                assert!(
                    need.is_met(metric.of(trial).unwrap()),
                    "{need} of {}",
                    trial.trial
                );
            }
        }
    }
    assert_eq!(
        found.recommendation.as_ref().map(|r| r.candidate.as_str()),
        names(&found.remain).first().copied()
    );
    assert_eq!(
        found.outcome == Outcome::Recommended,
        !found.remain.is_empty()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_is_what_the_trials_say(results in measured(), needs in some(NEEDS), without in some(PROPERTIES)) {
        let found = decide(&results, &question(&results, &needs, &without)).unwrap();
        check(&found, &results, &needs, &without);
    }

    #[test]
    fn another_need_never_lets_anybody_in(results in measured(), needs in some(NEEDS), more in prop::sample::select(NEEDS)) {
        let of = |needs: &[&str]| decide(&results, &question(&results, needs, &[])).unwrap();
        let fewer = of(&needs);
        let stricter = of(&[&needs[..], &[more]].concat());
        for name in names(&stricter.remain) {
            prop_assert!(names(&fewer.remain).contains(&name));
        }
        for name in names(&fewer.fallen) {
            prop_assert!(names(&stricter.fallen).contains(&name));
        }
    }

    #[test]
    fn what_a_change_promises_comes_true(results in measured(), needs in some(NEEDS), without in some(PROPERTIES)) {
        let found = decide(&results, &question(&results, &needs, &without)).unwrap();
        for change in &found.changes.needs {
            for let_in in &change.lets_in {
                let mut needs: Vec<String> = needs.iter().map(|n| n.parse::<Need>().unwrap().to_string()).collect();
                let mut without = without.clone();
                needs.retain(|need| *need != change.what);
                without.retain(|name| change.what != format!("without {name}"));
                needs.extend(let_in.with.clone());
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                let then = decide(&results, &question(&results, &needs, &without)).unwrap();
                prop_assert!(names(&then.remain).contains(&let_in.candidate.as_str()), "{:?}", let_in);
            }
        }
    }

    #[test]
    fn the_order_of_the_lines_does_not_matter(results in measured(), needs in some(NEEDS)) {
        let asked = question(&results, &needs, &[]);
        let mut turned = results.clone();
        turned.reverse();
        prop_assert_eq!(decide(&results, &asked), decide(&turned, &asked));
    }
}
