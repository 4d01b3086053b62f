//! Userlands: programs of a distribution, with their libraries, that some scenarios run in guests.
//!
//! `vm/userland.toml` says by hand which sets there are and which files of which packages belong to each;
//! `vm/userland.lock` is written by `execlab kernels lock --userland` and says which packages exactly. They
//! are kept in the cache as they came, and compared with the lock each time before anything is taken out of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::cache::CacheError;
use super::deb::DebError;
use super::fetch::FetchError;
use super::mirror::MirrorError;

mod fetch;
mod lock;
mod relock;

pub use lock::UserlandLock;

/// What there is, as it was built in.
const EMBEDDED: &str = include_str!("../../../userland.toml");

/// The files of a set by package.
type Set = BTreeMap<String, Vec<String>>;

/// One file of a userland.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    /// Where it is in a guest, from its root and without a slash at the start.
    pub path: String,
    /// What is there.
    pub contents: Contents,
}

/// What a [`UserFile`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// A regular file: permissions and bytes.
    File(u32, Vec<u8>),
    /// A symbolic link to this path.
    Link(String),
}

/// A userland that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UserlandError {
    /// No such set.
    #[error("there is no userland `{name}`; valid are {}", valid.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        valid: Vec<String>,
    },
    /// A lock or a list that cannot be read; the message names line and column.
    #[error("{file} cannot be read: {source}")]
    Syntax {
        /// Which of the two.
        file: &'static str,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// The lock is older than the list.
    #[error(
        "the package {package} is not locked; renew the lock with `execlab kernels lock --userland`"
    )]
    NotLocked {
        /// The package.
        package: String,
    },
    /// The archive has no such package.
    #[error("{suite} lists no package {package}; correct vm/userland.toml")]
    NotListed {
        /// Where it was looked for.
        suite: &'static str,
        /// The package.
        package: String,
    },
    /// The archive's list itself is not there.
    #[error("the list of packages of {suite} cannot be had: {why}")]
    NoList {
        /// Where it was looked for.
        suite: &'static str,
        /// What was told instead.
        why: String,
    },
    /// Where packages come from is not known.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// A package cannot be downloaded.
    #[error("the package {package} cannot be fetched: {source}")]
    Fetch {
        /// The package.
        package: String,
        /// Why it failed.
        source: FetchError,
    },
    /// A package cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// A package without a file that is wanted of it.
    #[error("{package} holds no {path}; correct vm/userland.toml")]
    Lacks {
        /// The package.
        package: String,
        /// The file.
        path: PathBuf,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// The names of the sets that there are.
pub fn userland_sets() -> Vec<String> {
    sets().map_or_else(|_| Vec::new(), |sets| sets.into_keys().collect())
}

fn sets() -> Result<BTreeMap<String, Set>, UserlandError> {
    toml::from_str(EMBEDDED).map_err(|error| UserlandError::Syntax {
        file: "vm/userland.toml",
        source: Box::new(error),
    })
}

/// The packages of all sets, each once.
fn packages(sets: &BTreeMap<String, Set>) -> Vec<&str> {
    let mut all: Vec<_> = sets.values().flat_map(BTreeMap::keys).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
