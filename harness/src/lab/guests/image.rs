//! The initramfs of a kernel: init, workloads and payloads, and the modules of all scenarios.
//!
//! One for all trials of a kernel, so that no trial differs from another by what lies in memory. The
//! monitor is not in it: it comes with the plan.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use execlab_vm::{
    digest::Sha256,
    initramfs::Initramfs,
    kernels::{Kernel, ModuleError, ModuleFile},
};

use execlab_workloads::scenario::programs;

use super::lacks;
use crate::lab::{LabError, guest_files};

/// The initramfs of one kernel.
#[derive(Debug, Clone)]
pub(in crate::lab) struct GuestImage {
    pub(in crate::lab) path: PathBuf,
    pub(in crate::lab) sha256: Sha256,
    /// Scenarios whose modules this kernel does not have, with what is missing.
    pub(in crate::lab) lacking: BTreeMap<&'static str, String>,
}

impl GuestImage {
    /// Finds it in `dir`, or writes it there. `padding` bytes of a file that nobody reads are in it, so that all
    /// else lies elsewhere in memory.
    pub(super) fn of(
        kernel: &Kernel,
        dir: &Path,
        init: &[u8],
        padding: usize,
    ) -> Result<Self, LabError> {
        let unreadable = |error| {
            let what = format!("the modules of kernel {} cannot be read", kernel.name);
            let remedy = "lock or name a kernel that has all of its modules";
            lacks(what, remedy, error)
        };
        let (modules, lacking) = modules_of_scenarios(kernel).map_err(unreadable)?;
        let mut files = Initramfs::default();
        for folder in ["dev", "newroot"] {
            files.folder(folder);
        }
        for (path, program) in [
            ("init", init),
            ("bin/execlab-storm", guest_files::STORM),
            ("bin/execlab-payload", guest_files::PAYLOAD),
            ("bin/execlab-payload-bare", guest_files::PAYLOAD_BARE),
        ] {
            files.program(path, program.to_vec());
        }
        let linker = programs::LINKER.trim_start_matches('/');
        files.program(linker, guest_files::LINKER.to_vec());
        for (name, program) in guest_files::beside_payload() {
            files.program(&format!("bin/{name}"), program.into_owned());
        }
        for (scenario, modules) in modules {
            let mut list = String::new();
            for module in modules {
                let name = format!("{}.ko", module.name);
                files.file(&format!("modules/{name}"), module.bytes);
                list.push_str(&name);
                list.push('\n');
            }
            files.file(&format!("modules/{scenario}"), list.into_bytes());
        }
        if padding > 0 {
            files.file("padding", vec![0; padding]);
        }
        let bytes = files.to_bytes();
        let sha256 = Sha256::of(&bytes);
        let path = dir.join(format!("{sha256}.cpio"));
        write(&path, &bytes).map_err(|error| {
            let what = format!("cannot write the guest's files to {}", dir.display());
            let remedy = "free some space there, or choose another cache with --cache";
            lacks(what, remedy, error)
        })?;
        Ok(Self {
            path,
            sha256,
            lacking,
        })
    }
}

/// Whole or not at all. What is there already is read: the digest is of these bytes, and so must be
/// what is booted.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// The modules of each scenario, in the order in which they are loaded.
type Modules = BTreeMap<&'static str, Vec<ModuleFile>>;

/// The modules of all scenarios that this kernel can run, and the scenarios that it cannot run.
///
/// A module that is not what was unpacked is an error even where no trial needs it: without it the
/// guest's files would be others.
fn modules_of_scenarios(
    kernel: &Kernel,
) -> Result<(Modules, BTreeMap<&'static str, String>), ModuleError> {
    let (mut modules, mut lacking) = (Modules::new(), BTreeMap::new());
    for scenario in execlab_workloads::SCENARIOS {
        match kernel.modules(scenario.modules()) {
            Ok(files) if files.is_empty() => {}
            Ok(files) => {
                modules.insert(scenario.name(), files);
            }
            Err(error @ ModuleError::Damaged { .. }) => return Err(error),
            Err(error) => {
                lacking.insert(scenario.name(), error.to_string());
            }
        }
    }
    Ok((modules, lacking))
}
