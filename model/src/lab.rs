//! The labs: where trials run and time comes from (DESIGN §4).

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands on the command line of a guest's kernel where time is real: its init is not to wait for
/// what costs nothing only in the exact lab.
pub const REAL_TIME_OPTION: &str = "execlab.lab=kvm";

/// Where time comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Lab {
    /// QEMU TCG with `-icount`: guest instructions.
    Exact,
    /// QEMU with KVM: real time in a guest.
    Kvm,
    /// The running kernel: real time.
    Host,
}

impl Lab {
    /// All labs.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Kvm, Self::Host];

    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Kvm => "kvm",
            Self::Host => "host",
        }
    }

    /// Whether figures repeat to the last digit. Where not, a trial is one sample of many.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exact)
    }

    /// What cost is counted in.
    pub const fn cost_unit(self) -> &'static str {
        match self {
            Self::Exact => "instructions",
            Self::Kvm | Self::Host => "CPU ns",
        }
    }
}

impl fmt::Display for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no lab's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown lab `{0}` (valid: exact, kvm, host)")]
pub struct UnknownLab(pub String);

impl FromStr for Lab {
    type Err = UnknownLab;

    fn from_str(text: &str) -> Result<Self, UnknownLab> {
        Self::ALL
            .into_iter()
            .find(|lab| lab.as_str() == text)
            .ok_or_else(|| UnknownLab(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_the_message_lists_them_all() {
        for lab in Lab::ALL {
            assert_eq!(lab.as_str().parse(), Ok(lab));
            assert_eq!(serde_json::to_value(lab).unwrap(), lab.as_str());
        }
        let message = "cloud".parse::<Lab>().unwrap_err().to_string();
        assert!(Lab::ALL.iter().all(|lab| message.contains(lab.as_str())));
    }
}
