//! From a kernel's release to its headers, unpacked.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::super::cache::Cache;
use super::super::deb::{self, Member};
use super::super::events::FetchEvent;
use super::super::fetch::Download;
use super::super::lock::{Archive, FLAVOUR, LockedKernel, Package};
use super::super::store::Store;
use super::{Headers, HeadersError, HeadersLock};
use crate::digest::{Hasher, Sha256};

/// The compiled programs that making a module runs, below the folder of the programs of the headers. Debian has one of
/// each for each kind of machine, behind a small one that chooses.
const PROGRAMS: [&str; 2] = [
    "scripts/mod/modpost.real-lsb-64",
    "tools/objtool/objtool.real-x86",
];

/// What stands in the place of such a program and runs it with the libraries that were locked for it, wherever the cache
/// is: five folders up is the root of what was unpacked.
const WITH_LIBRARIES: &str = "\
#!/bin/sh
root=${0%/*}/../../../../..
exec \"$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\" --library-path \"$root/usr/lib/x86_64-linux-gnu\" \"$0.bin\" \"$@\"
";

impl Store {
    /// The headers of a locked kernel. What is not in the cache is fetched and unpacked.
    pub fn headers(
        &self,
        release: &str,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<Headers, HeadersError> {
        let lock = HeadersLock::embedded()?;
        let locked = lock.find(release)?;
        let libraries = lock.libraries_of(locked);
        let digest = digest(locked, libraries);
        let folder = self
            .cache()
            .headers(&format!("{release}-{}", &digest[..12]));
        let headers = |root: &Path| Headers {
            release: release.to_owned(),
            own: root
                .join("usr/src")
                .join(format!("linux-headers-{release}")),
            common: root.join("usr/src").join(format!(
                "linux-headers-{}-common",
                release.strip_suffix(FLAVOUR).unwrap_or(release)
            )),
            digest: digest.clone(),
        };
        if folder.is_dir() {
            return Ok(headers(&folder));
        }
        // One for all kernels: their libraries are the same files.
        let _guard = self.cache().lock("headers")?;
        // Somebody else may have made it while we waited.
        if folder.is_dir() {
            return Ok(headers(&folder));
        }
        let name = format!("headers of {release}");
        let all = locked.packages.iter().chain(libraries);
        let bytes = all.clone().map(|package| package.size).sum();
        progress(FetchEvent::Started {
            release: name.clone(),
            bytes,
        });
        let (mut debs, mut before) = (Vec::new(), 0);
        for (index, package) in all.enumerate() {
            let archive = if index < locked.packages.len() {
                locked.archive
            } else {
                Archive::Debian
            };
            debs.push(self.headers_package(archive, package, &mut |done| {
                progress(FetchEvent::Progress {
                    release: name.clone(),
                    done: before + done,
                    bytes,
                });
            })?);
            before += package.size;
        }
        progress(FetchEvent::Unpacking {
            release: name.clone(),
        });
        Cache::replace(&folder, |root| {
            unpack(&debs, root)?;
            let made = headers(root);
            for (what, path) in [
                ("configuration", made.own.join(".config")),
                ("Makefile", made.common.join("Makefile")),
            ] {
                if !path.is_file() {
                    let release = release.to_owned();
                    return Err(HeadersError::Lacks { release, what });
                }
            }
            if libraries.is_empty() {
                Ok(())
            } else {
                give_libraries(root).map_err(|source| HeadersError::Io {
                    path: root.to_owned(),
                    source,
                })
            }
        })?;
        for deb in debs {
            // Only room is lost if one stays.
            let _ = fs::remove_file(deb);
        }
        progress(FetchEvent::Ready { release: name });
        Ok(headers(&folder))
    }

    fn headers_package(
        &self,
        archive: Archive,
        package: &Package,
        report: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, HeadersError> {
        let to = self.cache().download(&package.sha256);
        if Sha256::of_file(&to).ok().as_ref() == Some(&package.sha256) {
            report(package.size);
            return Ok(to);
        }
        let wanted = Download {
            url: &self.mirror()?.url(archive, package.path.as_str()),
            sha256: &package.sha256,
            size: package.size,
            to: &to,
        };
        let fetched = self.fetcher().fetch(&wanted, report);
        fetched.map_err(|source| HeadersError::Fetch {
            package: package.name.clone(),
            source,
        })?;
        Ok(to)
    }
}

/// Of all packages, and of what is made of them here.
fn digest(locked: &LockedKernel, libraries: &[Package]) -> String {
    let mut hash = Hasher::default();
    for package in locked.packages.iter().chain(libraries) {
        hash.update(package.sha256.as_str().as_bytes());
    }
    hash.update(WITH_LIBRARIES.as_bytes());
    hash.finish().to_string()
}

/// Puts all files of the packages below one root.
pub(super) fn unpack(debs: &[PathBuf], root: &Path) -> Result<(), HeadersError> {
    for deb in debs {
        deb::visit(deb, &mut |path, member| {
            // Manuals and copyrights fill half of some packages.
            if path.starts_with("usr/share") {
                return Ok(());
            }
            let to = root.join(path);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            match member {
                Member::File(mode, reader) => {
                    let mut file = File::create(&to)?;
                    io::copy(reader, &mut file)?;
                    file.set_permissions(Permissions::from_mode(mode))
                }
                Member::Link(target) => symlink(target, to),
            }
        })?;
    }
    Ok(())
}

/// Lets the programs of the headers run with the libraries that lie beside them.
pub(super) fn give_libraries(root: &Path) -> io::Result<()> {
    for folder in fs::read_dir(root.join("usr/lib"))? {
        let folder = folder?;
        if !folder
            .file_name()
            .to_string_lossy()
            .starts_with("linux-kbuild-")
        {
            continue;
        }
        for program in PROGRAMS {
            let program = folder.path().join(program);
            fs::rename(&program, program.with_added_extension("bin"))?;
            let mut file = File::create(&program)?;
            file.write_all(WITH_LIBRARIES.as_bytes())?;
            file.set_permissions(Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}
