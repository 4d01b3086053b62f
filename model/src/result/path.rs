//! How good a path is, and how many are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well a seen exec's path was reported. Exactly one for each, best first (DESIGN §5).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PathClass {
    /// Canonical, from the root of the exec's own mount namespace.
    Exact,
    /// By which the initial mount namespace reaches the same file.
    Host,
    /// Right, but from the exec's own root directory.
    InRoot,
    /// The string passed to the call, where that is none of the above.
    AsGiven,
    /// Only a last component or a `comm`.
    Basename,
    /// The interpreter instead of the script, or the reverse.
    Interpreter,
    /// Right before or after this exec.
    Stale,
    /// A proper prefix or suffix of the right one.
    Truncated,
    /// Another file.
    Wrong,
    /// No path in the sighting.
    Absent,
}

impl PathClass {
    /// All classes, best first.
    pub const ALL: [Self; 10] = [
        Self::Exact,
        Self::Host,
        Self::InRoot,
        Self::AsGiven,
        Self::Basename,
        Self::Interpreter,
        Self::Stale,
        Self::Truncated,
        Self::Wrong,
        Self::Absent,
    ];

    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Host => "host",
            Self::InRoot => "in_root",
            Self::AsGiven => "as_given",
            Self::Basename => "basename",
            Self::Interpreter => "interpreter",
            Self::Stale => "stale",
            Self::Truncated => "truncated",
            Self::Wrong => "wrong",
            Self::Absent => "absent",
        }
    }
}

/// How many seen execs are in each path class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields are the classes of PathClass")]
pub struct PathCounts {
    pub exact: u64,
    pub host: u64,
    pub in_root: u64,
    pub as_given: u64,
    pub basename: u64,
    pub interpreter: u64,
    pub stale: u64,
    pub truncated: u64,
    pub wrong: u64,
    pub absent: u64,
    /// Execs whose class is the best one that the scenario allows.
    #[serde(default)]
    pub best: u64,
    /// Reported paths from which a suffix of the kernel (` (deleted)`) was taken.
    #[serde(default)]
    pub suffixed: u64,
}

impl PathCounts {
    /// The counter of a class.
    pub fn of(&mut self, class: PathClass) -> &mut u64 {
        match class {
            PathClass::Exact => &mut self.exact,
            PathClass::Host => &mut self.host,
            PathClass::InRoot => &mut self.in_root,
            PathClass::AsGiven => &mut self.as_given,
            PathClass::Basename => &mut self.basename,
            PathClass::Interpreter => &mut self.interpreter,
            PathClass::Stale => &mut self.stale,
            PathClass::Truncated => &mut self.truncated,
            PathClass::Wrong => &mut self.wrong,
            PathClass::Absent => &mut self.absent,
        }
    }
}
