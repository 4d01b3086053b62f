//! Kernel modules that travel in the initramfs, uncompressed, in the order in which they are loaded.

use std::{
    fs::{self, File},
    path::Path,
};

use nix::{
    errno::Errno,
    kmod::{ModuleInitFlags, finit_module},
};

use crate::TrialError;

/// Loads every file of the folder in the order of their names. What is loaded already is fine.
pub fn load_all(dir: &Path) -> Result<(), TrialError> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files {
        let opened = File::open(&file);
        let loaded = opened.map_err(TrialError::at(format!("open {}", file.display())))?;
        match finit_module(&loaded, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(TrialError::at(format!("load {}", file.display()))(errno));
            }
        }
    }
    Ok(())
}
