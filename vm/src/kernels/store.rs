//! The kernels there are, from their names to the files that are booted.

use std::io;
use std::path::{Path, PathBuf};

use super::cache::{Cache, CacheError};
use super::error::StoreError;
use super::events::{FetchEvent, KernelRow, Skipped, VerifyRow, VerifyState};
use super::fetch::{Download, FetchError, Fetcher};
use super::kernel::Kernel;
use super::lock::{Lock, LockedKernel, UnknownKernel, series_of};
use super::mirror::{MIRROR_VARIABLE, Mirror, MirrorError};
use super::modules::ModuleIndex;
use super::own::OwnKernel;
use super::unpack::{self, Manifest, UnpackError};
use crate::digest::Sha256;

/// What is booted.
const BOOTED: &str = "vmlinux";

/// A kernel that a name means; whether its files are there is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRef {
    name: String,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Locked(LockedKernel),
    Own(OwnKernel),
}

impl KernelRef {
    /// The name as the user wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The locked kernel, if it is not a user's own.
    pub fn locked(&self) -> Option<&LockedKernel> {
        match &self.source {
            Source::Locked(locked) => Some(locked),
            Source::Own(_) => None,
        }
    }
}

/// All kernels: those of the lock, in the user's cache or not, and the user's own.
#[derive(Debug)]
pub struct Store {
    lock: Lock,
    cache: Cache,
    mirror: Option<String>,
    fetcher: Fetcher,
}

impl Store {
    /// Opens the cache (by default the user's own) with the lock of this program; `mirror` is what the user said of it.
    pub fn open(cache_dir: Option<PathBuf>, mirror: Option<String>) -> Result<Self, StoreError> {
        let root = Cache::place(cache_dir)?;
        Self::with_lock(Lock::embedded()?, root, mirror, Fetcher::default())
    }

    /// As [`Self::open`], but makes no folder: to see what is there, and to fetch nothing.
    pub fn look(cache_dir: Option<PathBuf>) -> Result<Self, StoreError> {
        Ok(Self {
            lock: Lock::embedded()?,
            cache: Cache::at(Cache::place(cache_dir)?),
            mirror: None,
            fetcher: Fetcher::default(),
        })
    }

    /// Opens a cache with another lock.
    pub fn with_lock(
        lock: Lock,
        cache_dir: PathBuf,
        mirror: Option<String>,
        fetcher: Fetcher,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            lock,
            cache: Cache::open(cache_dir)?,
            mirror,
            fetcher,
        })
    }

    /// The lock in use.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    pub(super) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The cache directory.
    pub fn cache_dir(&self) -> &Path {
        self.cache.root()
    }

    /// Where packages come from.
    pub fn mirror(&self) -> Result<Mirror, MirrorError> {
        let variable = std::env::var(MIRROR_VARIABLE).ok();
        Mirror::find(self.mirror.as_deref(), variable.as_deref())
    }

    /// The kernel that a name means: a series (its first locked version), a release, or `path:IMAGE[,modules=DIR]`.
    pub fn resolve(&self, name: &str) -> Result<KernelRef, UnknownKernel> {
        let source = match OwnKernel::parse(name) {
            Some(own) => Source::Own(own.absolute()),
            None => Source::Locked(self.lock.find(name)?.clone()),
        };
        let name = name.to_owned();
        Ok(KernelRef { name, source })
    }

    /// Sees to it that all files of this kernel (and never another) are there.
    pub fn fetch(
        &self,
        kernel: &KernelRef,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<Kernel, StoreError> {
        match &kernel.source {
            Source::Locked(locked) => self.fetch_locked(&kernel.name, locked, progress),
            Source::Own(own) => self.open_own(&kernel.name, own),
        }
    }

    /// Takes the first locked kernel of a series that can be had, and says which ones could not.
    pub fn first_available(
        &self,
        series: &str,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<(Kernel, Vec<Skipped>), StoreError> {
        let mut skipped = Vec::new();
        for locked in self.lock.of_series(series) {
            match self.fetch_locked(series, locked, progress) {
                Ok(kernel) => return Ok((kernel, skipped)),
                // The archive's affair. A full disk or a broken cache would fail with the next one as well.
                Err(StoreError::Fetch {
                    source: source @ (FetchError::NoSpace { .. } | FetchError::Write { .. }),
                    release,
                }) => return Err(StoreError::Fetch { source, release }),
                Err(error @ (StoreError::Fetch { .. } | StoreError::Mirror(_))) => {
                    let reason = match error {
                        StoreError::Fetch { source, .. } => source.to_string(),
                        other => other.to_string(),
                    };
                    let release = locked.release.clone();
                    skipped.push(Skipped { release, reason });
                }
                Err(error) => return Err(error),
            }
        }
        if skipped.is_empty() {
            self.lock.find(series)?;
        }
        Err(StoreError::NoneAvailable {
            series: series.to_owned(),
            skipped,
        })
    }

    /// Reads all that is in the cache again and compares it with what was unpacked.
    /// `wanted` chooses kernels; without it, all that are locked are checked.
    pub fn verify(&self, wanted: Option<&[KernelRef]>) -> Result<Vec<VerifyRow>, StoreError> {
        let chosen: Vec<&LockedKernel> = match wanted {
            Some(wanted) => wanted.iter().filter_map(KernelRef::locked).collect(),
            None => self.lock.kernels.iter().collect(),
        };
        chosen
            .into_iter()
            .map(|locked| {
                Ok(VerifyRow {
                    release: locked.release.clone(),
                    state: self.verify_one(locked)?,
                })
            })
            .collect()
    }

    /// All locked kernels.
    pub fn list(&self) -> Vec<KernelRow> {
        let row = |locked: &LockedKernel| {
            let first = self.lock.of_series(&locked.series).next() == Some(locked);
            KernelRow {
                name: if first {
                    &locked.series
                } else {
                    &locked.release
                }
                .clone(),
                series: locked.series.clone(),
                release: locked.release.clone(),
                version: locked.version().to_owned(),
                suite: locked.suite.clone(),
                cached: self.cached(locked).is_some(),
                size: locked.download_size(),
            }
        };
        self.lock.kernels.iter().map(row).collect()
    }

    /// The list of a kernel's files, if they are all there.
    fn cached(&self, locked: &LockedKernel) -> Option<Manifest> {
        let directory = self.cache.kernel(&locked.cache_key());
        Manifest::read(&directory).filter(|manifest| {
            manifest.release == locked.release && manifest.looks_whole(&directory)
        })
    }

    /// As [`Self::cached`], where what is booted is also what was unpacked. Of the rest, what is used
    /// is looked at when it is read ([`Kernel::modules`]).
    fn sound(&self, locked: &LockedKernel) -> Option<Manifest> {
        let file = self.cache.kernel(&locked.cache_key()).join(BOOTED);
        self.cached(locked).filter(|manifest| {
            let wanted = manifest.files.get(BOOTED).map(|sum| &sum.sha256);
            Sha256::of_file(&file).ok().as_ref() == wanted
        })
    }

    fn fetch_locked(
        &self,
        name: &str,
        locked: &LockedKernel,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<Kernel, StoreError> {
        let release = || locked.release.clone();
        let key = locked.cache_key();
        let directory = self.cache.kernel(&key);
        let manifest = if let Some(manifest) = self.sound(locked) {
            progress(FetchEvent::Cached { release: release() });
            manifest
        } else {
            let _guard = self.cache.lock(&key)?;
            // Somebody else may have made it while we waited.
            let manifest = if let Some(manifest) = self.sound(locked) {
                manifest
            } else {
                if self.cached(locked).is_some() {
                    let (release, file) = (release(), BOOTED.to_owned());
                    progress(FetchEvent::Damaged { release, file });
                }
                self.make(locked, &directory, progress)?
            };
            progress(FetchEvent::Ready { release: release() });
            manifest
        };
        let sha256 = manifest.files[BOOTED].sha256.to_string();
        // What is unpacked here is not compressed: these are the sums of the modules themselves.
        let files = manifest.files.into_iter();
        let sums = files.map(|(path, sum)| (directory.join(path), sum.sha256));
        let sums = sums.collect();
        Ok(Kernel {
            name: name.to_owned(),
            series: locked.series.clone(),
            release: release(),
            vmlinux: directory.join(BOOTED),
            bzimage: directory.join("vmlinuz"),
            sha256,
            modules: ModuleIndex::read(&directory.join("modules"))?.of_sums(sums),
        })
    }

    /// Downloads and unpacks.
    fn make(
        &self,
        locked: &LockedKernel,
        directory: &Path,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<Manifest, StoreError> {
        let release = || locked.release.clone();
        let mirror = self.mirror()?;
        let bytes = locked.download_size();
        progress(FetchEvent::Started {
            release: release(),
            bytes,
        });
        let mut before = 0;
        let mut debs = Vec::new();
        for package in &locked.packages {
            let to = self.cache.download(&package.sha256);
            let url = mirror.url(locked.archive, package.path.as_str());
            let wanted = Download {
                url: &url,
                sha256: &package.sha256,
                size: package.size,
                to: &to,
            };
            let mut report = |got| {
                progress(FetchEvent::Progress {
                    release: release(),
                    done: before + got,
                    bytes,
                });
            };
            if Sha256::of_file(&to).ok().as_ref() == Some(&package.sha256) {
                report(package.size);
            } else {
                self.fetcher
                    .fetch(&wanted, &mut report)
                    .map_err(|source| StoreError::Fetch {
                        release: release(),
                        source,
                    })?;
            }
            before += package.size;
            debs.push(to);
        }
        progress(FetchEvent::Unpacking { release: release() });
        let made = Cache::replace(directory, |new| {
            unpack::unpack(&locked.release, &debs, new)
                .map_err(|error| self.or_no_space(locked, error))
        })?;
        for deb in debs {
            // Only room is lost if one stays.
            let _ = std::fs::remove_file(deb);
        }
        Ok(made)
    }

    fn or_no_space(&self, locked: &LockedKernel, error: UnpackError) -> StoreError {
        let source = match &error {
            UnpackError::Io { source, .. }
            | UnpackError::Deb(super::deb::DebError::Member { source, .. }) => Some(source.kind()),
            _ => None,
        };
        match source {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                StoreError::NoSpace {
                    release: locked.release.clone(),
                    directory: self.cache.root().to_owned(),
                }
            }
            _ => error.into(),
        }
    }

    fn open_own(&self, name: &str, own: &OwnKernel) -> Result<Kernel, StoreError> {
        let image = own.open(&self.cache)?;
        Ok(Kernel {
            name: name.to_owned(),
            series: series_of(&image.release).unwrap_or_else(|| image.release.clone()),
            release: image.release,
            vmlinux: image.vmlinux,
            bzimage: own.image.clone(),
            sha256: image.sha256.to_string(),
            modules: match &own.modules {
                Some(directory) => ModuleIndex::read(directory)?,
                None => ModuleIndex::default(),
            },
        })
    }

    fn verify_one(&self, locked: &LockedKernel) -> Result<VerifyState, StoreError> {
        let key = locked.cache_key();
        let _guard = self.cache.lock(&key)?;
        let directory = self.cache.kernel(&key);
        let Some(manifest) = Manifest::read(&directory) else {
            return Ok(VerifyState::NotCached);
        };
        let damage = manifest.damage(&directory);
        if damage.is_empty() {
            let files = manifest.files.len();
            return Ok(VerifyState::Good { files });
        }
        Manifest::remove(&directory).map_err(|source| CacheError::Unusable {
            path: directory,
            source,
        })?;
        Ok(VerifyState::Damaged(damage))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
