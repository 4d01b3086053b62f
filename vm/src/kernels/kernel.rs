//! A kernel that can be booted.

use std::path::PathBuf;

use super::modules::{ModuleError, ModuleFile, ModuleIndex};

/// A kernel whose files are all there.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Its name as the user wrote it, such as `6.1`.
    pub name: String,
    /// Its series, such as `6.1`.
    pub series: String,
    /// What `uname -r` says in it.
    pub release: String,
    /// The ELF kernel, which is what is booted.
    pub vmlinux: PathBuf,
    /// The image as it was packed; the same file as `vmlinux` if the user gave an ELF kernel.
    pub bzimage: PathBuf,
    /// The hash of `vmlinux`.
    pub sha256: String,
    pub(super) modules: ModuleIndex,
}

impl Kernel {
    /// The wanted modules and all that they need, uncompressed, in an order in which they can be loaded.
    /// What is built into the kernel is left out.
    pub fn modules(&self, wanted: &[&str]) -> Result<Vec<ModuleFile>, ModuleError> {
        self.modules.load_order(&self.release, wanted)
    }

    /// All modules of this kernel.
    pub fn module_index(&self) -> &ModuleIndex {
        &self.modules
    }
}
