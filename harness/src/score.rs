//! Scoring: what became of each exec of the truth, and of each sighting of the monitor.
//!
//! A [`Record`](execlab_model::record::Record) goes in, a [`Judgement`] comes out; both are plain
//! data, and nothing here knows which backend or which scenario it looks at.
//!
//! | module | question |
//! |---|---|
//! | [`matching`] | which sighting means which exec? |
//! | [`path`] | how well was the executed file named? |
//! | [`fields`] | were arguments, ids and container right? |
//! | [`classes`] | all of that for one exec |
//! | [`timing`] | how late, and in which order? |
//! | [`loss`] | did the monitor know what it lost? |
//! | [`cost()`] | what did watching add? |
//! | [`slope()`] | what does one more exec cost? |
//! | [`distrust()`] | can the meter of cost be trusted? |
//! | [`Storm`] | does the kernel's own count agree with the truth? |
//! | [`calibration`] | does all that find exactly what was planted? |
//! | [`judge()`] | all of it but the cost, put together |

pub mod calibration;
pub mod classes;
mod cost;
mod examples;
pub mod fields;
pub(crate) mod judge;
pub mod loss;
pub mod matching;
mod meter;
pub mod path;
mod slope;
pub mod timing;
mod witness;

pub use cost::cost;
pub use judge::{Judgement, judge};
pub use meter::distrust;
pub use slope::slope;
pub use witness::Storm;
