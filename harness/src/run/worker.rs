//! One worker: takes a trial, runs it, tries it again if the host's side broke, and scores it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use execlab_model::result::{KernelId, Provenance, TrialResult};
use serde_json::json;

use super::{Run, queue::Queue};
use crate::{
    lab::{Outcome, Ran},
    plan::{TrialSpec, file_name},
    results::{self, BaselineLines},
};

/// What a worker tells the thread that writes. Trials are named by their position in the plan.
pub(super) enum Said {
    Started(usize),
    Retried(usize, String),
    Abandoned(usize),
    Finished {
        result: Arc<TrialResult>,
        wall: Duration,
        panicked: bool,
    },
}

pub(super) struct Worker<'a> {
    pub(super) run: Run<'a>,
    pub(super) queue: &'a Queue,
    pub(super) logs: PathBuf,
    pub(super) say: mpsc::Sender<Said>,
}

/// One try.
struct Try {
    digest: String,
    ran: Ran,
    panicked: bool,
}

impl Worker<'_> {
    pub(super) fn work(self) {
        while !self.interrupted()
            && let Some((at, baselines)) = self.queue.take()
        {
            // After waiting for a baseline the world may be another one.
            let line = if self.interrupted() {
                None
            } else {
                self.trial(at, &baselines)
            };
            self.queue.end(at, line);
        }
    }

    /// The line of a trial, or `None` where an interrupt took it.
    fn trial(&self, at: usize, baselines: &BaselineLines) -> Option<Arc<TrialResult>> {
        self.say(Said::Started(at));
        let trial = &self.run.plan.trials[at];
        let began = Instant::now();
        let mut tried = self.try_once(trial);
        let mut first_reason = None;
        if let Outcome::Infra { reason } = &tried.ran.outcome
            && !self.interrupted()
        {
            self.say(Said::Retried(at, reason.clone()));
            first_reason = Some(reason.clone());
            tried = self.try_once(trial);
        }
        // An interrupt reaches the machines too: what they did not finish says nothing about them.
        if self.interrupted() && !matches!(tried.ran.outcome, Outcome::Record(_)) {
            self.say(Said::Abandoned(at));
            return None;
        }
        let wall = tried.ran.wall;
        let (mut line, panicked) = self.score(trial, tried, baselines);
        line.host.insert("wall_ms".into(), json!(millis(wall)));
        line.host
            .insert("wall_with_tries_ms".into(), json!(millis(began.elapsed())));
        if let Some(reason) = first_reason {
            line.host.insert("tries".into(), json!(2));
            line.host.insert("first_try".into(), json!(reason));
        }
        let line = Arc::new(line);
        // Said before it is there for others: so it stands in the file before what is built on it.
        self.say(Said::Finished {
            result: Arc::clone(&line),
            wall,
            panicked,
        });
        Some(line)
    }

    fn try_once(&self, trial: &TrialSpec) -> Try {
        let log = self
            .logs
            .join(format!("{}.serial.log", file_name(&trial.id)));
        let attempt = || match self.run.lab.digest(trial) {
            Ok(digest) => {
                let ran = self.run.lab.run(trial, self.run.start, &digest, &log);
                (digest, ran)
            }
            Err(error) => (String::new(), broke(trial, format!("no digest: {error}"))),
        };
        match catch_unwind(AssertUnwindSafe(attempt)) {
            Ok((digest, ran)) => Try {
                digest,
                ran,
                panicked: false,
            },
            Err(panic) => Try {
                digest: String::new(),
                ran: broke(trial, defect(&*panic)),
                panicked: true,
            },
        }
    }

    fn score(
        &self,
        trial: &TrialSpec,
        tried: Try,
        baselines: &BaselineLines,
    ) -> (TrialResult, bool) {
        let best = self
            .run
            .registry
            .scenario(&trial.workload.scenario)
            .map_or(&[][..], |s| &s.best);
        let digest = tried.digest;
        let scored = catch_unwind(AssertUnwindSafe(|| {
            results::line(trial, &digest, tried.ran, best, baselines)
        }));
        match scored {
            Ok(line) => (line, tried.panicked),
            Err(panic) => {
                let mut line = results::blank(trial, &digest);
                line.reason = Some(defect(&*panic));
                (line, true)
            }
        }
    }

    fn interrupted(&self) -> bool {
        self.run.interrupted.load(Ordering::Relaxed)
    }

    fn say(&self, said: Said) {
        // Nobody listens any more once the directory cannot be written; the queue stops soon.
        let _ = self.say.send(said);
    }
}

fn millis(wall: Duration) -> u64 {
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

fn defect(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("a defect of execlab itself: {text}")
}

fn broke(trial: &TrialSpec, reason: String) -> Ran {
    Ran {
        outcome: Outcome::Infra { reason },
        provenance: Provenance {
            execlab: env!("CARGO_PKG_VERSION").to_owned(),
            ..Provenance::default()
        },
        kernel: KernelId {
            name: trial.kernel.clone(),
            release: String::new(),
            sha256: String::new(),
        },
        wall: Duration::ZERO,
    }
}
