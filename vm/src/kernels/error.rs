//! What the store can fail with.

use std::path::PathBuf;

use super::cache::CacheError;
use super::events::Skipped;
use super::fetch::FetchError;
use super::lock::{LockError, UnknownKernel};
use super::mirror::MirrorError;
use super::modules::ModuleError;
use super::own::OwnError;
use super::unpack::UnpackError;

/// A kernel that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No such kernel.
    #[error(transparent)]
    Unknown(#[from] UnknownKernel),
    /// Where packages come from is not known.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// A package cannot be downloaded.
    #[error("the kernel {release} cannot be fetched: {source}")]
    Fetch {
        /// The kernel in question.
        release: String,
        /// Why it failed.
        source: FetchError,
    },
    /// A package cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The disk is full.
    #[error(
        "no space is left in {directory} for the kernel {release}, which takes some 300 MB there; make room, or set XDG_CACHE_HOME to a place that has it"
    )]
    NoSpace {
        /// The kernel in question.
        release: String,
        /// The cache directory.
        directory: PathBuf,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A user's own kernel cannot be used.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// Its modules cannot be looked through.
    #[error(transparent)]
    Modules(#[from] ModuleError),
    /// None of a series can be had.
    #[error("no locked kernel of the series {series} can be had:\n{}", skipped.iter().map(|skip| format!("  {}: {}", skip.release, skip.reason)).collect::<Vec<_>>().join("\n"))]
    NoneAvailable {
        /// The series in question.
        series: String,
        /// Why not, one by one.
        skipped: Vec<Skipped>,
    },
}
