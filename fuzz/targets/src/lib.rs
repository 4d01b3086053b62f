//! What the fuzzers do with the bytes that they are given: one function for each target, which panics
//! where something is wrong.
//!
//! Called by the fuzzers themselves (`cargo xtask fuzz`, libFuzzer) and by a test that feeds them the
//! seeds and a fixed number of mutations of them. A target that reads several forms takes the form from the
//! first byte of its input.

pub mod audit;
pub mod connector;
pub mod proc;
pub mod record;
pub mod ring;
