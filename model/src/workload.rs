//! Workload: scenario + load + number of execs + payload lifetime, and how each child is made.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the execs come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Load {
    /// The next one when the last one ended.
    Closed,
    /// Open loop: so many a second, keeping to the schedule whatever becomes of the earlier ones.
    Rate(u32),
    /// So many at once, then quiet until all have ended, and again.
    Burst(u32),
}

/// How a child is made before it calls exec.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Spawn {
    /// `clone(CLONE_VM | CLONE_VFORK)`, as `posix_spawn` does.
    #[default]
    Vfork,
    /// Plain `fork`.
    Fork,
}

/// One storm of execs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Name of the scenario in the registry of `workloads/`.
    pub scenario: String,
    /// When the execs come.
    pub load: Load,
    /// How many there are.
    pub execs: u32,
    /// How long each payload sleeps before it exits, in nanoseconds.
    pub lifetime_ns: u64,
    /// How each child is made.
    #[serde(default)]
    pub spawn: Spawn,
    /// Processes that sleep in the guest meanwhile: polling looks cheap in an empty one.
    #[serde(default)]
    pub population: u32,
}

/// A text that is none of the loads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no load: write `closed`, `rate:N` (execs a second) or `burst:N` (execs at once), with N from 1 up"
)]
pub struct UnknownLoad(pub String);

impl FromStr for Load {
    type Err = UnknownLoad;

    fn from_str(text: &str) -> Result<Self, UnknownLoad> {
        let unknown = || UnknownLoad(text.to_owned());
        let number = |n: &str| n.parse().ok().filter(|&n: &u32| n > 0).ok_or_else(unknown);
        match text.split_once(':') {
            None if text == "closed" => Ok(Self::Closed),
            Some(("rate", n)) => number(n).map(Self::Rate),
            Some(("burst", n)) => number(n).map(Self::Burst),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Rate(n) => write!(f, "rate:{n}"),
            Self::Burst(n) => write!(f, "burst:{n}"),
        }
    }
}

impl fmt::Display for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vfork => "vfork",
            Self::Fork => "fork",
        })
    }
}

impl Serialize for Load {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Load {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Load {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Load".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(closed|rate:[0-9]+|burst:[0-9]+)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_read_back_as_they_print() {
        for load in [Load::Closed, Load::Rate(500), Load::Burst(64)] {
            assert_eq!(load.to_string().parse(), Ok(load));
        }
    }

    #[test]
    fn what_is_no_load_is_named() {
        for text in [
            "",
            "open",
            "rate",
            "rate:",
            "rate:0",
            "burst:-1",
            "closed:1",
            "rate:99999999999",
        ] {
            assert_eq!(text.parse::<Load>(), Err(UnknownLoad(text.to_owned())));
        }
    }
}
