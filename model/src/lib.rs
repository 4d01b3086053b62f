//! The words of the laboratory as types: what an exec is, what a monitor says it saw, what became
//! of each trial. No I/O; every other crate depends on this one.
//!
//! | module | words |
//! |---|---|
//! | [`bytes`] | byte strings that survive JSON |
//! | [`workload`] | scenario, load, spawn, lifetime |
//! | [`plan`] | what one guest is asked to do |
//! | [`truth`] | what really happened, exec by exec |
//! | [`sighting`] | what a monitor says: sightings and loss reports |
//! | [`seam`] | the line and binary formats in which a monitor says it |
//! | [`record`] | what comes back from a guest |
//! | [`sched`] | what comes back beside it, where a replay asks for the scheduler's events |
//! | [`lab`] | where trials run and time comes from |
//! | [`finding`] | what was found when a machine was looked at |
//! | [`frame`] | how bytes pass between host and guest |
//! | [`result`] | one line of `results.jsonl` |
//! | [`repeat`] | one line of `verify.jsonl` |
//! | [`exit`] | the exit codes of the `execlab` command |

pub mod bytes;
pub mod exit;
pub mod finding;
pub mod frame;
pub mod lab;
pub mod plan;
pub mod record;
pub mod repeat;
pub mod result;
pub mod sched;
pub mod seam;
pub mod sighting;
pub mod truth;
pub mod workload;

pub use bytes::Bytes;
