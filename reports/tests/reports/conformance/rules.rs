//! The table is refused where a row is otherwise than predicted and nobody says why, and where somebody
//! explains what is not so.

use execlab_model::result::{ArgvCounts, FieldCounts, PathCounts, PidCounts, TrialResult};
use execlab_reports::conformance::{Table, conformance, problems, stubs};

use super::{as_predicted, held, nothing, with_paths};

fn table(trials: &[TrialResult], explanations: &str) -> String {
    conformance(trials, &held(explanations, "")).toml().unwrap()
}

/// What the test of the committed files says of such a table.
fn refused(trials: &[TrialResult], explanations: &str) -> Vec<String> {
    let table = table(trials, explanations);
    let problems = problems(&held(explanations, &table));
    problems.iter().map(ToString::to_string).collect()
}

/// The first cell has another path, on one kernel.
fn changed() -> Vec<TrialResult> {
    let mut trials = as_predicted();
    trials[1] = with_paths(
        "6.1",
        "sure",
        PathCounts {
            exact: 10,
            stale: 10,
            ..PathCounts::default()
        },
    );
    trials
}

const WHY: &str = r#"
[[explanation]]
backends = ["sure"]
scenarios = ["plain"]
kernels = "6.1"
claims = { path = "exact|stale" }
why = "that kernel resolves late"
"#;

#[test]
fn the_table_of_what_was_predicted_says_the_prediction() {
    insta::assert_snapshot!(table(&as_predicted(), ""));
    assert!(refused(&as_predicted(), "").is_empty());
}

#[test]
fn a_table_reads_back_as_it_was_written() {
    for trials in [as_predicted(), changed()] {
        let text = table(&trials, "");
        assert_eq!(Table::parse(&text).unwrap().toml(), text);
    }
}

#[test]
fn a_changed_row_is_refused_until_it_is_explained_in_its_own_words() {
    insta::assert_snapshot!(refused(&changed(), "").join("\n"), @"plain × sure on 6.1: path is `exact|stale`, predicted was `exact`, and no explanation says so");
    assert!(refused(&changed(), WHY).is_empty());
    let mut again = changed();
    again[1].path.as_mut().unwrap().wrong = 1;
    insta::assert_snapshot!(refused(&again, WHY).join("\n"), @r"
    plain × sure on 6.1: path is `exact|stale|wrong`, predicted was `exact`, and no explanation says so
    the explanation of sure × plain on 6.1 says that path is `exact|stale`, and on 6.1 plain × sure has `exact|stale|wrong`
    ");
}

#[test]
fn an_explanation_of_what_is_as_predicted_is_refused() {
    insta::assert_snapshot!(refused(&as_predicted(), WHY).join("\n"), @"the explanation of sure × plain on 6.1 says that path is `exact|stale`, and on 6.1 plain × sure has `exact`, as predicted");
    let wide = WHY.replace("kernels = \"6.1\"\n", "");
    assert_eq!(refused(&changed(), &wide).len(), 2, "on 5.10 and 6.12");
    let other = WHY.replace("\"plain\"", "\"never\"");
    insta::assert_snapshot!(refused(&as_predicted(), &other).join("\n"), @"the explanation of sure × never on 6.1 explains no cell of the table");
}

#[test]
fn an_explanation_without_a_reason_is_none() {
    let empty = WHY.replace("that kernel resolves late", " ");
    let error = execlab_reports::conformance::Held::parse(super::EXPECTED, &[], &empty, "");
    insta::assert_snapshot!(error.unwrap_err(), @"explanations.toml, rule 1: `why` is empty");
}

#[test]
fn what_is_missing_is_printed_ready_to_be_filled_in() {
    let mut trials = changed();
    for kernel in ["5.10", "6.1"] {
        let mut other = nothing(kernel, "sure");
        other.completeness.as_mut().unwrap().phantoms = 1;
        trials.retain(|t| {
            (
                t.workload.scenario.as_str(),
                t.kernel.name.as_str(),
                t.backend.name.as_str(),
            ) != ("check", kernel, "sure")
        });
        trials.push(other);
    }
    let run = conformance(&trials, &held("", ""));
    let missing = stubs(&run, &held("", ""));
    insta::assert_snapshot!(missing);
    let said = missing.replace("why = \"\"", "why = \"because\"");
    assert!(refused(&trials, &said).is_empty());
    assert_eq!(
        stubs(&conformance(&trials, &held(&said, "")), &held(&said, "")),
        ""
    );
}

#[test]
fn what_may_be_seen_or_not_is_still_held_where_it_is_seen() {
    let mut trials = as_predicted();
    for trial in &mut trials[6..9] {
        trial.argv.as_mut().unwrap().wrong = 1;
    }
    let text = table(&trials, "");
    assert_eq!(Table::parse(&text).unwrap().toml(), text);
    assert!(text.contains(
        "seen varies all|some|none; path varies exact|basename|absent; argv exact|wrong;"
    ));
    let run = conformance(&as_predicted(), &held("", &text));
    let facets: Vec<&str> = run
        .contradictions
        .iter()
        .map(|c| c.facet.as_str())
        .collect();
    assert_eq!(facets, ["argv", "argv", "argv"]);
}

#[test]
fn a_race_stays_one_in_the_table_whatever_a_run_shows() {
    let mut other = as_predicted();
    other[6].path = Some(PathCounts {
        basename: 20,
        ..PathCounts::default()
    });
    let seen = other[7].completeness.as_mut().unwrap();
    (seen.seen, seen.missed) = (3, 17);
    assert_eq!(table(&other, ""), table(&as_predicted(), ""));
    // But not outside of what the race can bring about.
    other[6].path.as_mut().unwrap().wrong = 1;
    assert_eq!(refused(&other, "").len(), 1);
}

#[test]
fn an_explanation_may_say_that_something_varies() {
    let why = WHY.replace("exact|stale", "varies exact|stale|wrong");
    assert!(refused(&changed(), &why).is_empty());
    let mut again = changed();
    again[1].path.as_mut().unwrap().wrong = 1;
    assert_eq!(table(&again, &why), table(&changed(), &why));
}

#[test]
fn that_nothing_is_seen_needs_one_explanation_and_not_one_for_each_field() {
    let mut trials = as_predicted();
    let blind = &mut trials[1];
    let seen = blind.completeness.as_mut().unwrap();
    (seen.seen, seen.missed) = (0, 20);
    blind.path = Some(PathCounts::default());
    blind.argv = Some(ArgvCounts::default());
    blind.pid = Some(PidCounts::default());
    blind.container = Some(FieldCounts::default());
    let problems = refused(&trials, "");
    insta::assert_snapshot!(problems.join("\n"), @"plain × sure on 6.1: seen is `none`, predicted was `all`, and no explanation says so");
}
