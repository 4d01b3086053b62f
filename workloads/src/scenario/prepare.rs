//! What the preparation of a scenario is given, and what it makes.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{Place, Way, bare};
use crate::{evidence::Testimony, witness};
use execlab_model::Bytes;

/// Where a scenario may build.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The payload's file, to be copied to where the scenario wants it.
    pub payload: PathBuf,
    /// A folder of its own, absolute and without symlinks.
    pub dir: PathBuf,
    /// Where the cgroup v2 hierarchy is mounted.
    pub cgroups: PathBuf,
    /// Below which cgroup all of this trial's are; empty where that is the root.
    pub base: Bytes,
}

impl Ground {
    /// A file to which payloads append their evidence that inherit nothing of the storm: they are told
    /// so by an act of theirs ([`crate::evidence::LOG_ACT`]).
    pub fn log(&self) -> PathBuf {
        self.dir.join("evidence")
    }
}

/// What [`Scenario::prepare`] made.
#[derive(Default)]
pub struct Prepared {
    /// Taken in turn by the children.
    pub ways: Vec<Way>,
    /// A way of one plain exec by which it can be told whether a monitor sees at all. Only for scenarios
    /// after whose preparation the storm no longer reaches its own folder; all others have one by
    /// themselves.
    pub canary: Option<Way>,
    /// What else is evidence.
    pub testimonies: Vec<Box<dyn Testimony>>,
    /// Of whom execs are told that [ways](Way::witnessed) have none of their own of.
    pub witness: Option<Witness>,
    /// Processes that it started and that never call exec.
    pub helpers: Vec<u32>,
    /// Dropped when the storm is over.
    pub guard: Option<Box<dyn fmt::Debug>>,
}

/// What the execs of programs that are not ours are known by.
#[derive(Debug)]
pub struct Witness {
    /// What the programs write to.
    pub(crate) log: witness::Log,
    /// Where they run: in the storm's own PID namespace and root.
    pub(crate) place: Place,
}

impl Prepared {
    /// These ways and nothing else.
    pub fn ways(ways: impl IntoIterator<Item = Way>) -> Self {
        Self {
            ways: ways.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}

/// Why there are no ways.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A step of the preparation failed.
    #[error("cannot {what}: {source}")]
    Failed {
        /// What was to be done, to what.
        what: String,
        /// What the system answered.
        source: io::Error,
    },
    /// This kernel cannot do it; the evidence: what was asked of it, and its answer.
    #[error("{0}")]
    Unsupported(String),
}

impl SetupError {
    /// For `map_err`: names the step.
    pub fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Failed {
            what,
            source: error.into(),
        }
    }
}

/// Copies the payload to `to` and makes its folder; its bare sibling goes beside it.
pub(crate) fn install(payload: &Path, to: &Path) -> Result<(), SetupError> {
    let parent = to.parent().expect("scenarios install into folders");
    make_dir(parent)?;
    for (from, to) in [(payload, to), (&*bare::beside(payload), &*bare::beside(to))] {
        fs::copy(from, to).map_err(SetupError::at(format!(
            "copy {} to {}",
            from.display(),
            to.display()
        )))?;
    }
    Ok(())
}

/// In a child that only sleeps: ends it with the storm, whose pipes to the trial runner it holds open.
pub(crate) fn die_with_parent() {
    // It can only fail for a signal that does not exist.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
}

/// Makes a folder and its parents.
pub(crate) fn make_dir(dir: &Path) -> Result<(), SetupError> {
    fs::create_dir_all(dir).map_err(SetupError::at(format!("make the folder {}", dir.display())))
}
