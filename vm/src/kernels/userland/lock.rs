//! Which packages userlands are made of, exactly.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::super::lock::Package;
use super::UserlandError;

/// The lock that this program was built with.
const EMBEDDED: &str = include_str!("../../../userland.lock");

/// What stands at the top of it.
const HEADER: &str = "\
# The packages that the sets of `userland.toml` are taken from. Written by `execlab kernels lock --userland`.
";

/// All locked packages, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserlandLock {
    /// The suite in which they were found.
    pub suite: String,
    /// The packages.
    #[serde(rename = "package", default)]
    pub packages: Vec<Package>,
}

impl UserlandLock {
    /// The lock that this program was built with.
    pub fn embedded() -> Result<Self, UserlandError> {
        toml::from_str(EMBEDDED).map_err(|error| UserlandError::Syntax {
            file: "vm/userland.lock",
            source: Box::new(error),
        })
    }

    /// The lock as it stands in its file.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut out = format!("{HEADER}suite = {}\n", quoted(&self.suite));
        for package in &self.packages {
            let _ = write!(
                out,
                "\n[[package]]\nname = {}\nversion = {}\npath = {}\nsha256 = {}\nsize = {}\n",
                quoted(&package.name),
                quoted(&package.version),
                quoted(package.path.as_str()),
                quoted(package.sha256.as_str()),
                package.size,
            );
        }
        out
    }

    /// What is not as in an older lock, a line for each package.
    pub fn changes_since(&self, old: &Self) -> Vec<String> {
        let version = |lock: &Self, name: &str| {
            let found = lock.packages.iter().find(|package| package.name == name);
            found.map(|package| package.version.clone())
        };
        let mut names: Vec<_> = self
            .packages
            .iter()
            .chain(&old.packages)
            .map(|p| &p.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        let change = |name: &String| match (version(old, name), version(self, name)) {
            (None, Some(new)) => Some(format!("+ {name} {new}")),
            (Some(old), None) => Some(format!("- {name} {old}")),
            (Some(old), Some(new)) if old != new => Some(format!("~ {name} {new} (was {old})")),
            _ => None,
        };
        names.into_iter().filter_map(change).collect()
    }

    pub(super) fn find(&self, name: &str) -> Result<&Package, UserlandError> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .ok_or_else(|| UserlandError::NotLocked {
                package: name.to_owned(),
            })
    }
}
