//! What happens in a run, as one typed stream that every reporter reads.
//!
//! Totals travel in the events, so that no reporter asks the run anything.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use execlab_model::{
    repeat::Repeat,
    result::{Status, TrialResult},
};

use crate::lab::ImageNews;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Nothing was booted yet; the run directory is there.
    RunStarted {
        /// The run directory.
        directory: PathBuf,
        /// How many trials run at once.
        jobs: usize,
        /// As it stands: trials kept from a run that was cut off are done.
        tally: Tally,
    },
    /// An image that trials start from, before the first of them.
    Image(ImageNews),
    /// A guest is about to be started.
    TrialStarted {
        /// Its id.
        trial: String,
    },
    /// The host's side broke; the trial is tried once more.
    TrialRetried {
        /// Its id.
        trial: String,
        /// What broke.
        reason: String,
    },
    /// Its line is in `results.jsonl`.
    TrialFinished {
        /// The line.
        result: Arc<TrialResult>,
        /// As it now stands.
        tally: Tally,
    },
    /// It was cut off by an interrupt; nothing was written.
    TrialAbandoned {
        /// Its id.
        trial: String,
    },
    /// A trial was run again; its line is in `verify.jsonl`.
    Repeated {
        /// The line.
        repeat: Box<Repeat>,
        /// How many trials were run again.
        done: usize,
        /// How many will have been in the end.
        total: usize,
    },
    /// The user wants the run to end.
    Interrupted {
        /// How many trials are still running.
        running: usize,
    },
    /// All that will be written is written.
    RunFinished {
        /// The run directory.
        directory: PathBuf,
        /// As it stands in the end.
        tally: Tally,
        /// Whether it was ended by an interrupt.
        interrupted: bool,
    },
}

/// What reads events.
pub trait Reporter {
    /// Called for each event, in order, from one thread.
    fn event(&mut self, event: &Event);
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials in the plan.
    pub total: usize,
    /// Trials with a line.
    pub done: usize,
    /// How many of those have which status.
    pub by_status: BTreeMap<Status, usize>,
    /// Time left, once at least one trial of this run has ended.
    pub left: Option<Duration>,
}

impl Tally {
    /// Counts a line.
    pub fn count(&mut self, status: Status) {
        self.done += 1;
        *self.by_status.entry(status).or_default() += 1;
    }

    /// `12 completed, 2 unsupported`, without the statuses that nobody has.
    pub fn statuses(&self) -> String {
        let parts: Vec<String> = Status::ALL
            .iter()
            .filter_map(|s| Some(format!("{} {s}", self.by_status.get(s)?)))
            .collect();
        if parts.is_empty() {
            "none done".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_names_only_what_there_is() {
        let mut tally = Tally::default();
        assert_eq!(tally.statuses(), "none done");
        for status in [Status::Lost, Status::Completed, Status::Completed] {
            tally.count(status);
        }
        assert_eq!(tally.statuses(), "2 completed, 1 lost");
    }
}
