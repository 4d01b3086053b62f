//! Renews the lock of userlands from the archive's signed index.

use super::super::deb822;
use super::super::lock::{Archive, Package};
use super::super::relock::{Index, RelockError, RelockOptions};
use super::super::select;
use super::super::signature::Keyring;
use super::super::store::Store;
use super::super::version;
use super::{UserlandError, UserlandLock, packages, sets};

/// Old enough for its programs to run on every locked kernel, and no longer renewed: what is locked stays.
const SUITE: &str = "bookworm";

impl Store {
    /// Makes a new lock of what userlands are made of. Nothing is written.
    pub fn relock_userland(&self, options: &RelockOptions) -> Result<UserlandLock, RelockError> {
        let mirror = self.mirror().map_err(UserlandError::Mirror)?;
        let keyring = Keyring::open(&options.keyrings)?;
        let index = self.index(&mirror, &keyring, Archive::Debian, SUITE, options.now)?;
        let list = match index {
            Index::Packages(list) => list,
            Index::None(note) => {
                let (suite, why) = (SUITE, note.to_string());
                return Err(UserlandError::NoList { suite, why }.into());
            }
        };
        let sets = sets()?;
        let newest = packages(&sets).into_iter().map(|name| {
            newest(&list, name).ok_or_else(|| UserlandError::NotListed {
                suite: SUITE,
                package: name.to_owned(),
            })
        });
        Ok(UserlandLock {
            suite: SUITE.to_owned(),
            packages: newest.collect::<Result<_, _>>()?,
        })
    }
}

/// The newest package of a name in a list.
pub(super) fn newest(list: &str, name: &str) -> Option<Package> {
    let first_line = format!("Package: {name}\n");
    list.split("\n\n")
        // Looked at before it is read: most are other packages.
        .filter(|text| text.trim_start().starts_with(&first_line))
        .flat_map(deb822::stanzas)
        .filter_map(|stanza| select::package(&stanza))
        .max_by(|a, b| version::compare(&a.version, &b.version))
}
