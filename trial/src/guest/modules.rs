//! Kernel modules that travel in the initramfs, uncompressed.
//!
//! Each scenario's are loaded for its own trials alone, once the plan is known: some change what every
//! exec costs (`binfmt_misc` is asked about each image).

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};
use nix::{
    errno::Errno,
    kmod::{ModuleInitFlags, finit_module},
};

use crate::TrialError;

/// After modules were loaded: what the kernel puts off for them is done by then.
const SETTLE_NS: u64 = 2_000_000_000;

/// Loads the modules of a scenario: those that the file of its name in the folder lists, line by line. What
/// is loaded already is fine, and no such file is no module.
pub fn load_for(scenario: &str, dir: &Path) -> Result<(), TrialError> {
    let list = dir.join(scenario);
    let list = match fs::read_to_string(&list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(TrialError::at(format!("read {}", list.display())))?,
    };
    for file in list.lines().map(|name| dir.join(name)) {
        let opened = File::open(&file);
        let loaded = opened.map_err(TrialError::at(format!("open {}", file.display())))?;
        match finit_module(&loaded, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(TrialError::at(format!("load {}", file.display()))(errno));
            }
        }
    }
    sleep_until_ns(monotonic_ns() + SETTLE_NS);
    Ok(())
}
