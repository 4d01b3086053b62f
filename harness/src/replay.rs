//! One trial of a run, run again, and what happened in it on one clock.
//!
//! | module | what it does |
//! |---|---|
//! | [`choose()`] | finds a trial of a run, and what the run says of it |
//! | [`inputs`] | which inputs are others now |
//! | [`again`] | runs it, and holds what comes back against the run |
//! | [`timeline`] | truth, sightings and losses of a record, judged exec by exec |
//! | [`lanes`] | which of several tracks something is drawn on |
//! | [`mod@draw`] | a timeline as a trace that Perfetto opens |
//! | [`tell`] | a timeline in words: what was missed, the story of one exec |
//! | [`picture()`] | summary and trace of what came back |
//! | [`sched`] | what the scheduler did in the perturbed second run |
//!
//! All but [`again`] are pure functions of a record and its line.

pub mod again;
mod choose;
mod cut;
pub mod draw;
pub mod inputs;
pub mod lanes;
mod picture;
pub mod sched;
pub mod tell;
#[cfg(test)]
mod tests;
pub mod timeline;
mod words;

pub use choose::{BadTrial, Chosen, choose};
pub use picture::{NoSuchExec, Shown, picture};
