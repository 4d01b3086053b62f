//! From a set's name to its files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::super::deb::{self, Member};
use super::super::events::FetchEvent;
use super::super::fetch::Download;
use super::super::lock::{Archive, Package};
use super::super::store::Store;
use super::{Contents, UserFile, UserlandError, UserlandLock, sets};
use crate::digest::Sha256;

/// A link that leads to a link, and so on: no package has more.
const MOST_LINKS: usize = 8;

impl Store {
    /// The files of a set, in the order of their paths. Packages that are not in the cache, or are not what
    /// was locked, are fetched.
    pub fn userland(
        &self,
        name: &str,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<Vec<UserFile>, UserlandError> {
        let mut sets = sets()?;
        let Some(set) = sets.remove(name) else {
            return Err(UserlandError::Unknown {
                name: name.to_owned(),
                valid: sets.into_keys().collect(),
            });
        };
        let lock = UserlandLock::embedded()?;
        let mut files = BTreeMap::new();
        for (name, wanted) in &set {
            let package = lock.find(name)?;
            let deb = self.package(package, progress)?;
            let found = pick(&deb, wanted)?.map_err(|path| UserlandError::Lacks {
                package: format!("{name} {}", package.version),
                path,
            })?;
            files.extend(found);
        }
        let file = |(path, contents)| UserFile { path, contents };
        Ok(files.into_iter().map(file).collect())
    }

    /// A package in the cache, once it is what was locked.
    fn package(
        &self,
        package: &Package,
        progress: &mut dyn FnMut(FetchEvent),
    ) -> Result<PathBuf, UserlandError> {
        let to = self.cache().package(&package.sha256);
        let is_there = || Sha256::of_file(&to).ok().as_ref() == Some(&package.sha256);
        if is_there() {
            return Ok(to);
        }
        let _guard = self.cache().lock(package.sha256.as_str())?;
        // Somebody else may have fetched it while we waited.
        if is_there() {
            return Ok(to);
        }
        let (release, bytes) = (package.name.clone(), package.size);
        progress(FetchEvent::Started { release, bytes });
        let wanted = Download {
            url: &self.mirror()?.url(Archive::Debian, package.path.as_str()),
            sha256: &package.sha256,
            size: package.size,
            to: &to,
        };
        let mut report = |done| {
            let release = package.name.clone();
            progress(FetchEvent::Progress {
                release,
                done,
                bytes,
            });
        };
        let fetched = self.fetcher().fetch(&wanted, &mut report);
        fetched.map_err(|source| UserlandError::Fetch {
            package: package.name.clone(),
            source,
        })?;
        let release = package.name.clone();
        progress(FetchEvent::Ready { release });
        Ok(to)
    }
}

/// The wanted files of a package and what they link to in it; or the first that is not there.
pub(super) fn pick(
    deb: &Path,
    wanted: &[String],
) -> Result<Result<BTreeMap<String, Contents>, PathBuf>, UserlandError> {
    let mut members = BTreeMap::new();
    deb::visit(deb, &mut |path, member| {
        let contents = match member {
            Member::File(mode, reader) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes)?;
                Contents::File(mode, bytes)
            }
            Member::Link(to) => Contents::Link(to.to_string_lossy().into_owned()),
        };
        members.insert(path.to_owned(), contents);
        Ok(())
    })?;
    let mut picked = BTreeMap::new();
    for name in wanted {
        let mut at = PathBuf::from(name);
        for _ in 0..=MOST_LINKS {
            let Some(contents) = members.get(&at) else {
                return Ok(Err(at));
            };
            picked.insert(at.to_string_lossy().into_owned(), contents.clone());
            match contents {
                Contents::File(..) => break,
                Contents::Link(to) => at = target(&at, Path::new(to)),
            }
        }
    }
    Ok(Ok(picked))
}

/// Where a link in a package leads, from the root and without a slash at the start.
pub(super) fn target(link: &Path, to: &Path) -> PathBuf {
    let from = link.parent().unwrap_or(Path::new(""));
    let mut at = PathBuf::new();
    for component in from.join(to).components() {
        match component {
            Component::Normal(name) => at.push(name),
            Component::ParentDir => {
                at.pop();
            }
            // An absolute link begins anew: `join` has left nothing before it.
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    at
}
