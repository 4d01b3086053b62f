//! What one guest is asked to do: a [`TrialPlan`] goes in, a [`crate::record::Record`] comes out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bytes, workload::Workload};

/// A backend with one group of settings.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct BackendSpec {
    /// Name in the registry of `backends/`.
    pub name: String,
    /// Name of the group: `default`, `tuned` or the user's own.
    pub variant: String,
    /// Every setting by name, as text; the backend parses its own.
    pub settings: BTreeMap<String, String>,
}

impl BackendSpec {
    /// Name of the backend that does not watch.
    pub const NONE: &str = "none";
    /// The group of settings that a backend has when none is named.
    pub const DEFAULT: &str = "default";
    /// The variant of [`Self::NONE`] that is compared with the baseline like a backend (A/A): what it
    /// seems to cost is what the lab cannot tell from nothing.
    pub const AGAIN: &str = "again";
    /// The variant of [`Self::NONE`] in which the kernel itself counts the execs. That costs something, so
    /// it is compared with nothing. Its one setting has this name too, and tells the guest.
    pub const WITNESS: &str = "witness";

    /// The baseline, with [`Self::AGAIN`] its control, or with [`Self::WITNESS`] the witness run.
    pub fn none(variant: &str) -> Self {
        let counted = (Self::WITNESS.to_owned(), "execs".to_owned());
        let counted = Some(counted).filter(|_| variant == Self::WITNESS);
        Self {
            name: Self::NONE.to_owned(),
            variant: variant.to_owned(),
            settings: counted.into_iter().collect(),
        }
    }

    /// Whether anything watches.
    pub fn watches(&self) -> bool {
        self.name != Self::NONE
    }

    /// Whether nothing watches and others are compared with it.
    pub fn is_baseline(&self) -> bool {
        !self.watches() && !self.is_control() && !self.is_witness()
    }

    /// Whether nothing watches and it is compared with the baseline.
    pub fn is_control(&self) -> bool {
        !self.watches() && self.variant == Self::AGAIN
    }

    /// Whether nothing watches but the kernel's own counter of execs.
    pub fn is_witness(&self) -> bool {
        !self.watches() && self.variant == Self::WITNESS
    }
}

/// What is executed to prove that a monitor is attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryKind {
    /// The static payload, in the way in which the scenario makes execs.
    #[default]
    Payload,
    /// A dynamically linked program, for what lives in a process's libraries and is blind to any other.
    Dynamic,
    /// A copy of the payload that was never there before, for what reports each file once.
    Fresh,
}

/// How long each part of a trial lasts, in nanoseconds of guest time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// The quiet window in which the cost of idle watching is measured.
    pub idle_ns: u64,
    /// The window after the storm in which a monitor may catch up; equal to `idle_ns`.
    pub catch_up_ns: u64,
    /// How long a canary lives.
    pub canary_life_ns: u64,
    /// How many canaries are tried before the backend counts as not attached.
    pub canary_tries: u32,
    /// How long the monitor may take to say that it is ready, and later to stop.
    pub monitor_deadline_ns: u64,
}

impl Timing {
    /// For guests in the exact lab, where idle time costs nothing.
    pub const EXACT: Self = Self {
        idle_ns: 1_000_000_000,
        catch_up_ns: 1_000_000_000,
        canary_life_ns: 500_000_000,
        canary_tries: 5,
        monitor_deadline_ns: 30_000_000_000,
    };

    /// Where time is real: long enough for the slowest technique, short enough for many trials.
    pub const REAL: Self = Self {
        idle_ns: 500_000_000,
        catch_up_ns: 500_000_000,
        ..Self::EXACT
    };
}

/// Setting of every monitor: percent of one CPU that its cgroup gets (`cpu.max`).
pub const CPU_QUOTA: &str = "cpu-quota";
/// Setting of every monitor: MiB of memory that its cgroup gets (`memory.max`).
pub const MEMORY_LIMIT: &str = "memory-limit";

/// What the names of backends begin with that are programs of somebody else.
pub const PROGRAM_PREFIX: &str = "exec:";

/// How a program that is not ours is run as the monitor: what it says are lines on its standard output
/// ([`crate::seam::Message::decode_lines`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramCall {
    /// Where it lies, absolute: it is called by its own name, and finds what lies beside it.
    pub file: Bytes,
    /// Folders with libraries that its linker does not look into by itself, as `LD_LIBRARY_PATH` has them (`ld.so(8)`);
    /// empty where there are none.
    pub library_path: Bytes,
    /// Its arguments, without its own name.
    pub arguments: Vec<Bytes>,
}

/// Everything that the trial runner in the guest needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPlan {
    /// What watches, by its name in the registry.
    pub backend: String,
    /// The program of ours that watches, an ELF file; empty where nothing does. It travels with the plan, so
    /// that guests of all backends start from one image. Somebody else's is among the plan's files.
    pub monitor: Bytes,
    /// How to call it where it is a program of somebody else; `None` for our own, which get name, seam and
    /// settings.
    pub program: Option<ProgramCall>,
    /// Whether the storm is started by the monitor's program, as what can only watch its own descendants
    /// needs it; the monitor is attached before.
    pub launched: bool,
    /// What proves that it is attached.
    pub canary: CanaryKind,
    /// Every setting of it. What trial and variant are called is no input of a guest.
    pub settings: BTreeMap<String, String>,
    /// What is watched.
    pub workload: Workload,
    /// Perturbs what real life perturbs, never the truth's accounting.
    pub seed: u64,
    /// How long each part lasts.
    pub timing: Timing,
    /// Programs of a distribution that the workload needs in the guest; few do.
    pub files: Vec<PlanFile>,
}

/// A file that travels with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Where it belongs, from the guest's root and without a slash at the start.
    pub path: Bytes,
    /// What is there.
    pub contents: Contents,
}

/// What a [`PlanFile`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contents {
    /// A regular file: permissions and bytes.
    File(u32, Bytes),
    /// A symbolic link to this path.
    Link(Bytes),
}
