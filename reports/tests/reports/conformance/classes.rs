//! What a line of results is in words.

use execlab_model::{
    result::{FieldCounts, Honesty, Lab, PathClass, Status},
    workload::Load,
};
use execlab_reports::conformance::{Class, Facet, Measured, conformance};
use proptest::prelude::*;

use super::{held, nothing, unsupported, whole};
use crate::fixture;

fn class(trial: &execlab_model::result::TrialResult) -> Option<String> {
    Some(Class::measured(&Measured::of(trial)?).to_string())
}

#[test]
fn parents_and_users_are_facets_of_their_own() {
    let mut trial = whole("6.1", "sure", "plain");
    let counts = |right, wrong, absent| {
        Some(FieldCounts {
            right,
            wrong,
            absent,
        })
    };
    trial.parent = counts(15, 0, 5);
    trial.credentials = counts(20, 0, 0);
    let words = [Facet::Parent, Facet::User].map(|f| f.measure(&trial).unwrap());
    assert_eq!(words, [vec!["right", "absent"], vec!["right"]]);
    trial.parent = None;
    assert_eq!(Facet::Parent.measure(&trial), None, "it was not measured");
}

#[test]
fn what_is_seen_is_told_in_words_and_without_numbers() {
    let trial = || whole("6.1", "sure", "plain");
    let all = "path exact; argv exact; pid host; container right; loss knew";
    assert_eq!(class(&trial()).unwrap(), format!("seen all; {all}"));

    let mut some = trial();
    let seen = some.completeness.as_mut().unwrap();
    (seen.seen, seen.missed, seen.duplicates, seen.phantoms) = (19, 1, 2, 3);
    some.late = 4;
    assert_eq!(
        class(&some).unwrap(),
        format!("seen some; phantoms yes; duplicates yes; late yes; {all}")
    );

    let mut odd = trial();
    let path = odd.path.as_mut().unwrap();
    (path.exact, path.stale, path.in_root) = (1, 18, 1);
    odd.argv.as_mut().unwrap().joined = 1;
    odd.pid.as_mut().unwrap().in_namespace = 1;
    odd.container.as_mut().unwrap().wrong = 1;
    odd.loss.as_mut().unwrap().honesty = Honesty::KnewWithoutANumber;
    assert_eq!(
        class(&odd).unwrap(),
        "seen all; path exact|in_root|stale; argv exact|joined; pid host|in_namespace; \
         container right|wrong; loss knew-without-a-number"
    );
}

#[test]
fn nothing_to_see_is_a_class_of_its_own() {
    assert_eq!(
        class(&nothing("6.12", "sure")).unwrap(),
        "seen nothing-to-see; loss knew"
    );
    let mut invented = nothing("6.12", "sure");
    invented.completeness.as_mut().unwrap().phantoms = 20;
    assert_eq!(
        class(&invented).unwrap(),
        "seen nothing-to-see; phantoms yes; loss knew"
    );
}

#[test]
fn without_a_measurement_there_is_no_class() {
    assert_eq!(
        class(&unsupported("5.10", "sure")).unwrap(),
        "seen unsupported"
    );
    // The truth of a trial whose monitor died is whole, but that it died is all there is to say.
    let mut failed = whole("6.1", "sure", "plain");
    failed.status = Status::BackendFailed;
    assert_eq!(class(&failed).unwrap(), "seen backend-failed");
    for status in [Status::Lost, Status::Infra] {
        let mut gone = whole("6.1", "sure", "plain");
        gone.status = status;
        assert_eq!(class(&gone), None);
    }
    // A line that says `completed` and brings no figures is not believed.
    let mut hollow = fixture::bare("6.1", "sure", "plain", 20, 1);
    hollow.status = Status::Completed;
    assert_eq!(class(&hollow), None);
}

#[test]
fn a_class_has_one_way_to_be_written() {
    for text in [
        "seen all; path exact|stale; argv exact; pid host; container right; loss knew",
        "seen varies all|some|none; path varies exact|absent; pid host; loss varies knew|did-not-know",
        "seen none; phantoms yes; loss did-not-know",
        "seen nothing-to-see; loss knew",
        "seen unsupported",
    ] {
        assert_eq!(text.parse::<Class>().unwrap().to_string(), text);
    }
    // What follows from the first facet is not believed where it does not.
    let class: Class = "seen none; path exact; loss knew".parse().unwrap();
    assert_eq!(class.to_string(), "seen none; loss knew");
}

#[test]
fn a_bad_class_is_told_with_what_is_valid() {
    let error = |text: &str| text.parse::<Class>().unwrap_err().to_string();
    insta::assert_snapshot!(error("seem all"), @"`seem` is no facet (valid: seen, phantoms, duplicates, late, path, argv, pid, parent, user, container, loss)");
    insta::assert_snapshot!(error("seen all; pid mine"), @"`mine` is nothing that is said of pid (valid, joined by `|`: -, host, in_namespace, wrong, absent)");
    insta::assert_snapshot!(error("seen varies all"), @"seen: one word alone does not vary");
    insta::assert_snapshot!(error("seen all; seen none"), @"seen is said twice");
}

#[test]
fn what_stands_out_is_told_to_people() {
    let brief = |text: &str| text.parse::<Class>().unwrap().brief();
    let fine = "path exact; argv exact; pid host; container right; loss knew";
    assert_eq!(brief(&format!("seen all; {fine}")), "sees all");
    assert_eq!(
        brief(
            "seen varies all|none; path varies exact|stale|absent; argv exact|wrong; pid host; container right; loss knew"
        ),
        "sees all or none; path exact, stale or absent; argv exact and wrong"
    );
    assert_eq!(
        brief("seen nothing-to-see; phantoms yes; loss knew"),
        "nothing to see; phantoms"
    );
    assert_eq!(
        brief("seen none; loss did-not-know"),
        "sees none; loss did-not-know"
    );
    assert_eq!(brief("seen unsupported"), "unsupported");
}

#[test]
fn seeds_of_a_cell_are_taken_together() {
    let mut seeds = [whole("6.1", "sure", "plain"), whole("6.1", "sure", "plain")];
    seeds[1].seed = 2;
    let seen = seeds[1].completeness.as_mut().unwrap();
    (seen.seen, seen.missed) = (19, 1);
    let table = conformance(&seeds, &held("", ""));
    assert_eq!(table.rows[0].class["seen"], "all|some");
}

#[test]
fn a_trial_that_was_run_in_another_manner_is_left_out_and_counted() {
    let mut trials = vec![whole("6.1", "sure", "plain"); 6];
    trials[1].lab = Lab::Kvm;
    trials[2].workload.load = Load::Burst(9);
    trials[3].backend.variant = "tuned".into();
    trials[4].workload.population = 500;
    // A kernel whose series nobody knows.
    trials[5].kernel.name = "mine".into();
    trials[5].kernel.release = "mine".into();
    let table = conformance(&trials, &held("", ""));
    assert_eq!((table.rows.len(), table.left_out), (1, 5));
}

#[test]
fn a_scenario_that_asks_for_its_own_load_is_measured_under_it() {
    let mut held = held("", "");
    held.loads.insert("plain".into(), Load::Burst(9));
    let mut trials = vec![whole("6.1", "sure", "plain"); 2];
    trials[1].kernel.name = "6.12".into();
    trials[1].workload.load = Load::Burst(9);
    let table = conformance(&trials, &held);
    assert_eq!(
        (table.kernels, table.left_out),
        (vec!["6.12".to_owned()], 1)
    );
}

#[test]
fn a_kernel_by_its_release_or_from_a_file_is_of_its_series() {
    let mut trials = vec![whole("6.1.0-56-cloud-amd64", "sure", "plain")];
    trials.push(whole("7.2", "sure", "plain"));
    trials[1].kernel.name = "path:/k/bzImage".into();
    trials[1].kernel.release = "7.2.13+deb14-cloud-amd64".into();
    let table = conformance(&trials, &held("", ""));
    assert_eq!(table.kernels, ["6.1", "7.2"]);
}

proptest! {
    #[test]
    fn what_was_measured_reads_back(counts in prop::collection::vec(0_u64..3, 23), execs in 0_u64..3) {
        let mut trial = whole("6.1", "sure", "plain");
        let mut counts = counts.into_iter();
        let mut next = || counts.next().unwrap();
        trial.truth.as_mut().unwrap().execs = execs;
        let completeness = trial.completeness.as_mut().unwrap();
        completeness.seen = next().min(execs);
        completeness.phantoms = next();
        completeness.duplicates = next();
        trial.late = next();
        let seen = completeness.seen > 0;
        let some = |count: u64| if seen { count } else { 0 };
        for class in PathClass::ALL {
            *trial.path.as_mut().unwrap().of(class) = some(next());
        }
        let argv = trial.argv.as_mut().unwrap();
        (argv.exact, argv.truncated, argv.joined) = (some(next()), some(next()), some(next()));
        let pid = trial.pid.as_mut().unwrap();
        (pid.host, pid.wrong, pid.absent) = (some(next()), some(next()), some(next()));
        let container = trial.container.as_mut().unwrap();
        (container.right, container.wrong, container.absent) = (some(next()), some(next()), some(next()));
        let measured = Measured::of(&trial).unwrap();
        let class = Class::measured(&measured);
        // Of seen execs every field has a class: a scorer that gives none to any is not among these.
        let judged = Facet::ALL[4..8].iter().all(|facet| class.words(*facet).is_some());
        prop_assume!(!seen || judged);
        let read: Class = class.to_string().parse().unwrap();
        prop_assert_eq!(read, class);
        for facet in Facet::ALL {
            prop_assert!(read.of(facet).holds(measured.facet(facet)));
        }
    }
}
