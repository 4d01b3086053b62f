//! How much was seen, and how much of it is right.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many seen execs have their arguments reported how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArgvCounts {
    /// Every argument, byte for byte.
    pub exact: u64,
    /// A proper prefix of them.
    pub truncated: u64,
    /// All bytes, with the boundaries lost.
    pub joined: u64,
    /// Others.
    pub wrong: u64,
    /// None in the sighting.
    pub absent: u64,
}

/// How many seen execs have their process id reported how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PidCounts {
    /// As in the initial PID namespace.
    pub host: u64,
    /// As in the exec's own namespace only.
    pub in_namespace: u64,
    /// Neither.
    pub wrong: u64,
    /// None in the sighting.
    pub absent: u64,
}

/// How many seen execs have a field reported right, wrong, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldCounts {
    /// As in truth.
    pub right: u64,
    /// Otherwise.
    pub wrong: u64,
    /// Not in the sighting.
    pub absent: u64,
}

/// What was seen of the execs of the sites of one label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelCounts {
    /// Execs in truth.
    pub execs: u64,
    /// Execs seen in time.
    pub seen: u64,
    /// Execs that were not seen, in time or late.
    pub missed: u64,
    /// Seen execs whose path is in the best class that the scenario allows.
    pub best_path: u64,
}

/// What was seen of all execs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Execs seen in time.
    pub seen: u64,
    /// Execs that were not seen, in time or late.
    pub missed: u64,
    /// Further sightings of execs that were already seen.
    pub duplicates: u64,
    /// Sightings attributed to the storm for which there was no exec.
    pub phantoms: u64,
    /// Sightings of anything else on the machine.
    pub foreign: u64,
    /// By label, where the scenario makes execs in several ways that have names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_label: BTreeMap<String, LabelCounts>,
}
