//! The conformance table: from lines to classes, and what it is held against.

mod check;
mod classes;
mod page;
mod rules;

use execlab_model::result::{
    ArgvCounts, Completeness, FieldCounts, PathCounts, PidCounts, Status, TrialResult,
};
use execlab_reports::conformance::Held;

use crate::fixture;

/// A prediction of a monitor that races for the path and one that does not, on three kernels.
const EXPECTED: &str = r#"
planned = ["later"]

[scenarios]
plain = "S01"
check = "S35"
later = "S99"

[[rule]]
claims = { seen = "all", path = "exact", argv = "exact", pid = "host", container = "right", loss = "knew" }
source = "T9"

[[rule]]
backends = ["racer"]
claims = { path = "varies exact|basename|absent", seen = "varies all|some|none", loss = "varies knew|did-not-know" }
source = "T1"

[[rule]]
scenarios = ["check"]
claims = { seen = "nothing-to-see" }
source = "S35"

[[rule]]
scenarios = ["check"]
kernels = "-6.1"
claims = { seen = "unsupported" }
source = "12"
"#;

fn held(explanations: &str, table: &str) -> Held {
    let empty = "schema = 1\nkernels = []\n";
    let table = if table.is_empty() { empty } else { table };
    Held::parse(EXPECTED, &[], explanations, table).unwrap()
}

/// 20 execs, all of them seen and all right; of parent and user nothing is said.
fn whole(kernel: &str, backend: &str, scenario: &str) -> TrialResult {
    let nature = fixture::Nature {
        name: "any",
        seen: 1.0,
        path: 1.0,
        container: Some(1.0),
        inline: 1.0,
        monitor: 1.0,
        idle: 1.0,
        says: Some(1.0),
    };
    let mut trial = fixture::scored(
        fixture::bare(kernel, backend, scenario, 20, 1),
        &nature,
        1.0,
    );
    for field in [&mut trial.parent, &mut trial.credentials] {
        *field = Some(FieldCounts::default());
    }
    trial
}

/// As [`whole`], with so many paths in other classes.
fn with_paths(kernel: &str, backend: &str, paths: PathCounts) -> TrialResult {
    let mut trial = whole(kernel, backend, "plain");
    trial.path = Some(paths);
    trial
}

/// A storm that made no exec, of which nobody saw one.
fn nothing(kernel: &str, backend: &str) -> TrialResult {
    let mut trial = whole(kernel, backend, "check");
    trial.truth.as_mut().unwrap().execs = 0;
    trial.truth.as_mut().unwrap().attempts = 20;
    trial.completeness = Some(Completeness::default());
    trial.path = Some(PathCounts::default());
    trial.argv = Some(ArgvCounts::default());
    trial.pid = Some(PidCounts::default());
    trial.container = Some(FieldCounts::default());
    trial
}

/// A trial that the guest would not do.
fn unsupported(kernel: &str, backend: &str) -> TrialResult {
    let mut trial = fixture::bare(kernel, backend, "check", 20, 1);
    trial.status = Status::Unsupported;
    trial.reason = Some("execveat with AT_EXECVE_CHECK: EINVAL\u{1b}[31m".into());
    trial
}

/// Two scenarios on three kernels, all as predicted.
fn as_predicted() -> Vec<TrialResult> {
    let mut trials = Vec::new();
    for backend in ["sure", "racer"] {
        for kernel in ["5.10", "6.1", "6.12"] {
            trials.push(whole(kernel, backend, "plain"));
        }
        trials.push(unsupported("5.10", backend));
        trials.push(unsupported("6.1", backend));
        trials.push(nothing("6.12", backend));
    }
    // A race ends otherwise here and there.
    let paths = PathCounts {
        exact: 1,
        absent: 19,
        ..PathCounts::default()
    };
    trials[6].path = Some(paths);
    trials
}
