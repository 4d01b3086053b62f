//! A thread that walks paths which may take long, and is not waited for for ever.

use std::{
    os::fd::OwnedFd,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::Duration,
};

use super::resolve::Start;

/// How long a walk may keep its caller. A disk answers in much less.
const PATIENCE: Duration = Duration::from_secs(1);
/// A test that fails for a busy machine says nothing.
#[cfg(test)]
const PATIENCE_OF_TESTS: Duration = Duration::from_mins(1);

/// What is walked, and where the answer goes.
type Job = (Start, Sender<nix::Result<OwnedFd>>);

/// See the module. Its thread begins with the first walk.
#[derive(Debug)]
pub struct Walker {
    patience: Duration,
    jobs: Option<Sender<Job>>,
    /// The answer that did not come in time.
    late: Option<Receiver<nix::Result<OwnedFd>>>,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            patience: PATIENCE,
            jobs: None,
            late: None,
        }
    }
}

impl Walker {
    /// One that waits long enough on any machine.
    #[cfg(test)]
    pub fn patient() -> Self {
        Self {
            patience: PATIENCE_OF_TESTS,
            ..Self::default()
        }
    }

    /// Walks a path; `None` where that takes too long, or the walk before it is still under way.
    pub fn walk(&mut self, start: Start) -> Option<nix::Result<OwnedFd>> {
        if let Some(late) = self.late.take()
            && let Err(std::sync::mpsc::TryRecvError::Empty) = late.try_recv()
        {
            self.late = Some(late);
            return None;
        }
        let (answer, answered) = channel();
        let jobs = self.jobs.get_or_insert_with(begin);
        if jobs.send((start, answer)).is_err() {
            self.jobs = None;
            return None;
        }
        match answered.recv_timeout(self.patience) {
            Ok(opened) => Some(opened),
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(answered);
                None
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

/// It ends with the sender of its jobs, or with the process.
fn begin() -> Sender<Job> {
    let (jobs, queue) = channel::<Job>();
    std::thread::spawn(move || {
        for (start, answer) in queue {
            // Nobody waits any more where it took too long.
            let _ = answer.send(start.walk(0));
        }
    });
    jobs
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_walk_ends_at_a_file_or_says_why_not() {
        let root = || OwnedFd::from(File::open("/").unwrap());
        let mut walker = Walker::patient();
        let there = walker.walk(Start::Root(root(), b"/proc/self".to_vec()));
        assert!(matches!(there, Some(Ok(_))));
        let nowhere = walker.walk(Start::Root(root(), b"/no/such/file".to_vec()));
        assert!(matches!(nowhere, Some(Err(Errno::ENOENT))));
    }

    #[test]
    fn nobody_waits_for_a_walk_that_is_still_under_way() {
        let (answer, late) = channel();
        let mut walker = Walker {
            late: Some(late),
            ..Walker::patient()
        };
        let start = || Start::Root(File::open("/").unwrap().into(), b"/".to_vec());
        assert!(walker.walk(start()).is_none());
        answer.send(Err(Errno::EIO)).unwrap();
        assert!(matches!(walker.walk(start()), Some(Ok(_))));
    }
}
