//! Renews the lock from the archive's signed indexes, and says what changed.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::cache::CacheError;
use super::compress::{self, Format};
use super::fetch::{Download, FetchError};
use super::headers::HeadersError;
use super::lock::{Archive, Lock, LockedKernel};
use super::mirror::{Mirror, MirrorError};
use super::release::{Release, ReleaseError};
use super::select::{self, Incomplete};
use super::signature::{Keyring, SignatureError};
use super::store::Store;
use super::userland::UserlandError;

/// Where kernels are looked for. One that several suites have is locked from the first of them: what is in a
/// stable suite stays longer than elsewhere.
pub(super) const SUITES: [(Archive, &str); 9] = [
    (Archive::Debian, "bookworm"),
    (Archive::Debian, "trixie"),
    (Archive::DebianSecurity, "bullseye-security"),
    (Archive::DebianSecurity, "bookworm-security"),
    (Archive::DebianSecurity, "trixie-security"),
    (Archive::Debian, "bookworm-backports"),
    (Archive::Debian, "trixie-backports"),
    (Archive::Debian, "sid"),
    (Archive::Debian, "experimental"),
];

/// No index is larger.
const RELEASE_LIMIT: u64 = 16 << 20;
const PACKAGES_LIMIT: u64 = 1 << 30;

/// A lock that was not renewed; the old one stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RelockError {
    /// Where packages come from is not known.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// An index cannot be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An index is not signed by whom it should be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// An index cannot be used.
    #[error("the signed index {url} cannot be used: {source}")]
    Release {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        source: ReleaseError,
    },
    /// A list of packages cannot be unpacked.
    #[error("the list of packages {url} cannot be unpacked: {what}")]
    Packages {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The cache, which takes downloads, cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// What userlands are made of cannot be locked.
    #[error(transparent)]
    Userland(#[from] UserlandError),
    /// Headers cannot be locked.
    #[error(transparent)]
    Headers(#[from] HeadersError),
}

/// How a lock is renewed.
#[derive(Debug, Clone)]
pub struct RelockOptions {
    /// Keyrings to trust; none means those of the Debian archive on this host.
    pub keyrings: Vec<PathBuf>,
    /// The time by which indexes must be valid.
    pub now: SystemTime,
}

impl Default for RelockOptions {
    fn default() -> Self {
        Self {
            keyrings: Vec::new(),
            now: SystemTime::now(),
        }
    }
}

/// A renewed lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocked {
    /// The lock.
    pub lock: Lock,
    /// What is not as it was in the old one.
    pub changes: Vec<Change>,
    /// What else the user should know.
    pub notes: Vec<Note>,
}

/// One difference between two locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A kernel that was not locked before.
    Added(LockedKernel),
    /// A kernel that is not locked any more.
    Removed(LockedKernel),
    /// The same release from other packages.
    Renewed {
        /// What was locked.
        old: LockedKernel,
        /// What is locked now.
        new: LockedKernel,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(new) => write!(f, "+ {}", line(new)),
            Self::Removed(old) => write!(f, "- {}", line(old)),
            Self::Renewed { old, new } => write!(
                f,
                "~ {} (was {} from {})",
                line(new),
                old.version(),
                old.suite
            ),
        }
    }
}

fn line(kernel: &LockedKernel) -> String {
    let LockedKernel {
        series,
        release,
        suite,
        ..
    } = kernel;
    format!("{series:<5} {release:<32} {:<22} {suite}", kernel.version())
}

/// Something that did not go into the lock, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The suite's index is not valid any more; what was locked from it stays, as far as it is still there.
    Expired {
        /// The suite in question.
        suite: &'static str,
        /// For how long.
        since: Duration,
    },
    /// The mirror does not have the suite; what was locked from it stays, as far as it is still there.
    NoSuite {
        /// The suite in question.
        suite: &'static str,
    },
    /// A kernel of which a package is listed but cannot be had any more.
    Gone {
        /// The suite in question.
        suite: String,
        /// The kernel in question.
        release: String,
        /// The package that is not there.
        package: String,
    },
    /// A kernel of which not all packages are listed.
    Incomplete {
        /// The suite in question.
        suite: &'static str,
        /// The kernel, and what it lacks.
        kernel: Incomplete,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const STAYS: &str = "what is locked from it stays, as far as it is still there";
        match self {
            Self::Expired { suite, since } => {
                let days = since.as_secs() / 86_400;
                write!(
                    f,
                    "{suite}: its index ended to be valid {days} days ago; {STAYS}"
                )
            }
            Self::NoSuite { suite } => write!(f, "{suite}: the mirror does not have it; {STAYS}"),
            Self::Gone {
                suite,
                release,
                package,
            } => {
                write!(
                    f,
                    "{suite}: {release} is listed, but its package {package} has left the archive"
                )
            }
            Self::Incomplete { suite, kernel } => {
                write!(
                    f,
                    "{suite}: {} is not whole, it lacks {}",
                    kernel.release, kernel.lacks
                )
            }
        }
    }
}

/// What an index brought.
pub(super) enum Index {
    Packages(String),
    /// Nothing, for this reason.
    None(Note),
}

impl Store {
    /// Makes a new lock from the archive's signed indexes; `progress` is told of each suite. Nothing is written:
    /// the caller shows the changes and writes [`Lock::to_toml`].
    pub fn relock(
        &self,
        options: &RelockOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Relocked, RelockError> {
        let mirror = self.mirror()?;
        let keyring = Keyring::open(&options.keyrings)?;
        let (mut found, mut notes) = (Vec::new(), Vec::new());
        for (archive, suite) in SUITES {
            progress(suite);
            match self.index(&mirror, &keyring, archive, suite, options.now)? {
                Index::Packages(packages) => {
                    let (kernels, incomplete) = select::kernels_of_suite(&packages, suite, archive);
                    found.extend(kernels);
                    notes.extend(
                        incomplete
                            .into_iter()
                            .map(|kernel| Note::Incomplete { suite, kernel }),
                    );
                }
                Index::None(note) => {
                    notes.push(note);
                    found.extend(
                        self.lock()
                            .kernels
                            .iter()
                            .filter(|kernel| kernel.suite == suite)
                            .cloned(),
                    );
                }
            }
        }
        progress("packages");
        let chosen = select::choose(&found, &mut |kernel| {
            let gone = self.first_gone(&mirror, kernel)?;
            let is_there = gone.is_none();
            notes.extend(gone.map(|package| Note::Gone {
                suite: kernel.suite.clone(),
                release: kernel.release.clone(),
                package,
            }));
            Ok::<_, RelockError>(is_there)
        })?;
        let lock = Lock::new(chosen);
        let changes = changes(self.lock(), &lock);
        Ok(Relocked {
            lock,
            changes,
            notes,
        })
    }

    /// A suite's list of packages, once its signature, its date and its hash are right.
    pub(super) fn index(
        &self,
        mirror: &Mirror,
        keyring: &Keyring,
        archive: Archive,
        suite: &'static str,
        now: SystemTime,
    ) -> Result<Index, RelockError> {
        let url = mirror.url(archive, &format!("dists/{suite}/InRelease"));
        let signed = match self.fetcher().get(&url, RELEASE_LIMIT) {
            Ok(signed) => signed,
            Err(FetchError::Gone { .. }) => return Ok(Index::None(Note::NoSuite { suite })),
            Err(error) => return Err(error.into()),
        };
        let text = keyring.signed_text(&url, &signed, now)?;
        let release =
            Release::parse(&text, suite).map_err(|source| RelockError::Release { url, source })?;
        if let Some(since) = release.expired_since(now) {
            return Ok(Index::None(Note::Expired { suite, since }));
        }
        let url = mirror.url(archive, &format!("dists/{suite}/{}", release.packages_path));
        let to = self.cache().index(&release.packages_sha256);
        let _guard = self.cache().lock("indexes")?;
        self.fetcher().fetch(
            &Download {
                url: &url,
                sha256: &release.packages_sha256,
                size: release.packages_size,
                to: &to,
            },
            &mut |_| {},
        )?;
        let text = std::fs::read(&to)
            .and_then(|bytes| compress::decode(Format::Xz, &bytes, PACKAGES_LIMIT))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| RelockError::Packages {
                url,
                what: error.to_string(),
            })?;
        // Only room is lost if it stays.
        let _ = std::fs::remove_file(&to);
        Ok(Index::Packages(text))
    }

    /// The first package of a kernel that the archive lists but does not have.
    fn first_gone(
        &self,
        mirror: &Mirror,
        kernel: &LockedKernel,
    ) -> Result<Option<String>, FetchError> {
        for package in &kernel.packages {
            if !self
                .fetcher()
                .has(&mirror.url(kernel.archive, package.path.as_str()))?
            {
                return Ok(Some(package.name.clone()));
            }
        }
        Ok(None)
    }
}

/// What is different in a new lock, in its order.
pub fn changes(old: &Lock, new: &Lock) -> Vec<Change> {
    let find =
        |lock: &Lock, release: &str| lock.kernels.iter().find(|k| k.release == release).cloned();
    let mut all: Vec<LockedKernel> = new.kernels.clone();
    all.extend(
        old.kernels
            .iter()
            .filter(|k| find(new, &k.release).is_none())
            .cloned(),
    );
    Lock::new(all)
        .kernels
        .into_iter()
        .filter_map(
            |kernel| match (find(old, &kernel.release), find(new, &kernel.release)) {
                (None, _) => Some(Change::Added(kernel)),
                (_, None) => Some(Change::Removed(kernel)),
                (Some(old), Some(new)) => (old != new).then_some(Change::Renewed { old, new }),
            },
        )
        .collect()
}

#[cfg(test)]
#[path = "relock_tests.rs"]
mod tests;
