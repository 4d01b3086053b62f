//! Renews the lock of headers from the archive's signed indexes.

use std::collections::BTreeMap;

use super::super::deb822;
use super::super::lock::{FLAVOUR, LockedKernel, Package};
use super::super::mirror::Mirror;
use super::super::relock::{Index, RelockError, RelockOptions, SUITES};
use super::super::select;
use super::super::signature::Keyring;
use super::super::store::Store;
use super::super::version;
use super::{HeadersError, HeadersLock};

/// The release of Debian whose programs want newer libraries than older hosts have.
pub(super) const LIBRARIES: &str = "trixie";

/// What `modpost` and `objtool` are linked with, and what that is linked with.
const LIBRARY_PACKAGES: [&str; 4] = ["libc6", "libelf1t64", "zlib1g", "libzstd1"];

impl Store {
    /// Makes a new lock of the headers of all locked kernels; `progress` is told of each suite, and of each kernel whose
    /// headers the archive does not have. Nothing is written.
    pub fn relock_headers(
        &self,
        options: &RelockOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<HeadersLock, RelockError> {
        let mirror = self.mirror()?;
        let keyring = Keyring::open(&options.keyrings)?;
        let old = HeadersLock::embedded()?;
        let mut lists = BTreeMap::new();
        for (archive, suite) in SUITES {
            let wanted = self.lock().kernels.iter().any(|k| k.suite == suite);
            if wanted || suite == LIBRARIES {
                progress(suite);
                let index = self.index(&mirror, &keyring, archive, suite, options.now)?;
                lists.insert(suite, index);
            }
        }
        let list_of = |suite: &str| match lists.get(suite) {
            Some(Index::Packages(list)) => Ok(list.as_str()),
            Some(Index::None(note)) => Err(no_list(suite, note.to_string())),
            None => Err(no_list(suite, "no suite of that name is known".to_owned())),
        };
        let mut kernels = Vec::new();
        for kernel in &self.lock().kernels {
            if let Some(headers) = headers_of(list_of(&kernel.suite)?, kernel) {
                kernels.push(headers);
            } else if let Ok(was) = old.find(&kernel.release)
                && self.has_all(&mirror, was)?
            {
                progress(&format!(
                    "{}: not in the index any more, and stays as it was",
                    kernel.release
                ));
                kernels.push(was.clone());
            } else {
                progress(&format!("{}: the archive has no headers", kernel.release));
            }
        }
        let list = list_of(LIBRARIES)?;
        let library = |name| {
            named(list, name)
                .max_by(|a, b| version::compare(&a.version, &b.version))
                .ok_or(HeadersError::NoLibrary {
                    suite: LIBRARIES,
                    package: name,
                })
        };
        let libraries = LIBRARY_PACKAGES.into_iter().map(library);
        Ok(HeadersLock {
            kernels,
            libraries: libraries.collect::<Result<_, _>>()?,
        })
    }

    fn has_all(&self, mirror: &Mirror, headers: &LockedKernel) -> Result<bool, RelockError> {
        for package in &headers.packages {
            let url = mirror.url(headers.archive, package.path.as_str());
            if !self.fetcher().has(&url)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn no_list(suite: &str, why: String) -> HeadersError {
    let suite = suite.to_owned();
    HeadersError::NoList { suite, why }
}

/// All packages of a name in a list.
fn named<'a>(list: &'a str, name: &str) -> impl Iterator<Item = Package> + 'a {
    let first_line = format!("Package: {name}\n");
    list.split("\n\n")
        // Looked at before it is read: most are other packages.
        .filter(move |text| text.trim_start().starts_with(&first_line))
        .flat_map(deb822::stanzas)
        .filter_map(|stanza| select::package(&stanza))
}

/// The headers of a kernel, of its own version; `None` where the list lacks one of the three packages.
///
/// The common headers have the flavour's release without the flavour. The programs have it as well since 6.12; before,
/// their name was that of the series.
pub(super) fn headers_of(list: &str, kernel: &LockedKernel) -> Option<LockedKernel> {
    let base = kernel.release.strip_suffix(FLAVOUR)?;
    // Some images are signed and versioned apart; what they are made of has the same number.
    let of_version = |name: &str| named(list, name).find(|p| p.version == kernel.version());
    let programs = of_version(&format!("linux-kbuild-{base}"))
        .or_else(|| of_version(&format!("linux-kbuild-{}", kernel.series)))?;
    Some(LockedKernel {
        packages: vec![
            of_version(&format!("linux-headers-{}", kernel.release))?,
            of_version(&format!("linux-headers-{base}-common"))?,
            programs,
        ],
        ..kernel.clone()
    })
}
