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
    result::Lab,
    truth::{Site, Truth},
};

/// What a storm says of itself, and where it ran.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// Who else is on the machine follows from it.
    lab: Lab,
    /// Whether a monitor was there, which may fork as it likes.
    is_watched: bool,
    execs: u64,
    /// Children of the storm, and threads of theirs.
    tasks: u64,
}

impl Storm {
    /// By its truth.
    pub fn new(lab: Lab, is_watched: bool, truth: &Truth) -> Self {
        let threads = truth.execs.iter().filter(|e| makes_a_thread(truth.site(e)));
        Self {
            lab,
            is_watched,
            execs: truth.execs.len() as u64,
            tasks: truth.forks + threads.count() as u64,
        }
    }

    /// What the kernel's own count says against this, as a sentence without a full stop; `None` where
    /// nothing does.
    pub fn contradiction(self, heard: &Witness) -> Option<String> {
        let alone = self.lab != Lab::Host;
        let Witness {
            forks,
            kernel_threads,
            execs,
        } = *heard;
        let unexplained = alone && !self.is_watched && forks > self.tasks + kernel_threads;
        if forks < self.tasks || unexplained {
            return Some(format!(
                "truth is contradicted: the kernel counted {forks} new tasks, {kernel_threads} of them threads of its own, and the storm says that it made {}",
                self.tasks
            ));
        }
        let execs = execs?;
        (execs < self.execs || alone && execs > self.execs).then(|| {
            format!(
                "truth is contradicted: the kernel counted {execs} execs, and truth has {}",
                self.execs
            )
        })
    }
}

/// Whether an image makes a thread to exec from: the first of these acts ends it
/// (`workloads/payload/acts.rs`).
fn makes_a_thread(site: &Site) -> bool {
    let ends: [&[u8]; 3] = [b"exec", b"thread-exec", b"end"];
    let mut arguments = site.argv.iter().map(AsRef::<[u8]>::as_ref);
    arguments.find(|argument| ends.contains(argument)) == Some(b"thread-exec")
}

#[cfg(test)]
mod tests {
    use execlab_model::Bytes;

    use super::*;
    use crate::score::calibration::{Shape, truth};

    /// 100 execs of 103 children.
    fn made() -> Truth {
        let shape = Shape {
            attempts: 3,
            ..Shape::default()
        };
        truth(&shape, 1)
    }

    fn told(lab: Lab, is_watched: bool, forks: u64, execs: Option<u64>) -> Option<String> {
        let heard = Witness {
            forks,
            kernel_threads: 2,
            execs,
        };
        Storm::new(lab, is_watched, &made()).contradiction(&heard)
    }

    #[test]
    fn threads_of_payloads_are_tasks_too() {
        let mut truth = made();
        for site in &mut truth.sites {
            let acts = ["name", "x", "thread-exec", "/next", "exec", "/last"];
            site.argv.extend(acts.map(Bytes::from));
        }
        let tasks = |truth: &Truth| Storm::new(Lab::Exact, false, truth).tasks;
        assert_eq!(tasks(&truth), 203);
        for site in &mut truth.sites {
            site.argv.insert(0, "end".into());
        }
        assert_eq!(tasks(&truth), 103);
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
