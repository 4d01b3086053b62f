//! What became of a trial.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a trial.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A whole record came back and was scored.
    Completed,
    /// The backend cannot work on this kernel; `reason` is the evidence.
    Unsupported,
    /// The monitor died or hung; truth is whole, misses are scored.
    BackendFailed,
    /// The guest panicked, hung or stopped short.
    Lost,
    /// The host's side broke.
    Infra,
}

impl Status {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::Unsupported,
        Self::BackendFailed,
        Self::Lost,
        Self::Infra,
    ];

    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unsupported => "unsupported",
            Self::BackendFailed => "backend-failed",
            Self::Lost => "lost",
            Self::Infra => "infra",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
