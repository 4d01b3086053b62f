//! `junit.xml`: one suite for each kernel and backend, one case for each trial.
//!
//! A trial passes when it was completed, whatever it scored: whether a score is good enough is for a
//! gate to say. `unsupported` is skipped, everything else is an error. Trials that were run again have
//! a suite of their own.

use execlab_model::{
    repeat::{Repeat, Verdict},
    result::{Status, TrialResult},
};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::{
    bound::{bounded, bounded_repeats},
    cached::cached_since,
    matrix::Matrix,
    metric::{METRICS, Reading},
    text::clean,
};

/// The document.
pub fn junit(results: &[TrialResult], repeats: &[Repeat]) -> String {
    let bounded = bounded(results);
    let matrix = Matrix::new(&bounded);
    let mut report = Report::new("execlab");
    for (kernel, kernel_label) in matrix.kernels.iter().map(|k| &k.label).enumerate() {
        for (backend, backend_label) in matrix.backends.iter().map(|b| &b.label).enumerate() {
            let cells = matrix
                .cells()
                .filter(|c| (c.at.kernel, c.at.backend) == (kernel, backend));
            let trials: Vec<_> = cells.flat_map(|c| &c.trials).collect();
            let Some(first) = trials.first() else {
                continue;
            };
            let mut suite = TestSuite::new(format!("{kernel_label}/{backend_label}"));
            suite.add_property(Property::new("release", clean(&first.kernel.release)));
            suite.add_property(Property::new("sha256", clean(&first.kernel.sha256)));
            for (name, value) in &first.backend.settings {
                suite.add_property(Property::new(
                    format!("setting.{}", clean(name)),
                    clean(value),
                ));
            }
            for trial in trials {
                suite.add_test_case(case(trial, &format!("{kernel_label}.{backend_label}")));
            }
            report.add_test_suite(suite);
        }
    }
    if let Some(suite) = repeated(&bounded_repeats(repeats)) {
        report.add_test_suite(suite);
    }
    let mut out = Vec::new();
    report
        .serialize(&mut out)
        .expect("writing to memory does not fail");
    String::from_utf8(out).expect("quick-junit writes UTF-8")
}

/// Trials that were run again: each fails where it did not come out the same.
fn repeated(repeats: &[Repeat]) -> Option<TestSuite> {
    let mut repeats: Vec<&Repeat> = repeats.iter().collect();
    repeats.sort_by(|a, b| a.trial.cmp(&b.trial));
    let mut suite = TestSuite::new("run again");
    for repeat in &repeats {
        let mut status = match repeat.verdict {
            Verdict::Same => TestCaseStatus::success(),
            Verdict::Differs => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Error),
        };
        if repeat.verdict != Verdict::Same {
            let difference = repeat.difference.as_ref().map(ToString::to_string);
            let why = difference.or_else(|| repeat.reason.clone());
            status.set_type(repeat.verdict.as_str());
            status.set_message(clean(&why.unwrap_or_default()));
        }
        let mut case = TestCase::new(clean(&repeat.trial), status);
        case.set_classname("run again");
        case.add_property(Property::new("start", repeat.start.as_str()));
        case.add_property(Property::new("digest", clean(&repeat.digest)));
        suite.add_test_case(case);
    }
    (!repeats.is_empty()).then_some(suite)
}

fn case(trial: &TrialResult, class: &str) -> TestCase {
    let mut case = TestCase::new(clean(&trial.trial), status(trial));
    case.set_classname(class);
    case.add_property(Property::new("status", trial.status.as_str()));
    case.add_property(Property::new("digest", clean(&trial.digest)));
    case.add_property(Property::new("lab", trial.lab.as_str()));
    case.add_property(Property::new("seed", trial.seed.to_string()));
    if let Some(since) = cached_since(trial) {
        case.add_property(Property::new("cached_since", clean(since)));
    }
    for metric in METRICS {
        // Numbers are whole here: programs read them.
        match metric.of(trial) {
            Some(Reading::Number(n)) => case.add_property(Property::new(metric.id, n.to_string())),
            Some(Reading::Word(word)) => case.add_property(Property::new(metric.id, word)),
            None => &mut case,
        };
    }
    if !trial.notes.is_empty() {
        let notes: Vec<String> = trial.notes.iter().map(|n| clean(n)).collect();
        case.set_system_out(notes.join("\n"));
    }
    case
}

fn status(trial: &TrialResult) -> TestCaseStatus {
    let mut status = match trial.status {
        Status::Completed => return TestCaseStatus::success(),
        Status::Unsupported => TestCaseStatus::skipped(),
        Status::BackendFailed | Status::Lost | Status::Infra => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    status.set_type(trial.status.as_str());
    status.set_message(clean(
        trial.reason.as_deref().unwrap_or("no reason was given"),
    ));
    status
}
