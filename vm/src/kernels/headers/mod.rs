//! What modules are built from: the headers of locked kernels, with the programs that belong to them.
//!
//! `vm/headers.lock` says which packages, for each locked kernel; `execlab kernels lock --headers` writes it. They are
//! fetched and unpacked into the cache only when somebody builds a module for that kernel.
//!
//! Debian's headers bring compiled programs (`modpost`, `objtool`), which want the libraries of their own release of
//! Debian. So those libraries are locked as well, and the programs run with them and not with the host's.

use std::io;
use std::path::PathBuf;

use super::cache::CacheError;
use super::deb::DebError;
use super::fetch::FetchError;
use super::mirror::MirrorError;

mod build;
mod fetch;
mod lock;
mod relock;

pub use build::{BuildError, Builder};
pub use lock::HeadersLock;

/// The headers of one kernel, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// What `uname -r` says in it.
    pub release: String,
    /// The folder of what is this flavour's own: where its configuration is.
    pub own: PathBuf,
    /// The folder of what all flavours have: where the Makefile is.
    pub common: PathBuf,
    /// Stands for all bytes of them.
    pub digest: String,
}

/// Headers that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HeadersError {
    /// The lock cannot be read; the message names line and column.
    #[error("vm/headers.lock cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// The archive had none when the lock was made, or the kernel is not a locked one.
    #[error("no headers of {release} are locked; see `execlab kernels lock --headers`")]
    NotLocked {
        /// The kernel.
        release: String,
    },
    /// The archive's list itself is not there.
    #[error("the list of packages of {suite} cannot be had: {why}")]
    NoList {
        /// Where it was looked for.
        suite: String,
        /// What was told instead.
        why: String,
    },
    /// Libraries that are not where they should be.
    #[error("{suite} lists no package {package}")]
    NoLibrary {
        /// Where it was looked for.
        suite: &'static str,
        /// The package.
        package: &'static str,
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
    /// The packages are not what headers are made of.
    #[error("the packages of the headers of {release} hold no {what}")]
    Lacks {
        /// The kernel.
        release: String,
        /// What is not there.
        what: &'static str,
    },
    /// A file cannot be written or read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

#[cfg(test)]
mod tests;
