//! Truth against what the kernels themselves counted.

use super::*;

#[test]
fn the_kernel_counts_the_execs_that_truth_has() {
    let runs: Vec<&TrialResult> = matrix().iter().filter(|line| line.is_witness()).collect();
    assert_eq!(runs.len(), kernels().split(',').count() * 3);
    for line in runs {
        let heard = line.witness.expect("the kernel counted");
        assert_eq!(heard.execs, Some(EXECS), "{}", line.trial);
        assert!(line.cost.is_none(), "{}", line.trial);
    }
}

#[test]
fn the_kernel_counts_the_processes_that_a_storm_made() {
    for line in matrix() {
        let heard = line.witness.expect("the kernel counted");
        let most = if line.is_watched() {
            u64::MAX
        } else {
            EXECS + heard.kernel_threads
        };
        assert!(
            (EXECS..=most).contains(&heard.forks),
            "{}: {heard:?}",
            line.trial
        );
    }
}
