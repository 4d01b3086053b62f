//! A user's own kernel: `path:IMAGE[,modules=DIR]`, where the image is a bzImage or an ELF kernel.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::cache::{Cache, CacheError};
use super::image::{self, ImageError};
use crate::digest::Sha256;

/// What a name must begin with to mean a file.
const PREFIX: &str = "path:";

/// Where a user's own kernel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKernel {
    /// The image.
    pub image: PathBuf,
    /// The directory with its modules, if there is one.
    pub modules: Option<PathBuf>,
}

/// A user's own kernel that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// A file cannot be read.
    #[error("the kernel {path} cannot be read: {source}")]
    Read {
        /// The image in question.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Not a kernel.
    #[error("the kernel {path} cannot be used: {source}")]
    Image {
        /// The image in question.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// The cache, which takes what was unpacked, cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// What was found in a user's own image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// What `uname -r` says in it.
    pub release: String,
    /// The ELF kernel.
    pub vmlinux: PathBuf,
    /// Its hash.
    pub sha256: Sha256,
}

impl OwnKernel {
    /// Reads a name of this form; `None` if it is of another.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let (image, modules) = match rest.rsplit_once(",modules=") {
            Some((image, modules)) => (image, Some(PathBuf::from(modules))),
            None => (rest, None),
        };
        let image = PathBuf::from(image);
        (!image.as_os_str().is_empty()).then_some(Self { image, modules })
    }

    /// The same kernel for one who has gone to another directory.
    #[must_use]
    pub fn absolute(self) -> Self {
        // An empty path is the only one that has no absolute form.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Self {
            image: absolute(self.image),
            modules: self.modules.map(absolute),
        }
    }

    /// Looks into the image; the ELF kernel of a bzImage is put into the cache.
    pub fn open(&self, cache: &Cache) -> Result<OwnImage, OwnError> {
        let image_error = |source| OwnError::Image {
            path: self.image.clone(),
            source,
        };
        let image = fs::read(&self.image).map_err(|source| OwnError::Read {
            path: self.image.clone(),
            source,
        })?;
        let release = image::release(&image).map_err(image_error)?;
        let image_sum = Sha256::of(&image);
        if image::is_elf(&image) {
            return Ok(OwnImage {
                release,
                vmlinux: self.image.clone(),
                sha256: image_sum,
            });
        }
        let vmlinux = image::vmlinux(&image).map_err(image_error)?;
        let directory = cache.own(&image_sum);
        let path = directory.join("vmlinux");
        let sha256 = Sha256::of(&vmlinux);
        let _guard = cache.lock(image_sum.as_str())?;
        if Sha256::of_file(&path).ok().as_ref() != Some(&sha256) {
            Cache::replace(&directory, |new| {
                fs::create_dir(new)
                    .and_then(|()| fs::write(new.join("vmlinux"), &vmlinux))
                    .map_err(|source| CacheError::Unusable {
                        path: new.to_owned(),
                        source,
                    })
            })?;
        }
        Ok(OwnImage {
            release,
            vmlinux: path,
            sha256,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::compress::Format;
    use super::super::image::tests::{fake_bzimage, fake_vmlinux};
    use super::*;

    #[test]
    fn names_of_files_are_read() {
        let own = |name| OwnKernel::parse(name).map(|own| (own.image, own.modules));
        assert_eq!(own("path:/a/b"), Some(("/a/b".into(), None)));
        assert_eq!(
            own("path:a,b,modules=/m"),
            Some(("a,b".into(), Some("/m".into())))
        );
        for other in ["6.1", "path:", "path:,modules=/m", "/a/b"] {
            assert_eq!(own(other), None, "{other}");
        }
    }

    #[test]
    fn a_bzimage_is_unpacked_once_and_a_vmlinux_taken_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        let elf = fake_vmlinux("6.1.9");
        let own = |name: &str, bytes: &[u8]| {
            let image = directory.path().join(name);
            fs::write(&image, bytes).unwrap();
            OwnKernel {
                image,
                modules: None,
            }
        };
        let packed = own("bzImage", &fake_bzimage("6.1.9", &elf, Some(Format::Gzip)));
        let first = packed.open(&cache).unwrap();
        assert_eq!(first.release, "6.1.9");
        assert_eq!(first.sha256, Sha256::of(&elf));
        assert_eq!(fs::read(&first.vmlinux).unwrap(), elf);
        // A damaged copy is made anew.
        fs::write(&first.vmlinux, b"x").unwrap();
        assert_eq!(packed.open(&cache).unwrap(), first);
        assert_eq!(fs::read(&first.vmlinux).unwrap(), elf);

        let plain = own("vmlinux", &elf);
        let found = plain.open(&cache).unwrap();
        assert_eq!((found.vmlinux, found.sha256), (plain.image, first.sha256));
    }

    #[test]
    fn what_is_no_kernel_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        let image = directory.path().join("it");
        let own = OwnKernel {
            image: image.clone(),
            modules: None,
        };
        assert!(
            own.open(&cache)
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
        fs::write(&image, b"#!/bin/sh").unwrap();
        let error = own.open(&cache).unwrap_err().to_string();
        assert!(
            error.contains("neither a bzImage nor an ELF kernel"),
            "{error}"
        );
    }
}
