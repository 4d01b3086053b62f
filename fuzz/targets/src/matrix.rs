//! Matrix files, up to the list of trials that they mean.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use execlab_harness::{
    matrix::{Matrix, MatrixError, Origin, Problem, read, resolve},
    plan::{Plan, file_name},
    registry::Registry,
};

use crate::file::AsFile;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::of_this_build);

/// Larger plans take longer than they tell.
const MOST_TRIALS: usize = 300;

/// A file: what is wrong with it has a place in it; what is right means trials that can be told apart. Gives
/// whether it is right.
pub fn run(input: &[u8]) -> bool {
    let file = AsFile::of(input);
    let path = file.path();
    let selection = match read(path) {
        Ok(selection) => selection,
        Err(MatrixError::Read { .. }) => {
            assert!(str::from_utf8(input).is_err(), "text that cannot be read");
            return false;
        }
        Err(MatrixError::Invalid(problems)) => {
            in_file(&problems, path, input);
            return false;
        }
        Err(error @ MatrixError::NothingSelected(_)) => {
            panic!("before anything was looked up: {error}")
        }
    };
    let found = resolve(selection, &REGISTRY);
    match &found {
        Ok(matrix) => {
            let json = serde_json::to_string(matrix).expect("plain data always encodes");
            let again: Matrix = serde_json::from_str(&json).expect("it was written just now");
            assert_eq!(&again, matrix);
            trials(matrix);
        }
        Err(MatrixError::Invalid(problems)) => in_file(problems, path, input),
        Err(MatrixError::NothingSelected(which)) => assert!(!which.is_empty()),
        Err(error @ MatrixError::Read { .. }) => panic!("nothing was read: {error}"),
    }
    found.is_ok()
}

fn in_file(problems: &[Problem], path: &Path, input: &[u8]) {
    assert!(!problems.is_empty(), "refused for no reason");
    let lines = input.split(|&byte| byte == b'\n').count();
    let mut before = 0;
    for problem in problems {
        assert!(!problem.what.is_empty());
        match &problem.origin {
            Origin::File(file, line) => {
                assert!(file == path && (1..=lines).contains(line) && before <= *line);
                before = *line;
            }
            // What the file does not say is as in the built-in matrix, which may not fit to it.
            Origin::BuiltIn => {}
            Origin::Flag(flag) => panic!("there was no {flag}"),
        }
    }
}

fn trials(matrix: &Matrix) {
    let seeds = usize::try_from(matrix.seeds.1 - matrix.seeds.0).unwrap_or(usize::MAX);
    let dimensions = [
        matrix.kernels.len(),
        // Baselines with and without boot options, and the control.
        matrix.backends.len() + 3,
        matrix.workloads.len(),
        matrix.loads.len(),
        matrix.lifetimes_ns.len(),
        matrix.spawns.len(),
        matrix.populations.len(),
        seeds,
    ];
    let most = dimensions.into_iter().fold(1, usize::saturating_mul);
    if most > MOST_TRIALS {
        return;
    }
    let plan = Plan::of(matrix);
    assert!((1..=most).contains(&plan.trials.len()));
    let ids: BTreeSet<&str> = plan.trials.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids.len(), plan.trials.len(), "two trials of one name");
    let logs: BTreeSet<String> = ids.iter().map(|id| file_name(id)).collect();
    assert_eq!(logs.len(), ids.len(), "two trials with one log");
    assert!(logs.iter().all(|log| log.len() < 240 && !log.contains('/')));
    let json = serde_json::to_string(&plan).expect("plain data always encodes");
    let again: Plan = serde_json::from_str(&json).expect("it was written just now");
    assert_eq!(again.difference(&plan), None);
    for (at, of) in plan.baselines().into_iter().enumerate() {
        for baseline in [of.plain, of.boot].into_iter().flatten() {
            assert!(baseline != at && plan.trials[baseline].backend.is_baseline());
        }
    }
}
