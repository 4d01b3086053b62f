//! What is to be run: a matrix file and flags, checked against the [`Registry`].
//!
//! Values travel as text with the place they were written at ([`Given`]) until [`resolve`] has
//! checked all of them, so that every message names its place and all of them come at once.

mod file;
mod limits;
mod programs;
mod resolve;
mod values;
mod variants;

use std::{collections::BTreeMap, fmt, path::PathBuf};

use execlab_model::{
    plan::BackendSpec,
    result::Lab,
    workload::{Load, Spawn},
};
use serde::{Deserialize, Serialize};

use crate::program::Program;

pub use self::{
    file::read,
    resolve::{resolve, unknown},
    values::seeds,
};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By a flag or its environment variable.
    Flag(&'static str),
    /// In this line of a matrix file.
    File(PathBuf, usize),
    /// In the built-in quick matrix.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::BuiltIn => f.write_str("built-in matrix"),
        }
    }
}

/// A value as text, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As written.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

impl Given {
    /// One from a flag.
    pub fn flag(flag: &'static str, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            origin: Origin::Flag(flag),
        }
    }
}

/// A group of settings that the user made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Of this backend.
    pub backend: Given,
    /// By this name.
    pub name: Given,
    /// What differs from the backend's defaults.
    pub settings: Vec<(Given, String)>,
}

/// What a matrix file or a command line selects. `None` is "nothing said", not "nothing".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of kernels.
    pub kernels: Option<Vec<Given>>,
    /// `name` or `name+variant`.
    pub backends: Option<Vec<Given>>,
    /// Names of scenarios.
    pub workloads: Option<Vec<Given>>,
    /// `closed`, `rate:N`, `burst:N`.
    pub loads: Option<Vec<Given>>,
    /// Execs in each trial.
    pub execs: Option<Given>,
    /// How long payloads live.
    pub lifetimes: Option<Vec<Given>>,
    /// `vfork`, `fork`.
    pub spawns: Option<Vec<Given>>,
    /// Sleeping processes in the guest.
    pub populations: Option<Vec<Given>>,
    /// `N` (which is `0..N`) or `A..B`.
    pub seeds: Option<Given>,
    /// Name of the lab.
    pub lab: Option<Given>,
    /// Virtual CPUs.
    pub cpus: Option<Given>,
    /// Whether trials without a monitor are run, so that cost is a difference.
    pub baselines: Option<Given>,
    /// Limits of every monitor: `cpu=PERCENT`, `memory=MIB`.
    pub limits: Option<Vec<Given>>,
    /// Groups of settings; only a file has them.
    pub variants: Vec<Variant>,
    /// Programs by name; only a file has them.
    pub programs: Vec<NamedProgram>,
}

/// A program of somebody else that a matrix file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedProgram {
    /// By this name, which stands behind `exec:`.
    pub name: Given,
    /// Program and arguments.
    pub run: Vec<Given>,
    /// Files and folders that it needs.
    pub files: Vec<Given>,
    /// Boot options without which it cannot work.
    pub boot: Vec<Given>,
    /// What has to be executed to prove that it sees.
    pub canary: Option<Given>,
    /// Whether it starts what it watches.
    pub launch: bool,
}

impl Selection {
    /// This selection where it says something, `below` where it does not.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let mut variants = below.variants;
        variants.extend(self.variants);
        let mut programs = below.programs;
        programs.extend(self.programs);
        Self {
            kernels: self.kernels.or(below.kernels),
            backends: self.backends.or(below.backends),
            workloads: self.workloads.or(below.workloads),
            loads: self.loads.or(below.loads),
            execs: self.execs.or(below.execs),
            lifetimes: self.lifetimes.or(below.lifetimes),
            spawns: self.spawns.or(below.spawns),
            populations: self.populations.or(below.populations),
            seeds: self.seeds.or(below.seeds),
            lab: self.lab.or(below.lab),
            cpus: self.cpus.or(below.cpus),
            baselines: self.baselines.or(below.baselines),
            limits: self.limits.or(below.limits),
            variants,
            programs,
        }
    }

    /// Whether nothing at all was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A matrix whose every value is known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Names of kernels.
    pub kernels: Vec<String>,
    /// Backends with their settings; the baseline only if it was named.
    pub backends: Vec<SelectedBackend>,
    /// Names of scenarios.
    pub workloads: Vec<String>,
    /// When execs come.
    pub loads: Vec<Load>,
    /// Execs in each trial.
    pub execs: u32,
    /// How long payloads live.
    pub lifetimes_ns: Vec<u64>,
    /// How children are made.
    pub spawns: Vec<Spawn>,
    /// Sleeping processes in the guest.
    pub populations: Vec<u32>,
    /// First seed, and the one after the last.
    pub seeds: (u64, u64),
    /// Where time comes from.
    pub lab: Lab,
    /// CPUs of the machine.
    #[serde(default = "one_cpu")]
    pub cpus: u32,
    /// Whether trials without a monitor are run; without them nothing is said of what watching adds.
    #[serde(default = "yes")]
    pub baselines: bool,
    /// By scenario: what it asks for itself, where nobody said otherwise.
    #[serde(default)]
    pub own: BTreeMap<String, Own>,
}

/// What a scenario asks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Its load in place of the usual one.
    pub load: Option<Load>,
    /// With fewer execs it does not show what it shows.
    pub least_execs: u32,
    /// With more a guest's memory is full.
    #[serde(default = "no_limit")]
    pub most_execs: u32,
}

fn no_limit() -> u32 {
    u32::MAX
}

fn yes() -> bool {
    true
}

fn one_cpu() -> u32 {
    1
}

/// CPUs of a guest in the lab `kvm`, unless told otherwise: enough for a monitor to run beside the storm.
pub const KVM_CPUS: u32 = 2;

/// A backend of a matrix, and what it needs of the kernel's command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedBackend {
    /// Name, variant, settings.
    pub spec: BackendSpec,
    /// Boot options without which it cannot work.
    pub boot: Vec<String>,
    /// Which one, where it is somebody else's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
}

/// One thing that is wrong with a matrix, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

impl Problem {
    /// The line it stands on; what is no file has none and comes first.
    fn line(&self) -> usize {
        match self.origin {
            Origin::File(_, line) => line,
            Origin::Flag(_) | Origin::BuiltIn => 0,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

/// Why there is no matrix.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The file cannot be read.
    #[error("cannot read the matrix file {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Values are wrong; all that were found.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// Every value is good, and together they select nothing.
    #[error("the matrix selects no trial: {} empty", .0.join(", "))]
    NothingSelected(Vec<String>),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
