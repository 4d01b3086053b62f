//! One line of `verify.jsonl`: a trial that was run a second time, to see whether it repeats.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the line format.
pub const SCHEMA: u32 = 1;

/// How a guest comes to where its trial begins. No part of a digest: both give the same record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Restored from an image of a guest that had booted and settled.
    #[default]
    Warm,
    /// Booted.
    Cold,
}

impl Start {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A trial that was run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// [`SCHEMA`].
    pub schema: u32,
    /// As in its line of `results.jsonl`.
    pub trial: String,
    /// As in its line of `results.jsonl`.
    pub digest: String,
    /// How the repeat's guest was started.
    pub start: Start,
    /// What came out.
    pub verdict: Verdict,
    /// The first difference, where it differs.
    pub difference: Option<Difference>,
    /// Why it could not be repeated, where it failed.
    pub reason: Option<String>,
    /// SHA-256 of the repeat's record.
    pub record_sha256: Option<String>,
    /// How long it took on the host.
    pub wall_ms: u64,
}

/// What came out of a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The same to the last bit.
    Same,
    /// Something else.
    Differs,
    /// The host's side broke: nothing is known.
    Failed,
}

impl Verdict {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Failed => "failed",
        }
    }
}

/// The first place at which two results differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Where in a line of `results.jsonl`: `cost.windows.storm.busy_ns`, `loss.reports[0].count`.
    pub path: String,
    /// What stands there in the one, as JSON; `nothing` where it has no such field.
    pub one: String,
    /// What stands there in the other.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} and {}", self.path, self.one, self.other)
    }
}
