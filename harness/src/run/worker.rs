//! Workers: one kind takes trials, the other takes trials that are run again.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use execlab_model::{
    repeat::{self, Repeat, Verdict},
    result::{Status, TrialResult},
};
use execlab_reports::{Compared, compare};
use serde_json::json;

use super::{
    Run,
    attempt::millis,
    queue::{Queue, Repeats},
};
use crate::{plan::file_name, results::BaselineLines, verify::Chosen};

/// What a worker tells the thread that writes. Trials are named by their position in the plan.
pub(crate) enum Said {
    Started(usize),
    Retried(usize, String),
    Abandoned(usize),
    Finished {
        at: usize,
        result: Arc<TrialResult>,
        /// `None` where it was not run.
        wall: Option<Duration>,
        panicked: bool,
    },
    Repeated {
        repeat: Repeat,
        panicked: bool,
    },
}

pub(super) struct Worker<'a> {
    pub(super) run: Run<'a>,
    pub(super) queue: &'a Queue,
    pub(super) logs: &'a Path,
    /// Which of the workers it is, from 0.
    pub(super) slot: usize,
    pub(super) say: mpsc::SyncSender<Said>,
}

impl Worker<'_> {
    /// Runs trials until there are none.
    pub(super) fn work(self) {
        while !self.run.is_interrupted()
            && let Some((at, baselines)) = self.queue.take()
        {
            // After waiting for a baseline the world may be another one.
            let line = if self.run.is_interrupted() {
                None
            } else {
                self.trial(at, &baselines)
            };
            self.queue.end(at, line);
        }
    }

    /// Runs trials again until there are none.
    pub(super) fn work_again(self, repeats: &Repeats) {
        while !self.run.is_interrupted()
            && let Some(chosen) = repeats.take()
        {
            self.again(chosen);
        }
    }

    /// The line of a trial, or `None` where an interrupt took it.
    fn trial(&self, at: usize, baselines: &BaselineLines) -> Option<Arc<TrialResult>> {
        self.say(Said::Started(at));
        let trial = &self.run.plan.trials[at];
        let start = self.run.start;
        let began = Instant::now();
        // For people and traces alone: what is measured is measured by `began`.
        let began_unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let retried = |why: &str| self.say(Said::Retried(at, why.to_owned()));
        let kept = self.run.recall(trial);
        let was_run = kept.is_none();
        let (tried, first_reason) = match kept {
            Some(kept) => (kept, None),
            None => self.run.attempt(trial, start, &self.log(at, ""), retried),
        };
        if self.run.was_cut_off(&tried.ran) {
            self.say(Said::Abandoned(at));
            return None;
        }
        let wall = was_run.then_some(tried.ran.wall);
        if was_run {
            self.run.remember(&tried);
        }
        let (mut line, panicked) = self.run.score(trial, tried, baselines);
        if !matches!(line.status, Status::Completed | Status::Unsupported) {
            self.run.forget(&line.digest);
        }
        if let Some(wall) = wall {
            if self.run.lab.has_images() {
                line.host.insert("start".into(), json!(start));
            }
            let began_unix = began_unix.unwrap_or_default();
            line.host
                .insert("began_ms".into(), json!(millis(began_unix)));
            line.host.insert("worker".into(), json!(self.slot));
            line.host.insert("wall_ms".into(), json!(millis(wall)));
            line.host
                .insert("wall_with_tries_ms".into(), json!(millis(began.elapsed())));
        }
        if let Some(reason) = first_reason {
            line.host.insert("tries".into(), json!(2));
            line.host.insert("first_try".into(), json!(reason));
        }
        let line = Arc::new(line);
        // Said before it is there for others: so it stands in the file before what is built on it.
        self.say(Said::Finished {
            at,
            result: Arc::clone(&line),
            wall,
            panicked,
        });
        Some(line)
    }

    fn again(&self, Chosen { at, start }: Chosen) {
        let Some((line, baselines)) = self.queue.ended(at) else {
            return;
        };
        self.say(Said::Started(at));
        let trial = &self.run.plan.trials[at];
        let retried = |why: &str| self.say(Said::Retried(at, why.to_owned()));
        let log = self.log(at, ".again");
        let (tried, _) = self.run.attempt(trial, start, &log, retried);
        if self.run.was_cut_off(&tried.ran) {
            self.say(Said::Abandoned(at));
            return;
        }
        let wall_ms = millis(tried.ran.wall);
        let (again, panicked) = self.run.score(trial, tried, &baselines);
        let (verdict, difference) = match compare(&line, &again) {
            _ if again.status == Status::Infra => (Verdict::Failed, None),
            Compared::Same => (Verdict::Same, None),
            // The guest did the same, and the line of it is of another execlab than this one.
            Compared::Rescored(difference) => (Verdict::Same, Some(difference)),
            Compared::Differs(difference) => (Verdict::Differs, Some(difference)),
        };
        if verdict == Verdict::Differs {
            self.run.forget(&line.digest);
        }
        self.say(Said::Repeated {
            repeat: Repeat {
                schema: repeat::SCHEMA,
                trial: trial.id.clone(),
                digest: line.digest.clone(),
                start,
                verdict,
                difference,
                reason: again.reason.filter(|_| verdict != Verdict::Same),
                record_sha256: again.record_sha256,
                wall_ms,
            },
            panicked,
        });
    }

    fn log(&self, at: usize, what: &str) -> PathBuf {
        let name = file_name(&self.run.plan.trials[at].id);
        self.logs.join(format!("{name}{what}.serial.log"))
    }

    fn say(&self, said: Said) {
        // Nobody listens any more once the directory cannot be written; the queue stops soon.
        let _ = self.say.send(said);
    }
}
