//! What this machine can do, lab by lab and backend by backend, why not, and what to do about it.
//!
//! It only looks: nothing is made, fetched, started or switched. What only a trial proves is told as
//! unknown. Everything that it reads lies below paths of a [`Doctor`], so that its tests have machines of
//! their own in temporary folders.

use std::{
    io,
    path::{Path, PathBuf},
};

use execlab_backends::look::{Finding, Roots, Usable};
use execlab_model::{plan::BackendSpec, result::Lab};
use execlab_vm::disk::Room;
use serde::{Deserialize, Serialize};

use crate::lab::LabError;

mod guests;
mod host;
mod kvm;
mod text;

pub use guests::available_bytes;
pub use text::text;

/// The version of [`Diagnosis`] as JSON: it grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The machine.
    pub roots: Roots,
    /// QEMU; `None` for the one that labs would find.
    pub qemu: Option<PathBuf>,
    /// The cache; `None` for the user's own.
    pub cache: Option<PathBuf>,
    /// Where guests keep their files.
    pub temporary: PathBuf,
    /// Where the lab host keeps what it has to put back.
    pub sessions: PathBuf,
    /// How room for files is looked at.
    pub room: fn(&Path) -> io::Result<Room>,
}

/// What was found. Its JSON is stable: fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The version of execlab.
    pub execlab: String,
    /// The release of the running kernel.
    pub kernel: String,
    /// The labs that were asked for, in their usual order.
    pub labs: Vec<Part>,
    /// The backends that watch, on the running kernel; empty where the lab host was not asked for. For
    /// guests each kernel has its own answer, which the canaries of each trial prove.
    pub backends: Vec<Part>,
}

/// A lab or a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What follows from the findings.
    pub usable: Usable,
    /// What was looked at, in this order.
    pub findings: Vec<Finding>,
}

impl Part {
    fn new(name: &str, findings: Vec<Finding>) -> Self {
        Self {
            name: name.to_owned(),
            usable: Usable::of(&findings),
            findings,
        }
    }
}

impl Doctor {
    /// For the machine that this runs on.
    pub fn here(cache: Option<PathBuf>) -> Self {
        Self {
            roots: Roots::running(),
            qemu: None,
            cache,
            temporary: std::env::temp_dir(),
            sessions: execlab_trial::host::session::ROOT.into(),
            room: Room::of,
        }
    }

    /// Looks at what these labs need. `canary` is called for the lab kvm if nothing else stands in its
    /// way: it boots guests and says with which CPU model one came through.
    pub fn look(
        &self,
        labs: &[Lab],
        canary: Option<&dyn Fn() -> Result<String, LabError>>,
    ) -> Diagnosis {
        let wanted = Lab::ALL.into_iter().filter(|lab| labs.contains(lab));
        let of_lab = |lab: Lab| {
            let findings = match lab {
                Lab::Exact => guests::look(self, true),
                Lab::Kvm => kvm::look(self, canary),
                Lab::Host => host::look(self),
            };
            Part::new(lab.as_str(), findings)
        };
        let watching = execlab_backends::BACKENDS
            .iter()
            .filter(|backend| labs.contains(&Lab::Host) && backend.name() != BackendSpec::NONE);
        let release = std::fs::read_to_string(self.roots.proc.join("sys/kernel/osrelease"));
        Diagnosis {
            schema: SCHEMA,
            execlab: env!("CARGO_PKG_VERSION").into(),
            kernel: release.unwrap_or_default().trim().to_owned(),
            labs: wanted.map(of_lab).collect(),
            backends: watching
                .map(|backend| Part::new(backend.name(), backend.look(&self.roots)))
                .collect(),
        }
    }
}

impl Diagnosis {
    /// Whether these labs can be used; what is unknown is no yes.
    pub fn can_use(&self, labs: &[Lab]) -> bool {
        labs.iter().all(|lab| {
            let part = self.labs.iter().find(|part| part.name == lab.as_str());
            part.is_some_and(|part| part.usable == Usable::Yes)
        })
    }
}

#[cfg(test)]
mod tests;
