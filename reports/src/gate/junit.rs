//! The comparison for a CI server: a suite for each kernel and backend, a case for each row and measure.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Gate, Policy, Row, Verdict, judge, show::parts_of};
use execlab_model::exit::ExitCode;

/// The document.
pub fn junit(gate: &Gate) -> String {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for row in &gate.rows {
        let mut parts = row.cell.splitn(3, '/');
        let (kernel, backend) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let workload = parts.next().unwrap_or("");
        let name = format!("{kernel}/{backend}");
        let suite = suites
            .entry(name.clone())
            .or_insert_with(|| TestSuite::new(name));
        let class = format!("{kernel}.{backend}");
        suite.add_test_case(of_row(
            row,
            &gate.policy,
            &format!("{workload} row"),
            &class,
        ));
        for finding in &row.findings {
            let name = format!("{workload} {}", finding.metric);
            suite.add_test_case(of_finding(row, &gate.policy, finding, &name, &class));
        }
    }
    let mut report = Report::new("execlab compare");
    for suite in suites.into_values() {
        report.add_test_suite(suite);
    }
    let mut out = Vec::new();
    report
        .serialize(&mut out)
        .expect("writing to memory does not fail");
    String::from_utf8(out).expect("quick-junit writes UTF-8")
}

/// Whether the row itself can be judged: its figures have cases of their own.
fn of_row(row: &Row, policy: &Policy, name: &str, class: &str) -> TestCase {
    let (verdict, code) = if judge::by_figures(row) {
        judge::beside_figures(row, policy)
    } else {
        (row.verdict, judge::code_of(row.exit_code))
    };
    let mut case = TestCase::new(name, status(verdict, code, &row.why.join("; ")));
    case.set_classname(class);
    for change in &row.changed {
        let value = format!("{} -> {}", change.base, change.new);
        case.add_property(Property::new(
            format!("changed.{}", change.input.as_str()),
            value,
        ));
    }
    case
}

fn of_finding(row: &Row, policy: &Policy, finding: &Finding, name: &str, class: &str) -> TestCase {
    // What became of the row is said by its own case.
    let status = if judge::by_figures(row) {
        let code = judge::code_of_finding(row, finding, policy);
        status(finding.verdict, code, &finding.words)
    } else {
        TestCaseStatus::skipped()
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    for (name, value) in [
        ("base", finding.base),
        ("new", finding.new),
        ("difference", finding.difference),
        ("limit", Some(finding.limit)),
        ("noise", finding.noise),
        ("p", finding.p),
    ] {
        if let Some(value) = value {
            case.add_property(Property::new(name, value.to_string()));
        }
    }
    case.add_property(Property::new("verdict", finding.verdict.as_str()));
    if let Some(parts) = parts_of(finding) {
        case.set_system_out(parts);
    }
    case
}

fn status(verdict: Verdict, code: ExitCode, words: &str) -> TestCaseStatus {
    let mut status = match verdict {
        Verdict::Unchanged | Verdict::Improved => return TestCaseStatus::success(),
        _ if code == ExitCode::Ok => TestCaseStatus::skipped(),
        Verdict::Ignored | Verdict::Suspected => TestCaseStatus::skipped(),
        Verdict::Regressed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::New
        | Verdict::Unclear
        | Verdict::NotComparable
        | Verdict::Nondeterministic
        | Verdict::Disappeared
        | Verdict::Incomplete
        | Verdict::Lost => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_type(verdict.as_str());
    status.set_message(words);
    status
}
