//! Truth against what the kernel itself counted.
//!
//! | what | where it must be equal | where it may only be more |
//! |---|---|---|
//! | forks | nobody watches, on a machine that only runs the trial | a monitor may fork; on a host everybody may |
//! | execs | a witness run, on such a machine | a witness run on a host |
//!
//! Kernel threads are tasks too: of what the kernel counted more than truth, as many are explained as
//! were made meanwhile. Nothing ever explains that it counted fewer.

use execlab_model::{
    record::Witness,
    result::{Lab, TruthCounts},
};

/// Where and how a storm ran.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// Who else is on the machine follows from it.
    pub lab: Lab,
    /// Whether a monitor was there, which may fork as it likes.
    pub is_watched: bool,
    /// What it says that it did.
    pub truth: TruthCounts,
}

/// What the kernel's own count says against a storm's truth, as a sentence without a full stop; `None`
/// where nothing does.
pub fn contradiction(storm: Storm, heard: &Witness) -> Option<String> {
    let Storm {
        lab,
        is_watched,
        truth,
    } = storm;
    let alone = lab != Lab::Host;
    let Witness {
        forks,
        kernel_threads,
        execs,
    } = *heard;
    let unexplained = alone && !is_watched && forks > truth.forks + kernel_threads;
    if forks < truth.forks || unexplained {
        return Some(format!(
            "truth is contradicted: the kernel counted {forks} new tasks, {kernel_threads} of them threads of its own, and the storm says that it made {}",
            truth.forks
        ));
    }
    let execs = execs?;
    (execs < truth.execs || alone && execs > truth.execs).then(|| {
        format!(
            "truth is contradicted: the kernel counted {execs} execs, and truth has {}",
            truth.execs
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lab: Lab, is_watched: bool, forks: u64, execs: Option<u64>) -> Option<String> {
        let truth = TruthCounts {
            execs: 100,
            attempts: 3,
            forks: 103,
        };
        let storm = Storm {
            lab,
            is_watched,
            truth,
        };
        let heard = Witness {
            forks,
            kernel_threads: 2,
            execs,
        };
        contradiction(storm, &heard)
    }

    #[test]
    fn fewer_forks_are_never_explained() {
        for lab in Lab::ALL {
            for is_watched in [false, true] {
                assert_eq!(told(lab, is_watched, 103, None), None);
                let told = told(lab, is_watched, 102, None).unwrap();
                assert!(told.contains("102 new tasks") && told.contains("made 103"));
            }
        }
    }

    #[test]
    fn more_forks_are_explained_by_kernel_threads_a_monitor_or_a_host() {
        for lab in [Lab::Exact, Lab::Kvm] {
            assert_eq!(told(lab, false, 105, None), None);
            assert!(told(lab, false, 106, None).is_some());
            assert_eq!(told(lab, true, 106, None), None);
        }
        assert_eq!(told(Lab::Host, false, 900, None), None);
    }

    #[test]
    fn execs_are_equal_where_nobody_else_makes_any() {
        for lab in Lab::ALL {
            assert_eq!(told(lab, false, 103, Some(100)), None);
            let fewer = told(lab, false, 103, Some(99)).unwrap();
            assert!(fewer.contains("99 execs") && fewer.contains("truth has 100"));
            let more = told(lab, false, 103, Some(101));
            assert_eq!(more.is_some(), lab != Lab::Host);
        }
    }
}
