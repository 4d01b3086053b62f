//! Files that lie beside the payload: other programs that leave the same evidence, and what they need.

use std::{fs, path::Path};

use super::{Ground, SetupError, make_dir};

/// The payload as a 32-bit program.
pub const COMPAT: &str = "execlab-payload-32";
/// The payload as a program that is linked when it starts.
pub const DYNAMIC: &str = "execlab-payload-dynamic";
/// The C library's linker that does it.
pub const LINKER: &str = "execlab-linker";
/// A squashfs image that holds the payload.
pub const IMAGE: &str = "execlab-payload.squashfs";

/// Copies one to `to`, with its permissions, and makes its folder.
pub(super) fn install(ground: &Ground, program: &str, to: &Path) -> Result<(), SetupError> {
    make_dir(to.parent().expect("scenarios install into folders"))?;
    let from = ground.payload.with_file_name(program);
    fs::copy(&from, to)
        .map(drop)
        .map_err(SetupError::at(format!(
            "copy {} to {}",
            from.display(),
            to.display()
        )))
}
