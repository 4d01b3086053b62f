//! The seam to the machines that trials run on.
//!
//! [`Laboratory`] is the only slow thing in execlab, so it is the only thing that is faked: with
//! [`fake::FakeLab`] everything from the matrix file to the reports is tested in milliseconds.

mod disturbances;
pub mod exact;
pub mod fake;
mod guest_files;
mod guests;
pub mod host;
pub mod kvm;

use std::{collections::BTreeMap, fmt, path::Path, sync::atomic::AtomicBool, time::Duration};

pub use self::guest_files::monitor as monitor_program;
pub use execlab_model::repeat::Start;
use execlab_model::{
    record::Record,
    result::{KernelId, Provenance},
    sched::SchedTrace,
};

use crate::plan::TrialSpec;

/// What runs trials. Used by several threads at once.
pub trait Laboratory: Sync {
    /// Proves that all these trials can be started on this host: programs, kernels, space, rights.
    ///
    /// Called once, before the first boot; may fetch and verify kernels, and takes its time for it.
    /// What it finds missing ends the run before it begins.
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError>;

    /// The hash of all inputs of a trial (DESIGN §4): equal digests promise equal results.
    ///
    /// Must depend on nothing that differs from run to run. Called after [`Self::check`].
    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError>;

    /// What the digest of a trial is made of, as far as its line names it: what a changed digest is explained by.
    /// Called after [`Self::check`].
    fn inputs(&self, trial: &TrialSpec) -> Result<(KernelId, Provenance), LabError> {
        let nothing = Ran::broke(trial, String::new());
        Ok((nothing.kernel, nothing.provenance))
    }

    /// What a trial takes of the host's memory at most, its emulator included.
    fn memory_bytes(&self, trial: &TrialSpec) -> u64 {
        let _ = trial;
        1 << 30
    }

    /// Whether guests can start warm; where not, [`Start`] says nothing.
    fn has_images(&self) -> bool {
        false
    }

    /// Which image a trial starts from: trials with one name start from the same one.
    fn image(&self, trial: &TrialSpec) -> String {
        // What a guest takes of the host's memory follows from its size.
        let mib = self.memory_bytes(trial) >> 20;
        format!("{}, {mib} MiB", image_name(trial))
    }

    /// Makes what these trials start from, before the first of them is run.
    ///
    /// Called after [`Self::check`] and only where trials start warm: for trials, and for those that
    /// are run again and start from something that was not asked for before. Ends early once
    /// `interrupted` is set. Never fails: what could not be made is told again by the trials that
    /// need it. `told` may be called from any thread.
    fn warm_up(
        &self,
        trials: &[TrialSpec],
        jobs: usize,
        interrupted: &AtomicBool,
        told: &(dyn Fn(ImageNews) + Sync),
    ) {
        let _ = (trials, jobs, interrupted, told);
    }

    /// Runs one trial in one fresh guest and says what came back.
    ///
    /// Never panics on account of a guest, leaves no process behind, and keeps the guest's serial
    /// log at `serial_log` whatever happens (a second try overwrites the first one's).
    fn run(&self, trial: &TrialSpec, start: Start, digest: &str, serial_log: &Path) -> Ran;
}

/// What became of one image that guests are restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNews {
    /// What is in it, for people: `kernel 6.1`, `kernel 6.1 (audit=1)`.
    pub image: String,
    /// What became of it.
    pub what: ImageState,
}

/// How [`ImageNews::image`] names the image of a trial.
pub fn image_name(trial: &TrialSpec) -> String {
    if trial.boot.is_empty() {
        format!("kernel {}", trial.kernel)
    } else {
        format!("kernel {} ({})", trial.kernel, trial.boot.join(" "))
    }
}

/// See [`ImageNews`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// It was there.
    Found,
    /// Its guest is booting.
    Making,
    /// It is there now, after this long.
    Made(Duration),
    /// It was damaged, and is there again after this long.
    MadeAgain(Duration),
    /// It could not be made.
    Failed(String),
}

/// What came of one try of one trial.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What came back.
    pub outcome: Outcome,
    /// What made its figures what they are.
    pub provenance: Provenance,
    /// What was booted.
    pub kernel: KernelId,
    /// What the scheduler did meanwhile, where the trial asked for it by
    /// [`SCHED_TRACE`](execlab_model::sched::SCHED_TRACE).
    pub sched: Option<Box<SchedTrace>>,
    /// How long it took on the host.
    pub wall: Duration,
    /// Facts of the machine that differ from run to run, for [`TrialResult::host`].
    ///
    /// [`TrialResult::host`]: execlab_model::result::TrialResult::host
    pub host: BTreeMap<String, serde_json::Value>,
}

impl Ran {
    /// A try of which nothing is known but that the host's side broke, and why.
    pub fn broke(trial: &TrialSpec, reason: String) -> Self {
        Self {
            outcome: Outcome::Infra { reason },
            provenance: Provenance {
                execlab: env!("CARGO_PKG_VERSION").to_owned(),
                ..Provenance::default()
            },
            kernel: KernelId {
                name: trial.kernel.clone(),
                release: String::new(),
                sha256: String::new(),
            },
            sched: None,
            wall: Duration::ZERO,
            host: BTreeMap::new(),
        }
    }
}

/// What came back from a guest.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// One whole, framed, checksummed record.
    Record(Box<Record>),
    /// This machine cannot make such execs; nothing was tried.
    Unsupported {
        /// The evidence.
        reason: String,
    },
    /// The guest panicked, hung or stopped short.
    Lost {
        /// What is known of its end, for people.
        reason: String,
    },
    /// The host's side broke; nothing is known of the guest.
    Infra {
        /// What broke.
        reason: String,
    },
}

/// Why trials cannot be run on this host at all.
#[derive(Debug)]
pub struct LabError {
    /// What is missing or broken, as a sentence without a full stop.
    pub what: String,
    /// What the user can do about it.
    pub remedy: String,
    /// What lies below it.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for LabError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|e| e as &(dyn std::error::Error + 'static))
    }
}
