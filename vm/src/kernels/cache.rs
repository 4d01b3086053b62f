//! The user's cache: where downloads and unpacked kernels are, and who may change them at a time.
//!
//! ```text
//! execlab/downloads/SHA256.deb[.part]   until the kernel is unpacked
//! execlab/kernels/RELEASE-HASH/         one kernel (`unpack`)
//! execlab/packages/SHA256.deb           what userlands are taken from (`userland`)
//! execlab/headers/RELEASE-HASH/         what modules for one kernel are built from (`headers`)
//! execlab/modules/HASH/NAME.ko          modules that were built here
//! execlab/own/SHA256/vmlinux            taken out of a user's own bzImage
//! execlab/locks/                        one file for each of these while it is made
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Sha256;

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Nothing says where it could be.
    #[error(
        "there is no place for the cache: neither XDG_CACHE_HOME nor HOME is set; set one, or name a directory"
    )]
    NoPlace,
    /// It cannot be written.
    #[error(
        "the cache directory {path} cannot be used: {source}; choose another with --cache, or in XDG_CACHE_HOME"
    )]
    Unusable {
        /// The directory or file in question.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The cache directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens (and makes, if need be) the cache in a directory.
    pub fn open(root: PathBuf) -> Result<Self, CacheError> {
        // Whoever boots a kernel may have gone to another directory by then.
        let root = std::path::absolute(&root)
            .map_err(|source| CacheError::Unusable { path: root, source })?;
        for part in [
            "downloads",
            "kernels",
            "packages",
            "headers",
            "modules",
            "own",
            "locks",
        ] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(|source| CacheError::Unusable { path, source })?;
        }
        Ok(Self { root })
    }

    /// The cache in a folder as it is.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the cache is: where the user says, else by the environment.
    pub fn place(said: Option<PathBuf>) -> Result<PathBuf, CacheError> {
        let from_environment = |name| std::env::var_os(name).map(PathBuf::from);
        match said {
            Some(directory) => Ok(directory),
            None => {
                Self::default_root(from_environment("XDG_CACHE_HOME"), from_environment("HOME"))
            }
        }
    }

    /// Where the cache is by the XDG rules: `$XDG_CACHE_HOME/execlab`, else `~/.cache/execlab`.
    pub fn default_root(
        xdg_cache_home: Option<PathBuf>,
        home: Option<PathBuf>,
    ) -> Result<PathBuf, CacheError> {
        // The rules say that a relative path is to be ignored.
        let absolute = |path: &PathBuf| path.is_absolute();
        xdg_cache_home
            .filter(absolute)
            .or_else(|| home.filter(absolute).map(|home| home.join(".cache")))
            .map(|cache| cache.join("execlab"))
            .ok_or(CacheError::NoPlace)
    }

    /// The directory of the whole cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a package is downloaded to.
    pub fn download(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("downloads").join(format!("{sha256}.deb"))
    }

    /// Where a list of packages is downloaded to.
    pub fn index(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("downloads").join(format!("{sha256}.index"))
    }

    /// The directory of a kernel.
    pub fn kernel(&self, key: &str) -> PathBuf {
        self.root.join("kernels").join(key)
    }

    /// Where a package of a userland is kept.
    pub fn package(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("packages").join(format!("{sha256}.deb"))
    }

    /// The directory of a kernel's headers.
    pub fn headers(&self, key: &str) -> PathBuf {
        self.root.join("headers").join(key)
    }

    /// The directory of modules that were built here.
    pub fn modules(&self, key: &str) -> PathBuf {
        self.root.join("modules").join(key)
    }

    /// The directory of what was taken out of a user's own image.
    pub fn own(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("own").join(sha256.as_str())
    }

    /// Makes everybody else wait who wants to change what has this key.
    pub fn lock(&self, key: &str) -> Result<Guard, CacheError> {
        let path = self.root.join("locks").join(format!("{key}.lock"));
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .and_then(|file| file.lock().map(|()| Guard { _file: file }))
            .map_err(|source| CacheError::Unusable { path, source })
    }

    /// Lets `fill` make a directory and puts it in its place when it is whole; what was there before is replaced.
    pub fn replace<T, E: From<CacheError>>(
        directory: &Path,
        fill: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<T, E> {
        let unusable = |path: &Path, source| CacheError::Unusable {
            path: path.to_owned(),
            source,
        };
        let mut name = directory.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        remove_directory(&new).map_err(|source| unusable(&new, source))?;
        let made = fill(&new).inspect_err(|_| {
            // What failed half way is of no use to anybody, and may have filled the disk.
            let _ = remove_directory(&new);
        })?;
        // Whoever reads meanwhile finds the old one or the new one, but for a moment between two renames.
        let mut name = directory.as_os_str().to_owned();
        name.push(".old");
        let old = PathBuf::from(name);
        remove_directory(&old)
            .and_then(|()| match fs::rename(directory, &old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => fs::rename(&new, directory),
            })
            .and_then(|()| remove_directory(&old))
            .map_err(|source| unusable(directory, source))?;
        Ok(made)
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Holds a lock of the cache until it is dropped.
#[derive(Debug)]
pub struct Guard {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_by_the_xdg_rules() {
        let root = |xdg: Option<&str>, home: Option<&str>| {
            Cache::default_root(xdg.map(PathBuf::from), home.map(PathBuf::from)).ok()
        };
        assert_eq!(root(Some("/x"), Some("/h")), Some("/x/execlab".into()));
        assert_eq!(
            root(Some("relative"), Some("/h")),
            Some("/h/.cache/execlab".into())
        );
        assert_eq!(root(None, Some("/h")), Some("/h/.cache/execlab".into()));
        assert_eq!(root(None, None), None);
    }

    #[test]
    fn what_cannot_be_made_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Cache::open(file.join("cache")).unwrap_err();
        assert!(
            error.to_string().contains("file/cache/downloads"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_is_replaced_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        let to = cache.kernel("it");
        let put = |text: &'static str, fails: bool| {
            Cache::replace(&to, |new| {
                fs::create_dir(new).unwrap();
                fs::write(new.join("file"), text).unwrap();
                if fails {
                    Err(CacheError::NoPlace)
                } else {
                    Ok(())
                }
            })
        };
        let found = || fs::read_to_string(to.join("file")).unwrap();
        put("one", false).unwrap();
        assert_eq!(found(), "one");
        put("two", true).unwrap_err();
        assert_eq!(found(), "one");
        // Left behind by one that was killed.
        fs::create_dir(cache.kernel("it.new")).unwrap();
        put("three", false).unwrap();
        assert_eq!(found(), "three");
        assert_eq!(
            fs::read_dir(directory.path().join("cache/kernels"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().to_owned()).unwrap();
        let guard = cache.lock("a").unwrap();
        let _other = cache.lock("b").unwrap();
        let file = File::options()
            .write(true)
            .open(directory.path().join("locks/a.lock"))
            .unwrap();
        assert!(file.try_lock().is_err());
        drop(guard);
        file.try_lock().unwrap();
    }
}
