//! Experiments that search instead of sampling (`execlab find`).
//!
//! | module | what it does |
//! |---|---|
//! | [`search`] | one search for an edge, pure: which value is asked about next |
//! | [`row`] | one question over all seeds, as pure |
//! | [`experiment`] | from what was asked for to questions, each of one backend on one kernel |
//! | [`buffers`] | which setting of a backend is its buffer |
//! | [`oracle`] | the trial of a seed and a value, and what its line answers |
//! | [`work`] | asks all questions at once, round by round, and keeps what comes |
//! | `keeper` | the run directory, and who is told of what comes into it |
//! | [`document`] | what came of it, as [`execlab_reports::find::Find`] |
//!
//! A search leaves a run directory like any other: what it ran stands in `plan.json` and `results.jsonl`, and
//! can be reported and replayed. What it found stands in `find.json`, which follows from these lines alone.

pub mod buffers;
pub mod document;
pub mod experiment;
mod keeper;
pub mod oracle;
pub mod row;
pub mod search;
pub mod work;

pub use self::{
    experiment::{Experiment, resolve},
    work::{End, Searching, asked_in, is_search},
};
