//! Which packages headers are made of, exactly.

use serde::{Deserialize, Serialize};

use super::super::lock::{LockedKernel, Package};
use super::HeadersError;

/// The lock that this program was built with.
const EMBEDDED: &str = include_str!("../../../headers.lock");

/// What stands at the top of it.
const HEADER: &str = "\
# The packages that modules for the locked kernels are built from, and the libraries that their programs want.
# Written by `execlab kernels lock --headers`. What the index of a suite no longer lists stays as it was locked, as
# long as the archive still has it.
";

/// All locked headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadersLock {
    /// For each kernel its own headers, the common ones, and the programs, in this order.
    #[serde(rename = "kernel", default)]
    pub kernels: Vec<LockedKernel>,
    /// Of one suite, for the programs of kernels that were built there.
    #[serde(rename = "library", default)]
    pub libraries: Vec<Package>,
}

impl HeadersLock {
    /// The lock that this program was built with.
    pub fn embedded() -> Result<Self, HeadersError> {
        Ok(toml::from_str(EMBEDDED).map_err(Box::new)?)
    }

    /// The lock as it stands in its file.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("plain data is always TOML");
        format!("{HEADER}\n{text}")
    }

    /// What is not as in an older lock, a line for each kernel.
    pub fn changes_since(&self, old: &Self) -> Vec<String> {
        let find = |lock: &Self, release: &str| {
            let found = lock.kernels.iter().find(|k| k.release == release);
            found.cloned()
        };
        let mut changes = Vec::new();
        for kernel in &self.kernels {
            match find(old, &kernel.release) {
                None => changes.push(format!("+ {} {}", kernel.release, kernel.version())),
                Some(was) if was != *kernel => changes.push(format!(
                    "~ {} {} (was {})",
                    kernel.release,
                    kernel.version(),
                    was.version()
                )),
                Some(_) => {}
            }
        }
        let gone = old.kernels.iter();
        let gone = gone.filter(|kernel| find(self, &kernel.release).is_none());
        changes.extend(gone.map(|kernel| format!("- {} {}", kernel.release, kernel.version())));
        if self.libraries != old.libraries {
            changes.push("~ the libraries".to_owned());
        }
        changes
    }

    pub(super) fn find(&self, release: &str) -> Result<&LockedKernel, HeadersError> {
        self.kernels
            .iter()
            .find(|kernel| kernel.release == release)
            .ok_or_else(|| HeadersError::NotLocked {
                release: release.to_owned(),
            })
    }

    /// The libraries that the programs of these headers want; none where any host's do.
    pub(super) fn libraries_of(&self, headers: &LockedKernel) -> &[Package] {
        if headers.suite.starts_with(super::relock::LIBRARIES) {
            &self.libraries
        } else {
            &[]
        }
    }
}
