//! Files that lie beside the payload: other programs that leave the same evidence, and what they need.

use std::{fs, io, path::Path};

use super::{Ground, SetupError, make_dir};

/// The payload as a 32-bit program.
pub const COMPAT: &str = "execlab-payload-32";
/// The payload as a program that is linked when it starts, by [`LINKER`].
pub const DYNAMIC: &str = "execlab-payload-dynamic";
/// Where the C library's linker is, by the System V ABI (x86-64 supplement, 5.2.1). Guests have it there, and
/// hosts have their own.
pub const LINKER: &str = "/lib64/ld-linux-x86-64.so.2";
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

/// Copies the program of [`DYNAMIC`] to `to`, where this machine can start it.
pub(crate) fn install_dynamic(ground: &Ground, to: &Path) -> Result<(), SetupError> {
    linker_is_there()?;
    install(ground, DYNAMIC, to)
}

/// Whether this machine can start dynamically linked programs.
pub(super) fn linker_is_there() -> Result<(), SetupError> {
    match fs::metadata(LINKER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SetupError::Unsupported(format!("{LINKER}: {error}")))
        }
        other => other
            .map(drop)
            .map_err(SetupError::at(format!("look for {LINKER}"))),
    }
}
