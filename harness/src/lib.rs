//! From a matrix to a run directory: what the `execlab` command does, as a library.
//!
//! | module | what it does |
//! |---|---|
//! | [`registry`] | the names a user may write: kernels, backends, scenarios |
//! | [`matrix`] | matrix file and flags, checked against the registry |
//! | [`plan`] | the list of trials that a matrix means, baselines first |
//! | [`lab`] | the seam to the machines that trials run on, and a fake one |
//! | [`results`] | a trial and what came back of it as one line of `results.jsonl` |
//! | [`store`] | the run directory: never overwritten, always resumable |
//! | [`run`] | the loop: runs trials, writes each result as it comes |
//! | [`verify`] | which trials are run again to see whether they repeat |
//! | [`durations`] | how long trials take, for their order and the time left |
//! | [`events`] | what happens in a run, as one typed stream |
//! | [`progress`] | readers of that stream for people |
//! | [`replay`] | one trial of a run, run again, and its timeline |
//! | [`find`] | experiments that search for bounds instead of sampling |
//! | [`documents`] | reports made from results alone |
//! | [`doctor`] | what this machine can do, lab by lab and backend by backend |
//! | [`duration`], [`nearest`] | small helpers |

pub mod baselines;
pub mod cache;
pub mod ci;
pub mod doctor;
pub mod documents;
pub mod duration;
pub mod durations;
pub mod events;
pub mod find;
pub mod lab;
pub mod matrix;
pub mod merge;
pub mod nearest;
pub mod plan;
pub mod program;
pub mod progress;
pub mod registry;
pub mod replay;
pub mod results;
pub mod run;
pub mod score;
pub mod store;
pub mod verify;
pub mod watch;
