//! The lock: which kernels there are, and exactly which packages each is made of.
//!
//! Versions leave the archive when they are superseded, so what a run may boot is written down
//! (`vm/kernels.lock`) and never looked up while it runs. A renewal is a separate step (`relock`).

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// The lock that this program was built with.
const EMBEDDED: &str = include_str!("../../kernels.lock");

/// What stands at the top of a lock.
const HEADER: &str = "\
# The kernels that execlab can boot, and the packages each is made of. The first of a series is the one
# that its name (`6.1`) means; each can also be named by its release. Written by `execlab kernels lock`.
";

/// The flavour of all locked kernels; a release may be named without it.
pub(crate) const FLAVOUR: &str = "-cloud-amd64";

/// A part of the package archive, with a root of its own beside the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archive {
    /// The main archive.
    Debian,
    /// Security updates.
    DebianSecurity,
}

impl Archive {
    /// The last part of the archive root's path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::DebianSecurity => "debian-security",
        }
    }
}

impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One package file in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Where it stands under the archive's root.
    pub path: PoolPath,
    /// The hash of the package file.
    pub sha256: Sha256,
    /// The size of the package file in bytes.
    pub size: u64,
}

/// A path under an archive's root: relative, and it stays below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolPath(String);

impl PoolPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PoolPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let fine = path.starts_with("pool/")
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && path.bytes().all(|byte| byte.is_ascii_graphic());
        if fine {
            Ok(Self(path))
        } else {
            Err(format!(
                "`{path}` is no path of a package: `pool/…` is wanted, without `..`"
            ))
        }
    }
}

impl From<PoolPath> for String {
    fn from(path: PoolPath) -> Self {
        path.0
    }
}

/// One locked version of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedKernel {
    /// The series, such as `6.1`.
    pub series: String,
    /// What `uname -r` says in it.
    pub release: String,
    /// The suite in which it was found.
    pub suite: String,
    /// The archive that holds it.
    pub archive: Archive,
    /// All packages that it takes.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
}

impl LockedKernel {
    /// How many bytes its packages have.
    pub fn download_size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// The version of its packages, by which locked kernels are ordered.
    pub fn version(&self) -> &str {
        self.packages.first().map_or("", |package| &package.version)
    }

    /// The name of its place in the cache: the release, and a hash of the hashes of its packages.
    pub fn cache_key(&self) -> String {
        let mut hashes: Vec<&str> = self.packages.iter().map(|p| p.sha256.as_str()).collect();
        hashes.sort_unstable();
        let joined: String = hashes.iter().flat_map(|hash| [hash, "\n"]).collect();
        format!(
            "{}-{}",
            self.release,
            &Sha256::of(joined.as_bytes()).as_str()[..12]
        )
    }
}

/// All locked kernels: series by series, the newest version of each first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    schema: u32,
    /// The locked kernels.
    #[serde(rename = "kernel", default)]
    pub kernels: Vec<LockedKernel>,
}

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read.
    #[error("the kernel lock {path} cannot be read: {source}")]
    Read {
        /// The file in question.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Not TOML, or not of the form of a lock; the message names line and column.
    #[error("the kernel lock cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// A lock of another time.
    #[error(
        "the kernel lock has schema {found}, and this program reads {SCHEMA}; renew it with `execlab kernels lock`"
    )]
    Schema {
        /// What the lock says.
        found: u32,
    },
    /// Two entries for one kernel.
    #[error("the kernel lock holds {release} twice; renew it with `execlab kernels lock`")]
    Twice {
        /// The release that stands there twice.
        release: String,
    },
    /// An entry that contradicts itself.
    #[error("the kernel lock's entry {release} {what}; renew it with `execlab kernels lock`")]
    Entry {
        /// The release in question.
        release: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

const SCHEMA: u32 = 1;

/// No kernel has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no kernel `{name}`; valid are the series {}, the releases {}, and `path:IMAGE[,modules=DIR]`", series.join(", "), releases.join(", "))]
pub struct UnknownKernel {
    /// What was asked for.
    pub name: String,
    /// The series that there are.
    pub series: Vec<String>,
    /// The releases that there are.
    pub releases: Vec<String>,
}

impl Lock {
    /// A lock of these kernels, brought into order.
    pub fn new(mut kernels: Vec<LockedKernel>) -> Self {
        kernels.sort_by(|a, b| {
            super::version::compare(&a.series, &b.series)
                .then_with(|| super::version::compare(b.version(), a.version()))
                .then_with(|| a.release.cmp(&b.release))
        });
        Self {
            schema: SCHEMA,
            kernels,
        }
    }

    /// The lock that this program was built with.
    pub fn embedded() -> Result<Self, LockError> {
        Self::parse(EMBEDDED)
    }

    /// Reads a lock from a file.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = fs::read_to_string(path).map_err(|source| LockError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a lock and checks that it makes sense.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let lock: Self = toml::from_str(text).map_err(Box::new)?;
        if lock.schema != SCHEMA {
            return Err(LockError::Schema { found: lock.schema });
        }
        for (index, kernel) in lock.kernels.iter().enumerate() {
            let wrong = |what| LockError::Entry {
                release: kernel.release.clone(),
                what,
            };
            if kernel.packages.is_empty() {
                return Err(wrong("has no package"));
            }
            if series_of(&kernel.release).as_deref() != Some(kernel.series.as_str()) {
                return Err(wrong("is not of the series it names"));
            }
            if kernel.release.contains(['/', '\\']) || kernel.release.starts_with('.') {
                return Err(wrong("is no release name"));
            }
            if lock.kernels[..index]
                .iter()
                .any(|k| k.release == kernel.release)
            {
                return Err(LockError::Twice {
                    release: kernel.release.clone(),
                });
            }
        }
        Ok(lock)
    }

    /// The lock as it stands in its file.
    pub fn to_toml(&self) -> String {
        let mut out = format!("{HEADER}schema = {}\n", self.schema);
        for kernel in &self.kernels {
            let _ = write!(
                out,
                "\n[[kernel]]\nseries = {}\nrelease = {}\nsuite = {}\narchive = {}\n",
                quoted(&kernel.series),
                quoted(&kernel.release),
                quoted(&kernel.suite),
                quoted(kernel.archive.name()),
            );
            for package in &kernel.packages {
                let _ = write!(
                    out,
                    "\n  [[kernel.package]]\n  name = {}\n  version = {}\n  path = {}\n  sha256 = {}\n  size = {}\n",
                    quoted(&package.name),
                    quoted(&package.version),
                    quoted(package.path.as_str()),
                    quoted(package.sha256.as_str()),
                    package.size,
                );
            }
        }
        out
    }

    /// The series there are, each once.
    pub fn series(&self) -> Vec<&str> {
        let mut series: Vec<&str> = self.kernels.iter().map(|k| k.series.as_str()).collect();
        series.dedup();
        series
    }

    /// The locked versions of a series, the newest first.
    pub fn of_series<'a>(&'a self, series: &str) -> impl Iterator<Item = &'a LockedKernel> {
        self.kernels
            .iter()
            .filter(move |kernel| kernel.series == series)
    }

    /// The kernel that a name means: the first of a series, or a release, with or without its flavour.
    pub fn find(&self, name: &str) -> Result<&LockedKernel, UnknownKernel> {
        let is_release = |kernel: &&LockedKernel| {
            kernel.release == name || kernel.release.strip_suffix(FLAVOUR) == Some(name)
        };
        self.kernels
            .iter()
            .find(|kernel| kernel.series == name)
            .or_else(|| self.kernels.iter().find(is_release))
            .ok_or_else(|| UnknownKernel {
                name: name.to_owned(),
                series: self.series().iter().map(ToString::to_string).collect(),
                releases: self.kernels.iter().map(|k| k.release.clone()).collect(),
            })
    }
}

/// The first two numbers of a release or version: `6.1` of `6.1.0-56-cloud-amd64`.
pub fn series_of(release: &str) -> Option<String> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let is_series =
        !major.is_empty() && !minor.is_empty() && release[major.len()..].starts_with('.');
    is_series.then(|| format!("{major}.{minor}"))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "lock_tests.rs"]
pub(crate) mod tests;
