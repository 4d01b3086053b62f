//! The payload's sibling that only exits.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What its name has at the end.
const BARE: &[u8] = b"-bare";

/// Its name beside a payload's.
pub(crate) fn name(payload: &[u8]) -> Vec<u8> {
    [payload, BARE].concat()
}

/// The file beside a payload.
pub(crate) fn beside(payload: &Path) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&name(payload.as_os_str().as_bytes())))
}
