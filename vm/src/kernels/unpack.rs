//! From a kernel's packages to a directory with all that booting it takes:
//!
//! ```text
//! vmlinuz  vmlinux  config  modules/modules.builtin  modules/kernel/…/*.ko  kernel.json
//! ```
//!
//! `kernel.json` comes last: it names every file with its hash, and a directory without it is no kernel.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compress::{self, Format};
use super::deb::{self, DebError};
use super::image::{self, ImageError};
use super::modules;
use crate::digest::{Hasher, Sha256};

/// The name of the list that makes a directory a kernel.
const MANIFEST: &str = "kernel.json";

/// What is in a kernel's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What `uname -r` says in it.
    pub release: String,
    /// The hash of each file, by its path in the directory.
    pub files: BTreeMap<String, FileSum>,
}

/// Size and hash of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// The file's size in bytes.
    pub size: u64,
    /// The hash of its contents.
    pub sha256: Sha256,
}

/// Packages from which no kernel came.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A package cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The image in it cannot be used.
    #[error("the image of {release} cannot be used: {source}")]
    Image {
        /// The kernel in question.
        release: String,
        /// What is wrong with its image.
        source: ImageError,
    },
    /// Something is not in the packages.
    #[error(
        "the packages of {release} hold no {what}; lock another version with `execlab kernels lock`"
    )]
    Lacks {
        /// The kernel in question.
        release: String,
        /// What is not there.
        what: &'static str,
    },
    /// The image is another kernel's.
    #[error("the packages of {release} hold the image of {found}")]
    OtherRelease {
        /// The kernel in question.
        release: String,
        /// The kernel that was found.
        found: String,
    },
    /// A file cannot be written or read.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Manifest {
    /// The list in a directory, if there is one that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(MANIFEST)).ok()?).ok()
    }

    /// Whether every file is there with its size; contents are not looked at.
    pub fn looks_whole(&self, directory: &Path) -> bool {
        self.files.iter().all(|(path, sum)| {
            fs::metadata(directory.join(path))
                .is_ok_and(|found| found.is_file() && found.len() == sum.size)
        })
    }

    /// The files that are not what they were when they were unpacked, with how they differ.
    pub fn damage(&self, directory: &Path) -> Vec<String> {
        let check = |(path, sum): (&String, &FileSum)| match Sha256::of_file(&directory.join(path))
        {
            Ok(found) if found == sum.sha256 => None,
            Ok(_) => Some(format!("{path}: its contents have changed")),
            Err(error) => Some(format!("{path}: {error}")),
        };
        self.files.iter().filter_map(check).collect()
    }

    /// Takes away the mark of a whole kernel, so that it is made anew when it is next wanted.
    pub fn remove(directory: &Path) -> io::Result<()> {
        fs::remove_file(directory.join(MANIFEST))
    }
}

/// Unpacks a kernel's packages into a directory that does not exist yet.
pub fn unpack(release: &str, debs: &[PathBuf], directory: &Path) -> Result<Manifest, UnpackError> {
    let mut target = Target {
        directory,
        files: BTreeMap::new(),
    };
    fs::create_dir_all(directory).map_err(|source| UnpackError::Io {
        path: directory.to_owned(),
        source,
    })?;
    for deb in debs {
        deb::visit_files(deb, &mut |member, reader| match member
            .to_str()
            .and_then(|member| destination(member, release))
        {
            Some((to, format)) => match format {
                Some(format) => target.write(&to, &mut *compress::reader(format, reader)?),
                None => target.write(&to, reader),
            },
            None => Ok(()),
        })?;
    }
    let lacks = |what| UnpackError::Lacks {
        release: release.to_owned(),
        what,
    };
    if !target
        .files
        .keys()
        .any(|path| path.starts_with("modules/kernel/"))
    {
        return Err(lacks("modules"));
    }
    for (path, what) in [
        ("vmlinuz", "image"),
        ("modules/modules.builtin", "modules.builtin"),
    ] {
        if !target.files.contains_key(path) {
            return Err(lacks(what));
        }
    }
    target.add_vmlinux(release)?;
    let manifest = Manifest {
        release: release.to_owned(),
        files: target.files,
    };
    let text = serde_json::to_vec_pretty(&manifest).expect("a list of files is always JSON");
    let path = directory.join(MANIFEST);
    File::create(&path)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .map_err(|source| UnpackError::Io { path, source })?;
    Ok(manifest)
}

/// Where a file of a package goes, and how it is compressed there; `None` for what is not needed.
/// Both layouts, that of one package and that of several, come out alike.
fn destination(member: &str, release: &str) -> Option<(String, Option<Format>)> {
    if let Some(name) = member.strip_prefix("boot/") {
        let name = name.strip_suffix(release)?.strip_suffix('-')?;
        return matches!(name, "vmlinuz" | "config").then(|| (name.to_owned(), None));
    }
    let member = member.strip_prefix("usr/").unwrap_or(member);
    let path = member
        .strip_prefix("lib/modules/")?
        .strip_prefix(release)?
        .strip_prefix('/')?;
    match path {
        "vmlinuz" | "config" => Some((path.to_owned(), None)),
        "modules.builtin" => Some(("modules/modules.builtin".to_owned(), None)),
        _ => {
            let (directory, file_name) = path.rsplit_once('/')?;
            let (_, format) = modules::split_name(file_name)?;
            let (stem, _) = file_name.rsplit_once(".ko")?;
            directory
                .starts_with("kernel")
                .then(|| (format!("modules/{directory}/{stem}.ko"), format))
        }
    }
}

struct Target<'a> {
    directory: &'a Path,
    files: BTreeMap<String, FileSum>,
}

impl Target<'_> {
    fn write(&mut self, to: &str, reader: &mut dyn Read) -> io::Result<()> {
        let path = self.directory.join(to);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut tee = Tee {
            reader,
            file: File::create(&path)?,
        };
        let mut hasher = Hasher::default();
        let size = hasher.read_all(&mut tee)?;
        let sha256 = hasher.finish();
        self.files.insert(to.to_owned(), FileSum { size, sha256 });
        Ok(())
    }

    /// Takes the ELF kernel out of the image, once that is known to be the right one.
    fn add_vmlinux(&mut self, release: &str) -> Result<(), UnpackError> {
        let image_error = |source| UnpackError::Image {
            release: release.to_owned(),
            source,
        };
        let path = self.directory.join("vmlinuz");
        let bzimage = fs::read(&path).map_err(|source| UnpackError::Io { path, source })?;
        let found = image::release(&bzimage).map_err(image_error)?;
        if found != release {
            let release = release.to_owned();
            return Err(UnpackError::OtherRelease { release, found });
        }
        let vmlinux = image::vmlinux(&bzimage).map_err(image_error)?;
        self.write("vmlinux", &mut vmlinux.as_slice())
            .map_err(|source| UnpackError::Io {
                path: self.directory.join("vmlinux"),
                source,
            })
    }
}

/// Writes all that is read to a file.
struct Tee<'a> {
    reader: &'a mut dyn Read,
    file: File,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.file.write_all(&buffer[..n])?;
        Ok(n)
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
pub(crate) mod tests;
