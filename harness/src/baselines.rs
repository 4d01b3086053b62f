//! Baselines: results that later runs are compared with, one file for each in a directory of the user's repository.
//!
//! A baseline is moved by a person, never by a result: it is written whole or not at all, and one of its name is not
//! overwritten unless that is asked for.

mod fit;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use execlab_model::{
    exit::ExitCode,
    repeat::Repeat,
    result::{Status, TrialResult},
};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;

/// Version of the head.
pub const SCHEMA: u32 = 1;
/// Where baselines lie where nothing else is said.
pub const DEFAULT_DIR: &str = "execlab-baselines";
const SUFFIX: &str = ".jsonl.gz";
/// A file of this program is far smaller; what is larger unpacked is none of it.
const LARGEST: u64 = 4 << 30;

/// The first line of a baseline; its results follow, a line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What it is called.
    pub name: String,
    /// When it was saved, in UTC.
    pub saved: String,
    /// Version of execlab that saved it.
    pub execlab: String,
    /// Versions of execlab that ran its trials.
    pub ran_by: Vec<String>,
    /// Labs of its trials.
    pub labs: Vec<String>,
    /// Kernels: name, release and hash of the image.
    pub kernels: Vec<(String, String, String)>,
    /// Versions of QEMU.
    pub qemu: Vec<String>,
    /// `name+variant` of what watched.
    pub backends: Vec<String>,
    /// Scenario and load of what was watched.
    pub workloads: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// How many trials ended as what.
    pub trials: BTreeMap<Status, usize>,
    /// What the run was planned from, where the plan was there.
    pub matrix: Option<Matrix>,
}

/// What is to become a baseline.
#[derive(Debug)]
pub struct Source<'a> {
    /// Its lines, with one for each trial of its plan that has no result.
    pub results: &'a [TrialResult],
    /// What of it was run again.
    pub repeats: &'a [Repeat],
    /// What it was planned from.
    pub matrix: Option<Matrix>,
}

/// Why a baseline cannot be saved, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A name that is none.
    #[error(
        "`{0}` is no name of a baseline: letters, digits, `.`, `_` and `-` are, and no `.` or `-` in front"
    )]
    BadName(String),
    /// There is one of that name.
    #[error("there is a baseline `{name}` already, saved {saved}")]
    Exists {
        /// Its name.
        name: String,
        /// When it was saved.
        saved: String,
    },
    /// There is none of that name.
    #[error("there is no baseline `{name}` in {} ({})", dir.display(), listed(has))]
    Missing {
        /// As it was named.
        name: String,
        /// Where it was looked for.
        dir: PathBuf,
        /// Those that there are.
        has: Vec<String>,
    },
    /// A run that is no measure for others.
    #[error("the run is no measure for others: {why}")]
    NotWhole {
        /// What is wrong with it.
        why: String,
        /// The code to end with.
        code: ExitCode,
    },
    /// A file that was damaged or is none of ours.
    #[error("{} is no baseline, or was damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The directory or a file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory or a file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

/// A directory of baselines; it need not be there.
#[derive(Debug, Clone)]
pub struct Baselines {
    dir: PathBuf,
}

impl Baselines {
    /// Those in a directory.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Whether this can be the name of one.
    pub fn is_name(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !name.is_empty()
            && name.len() <= 100
            && name.chars().all(plain)
            && !name.starts_with(['.', '-'])
    }

    /// Where the one of this name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        Self::is_name(name) && self.path(name).is_file()
    }

    /// Names of all of them, sorted.
    pub fn names(&self) -> Result<Vec<String>, BaselineError> {
        let unreadable = |source| BaselineError::Read {
            path: self.dir.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(unreadable)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(unreadable)?.file_name();
            let name = name.to_str().and_then(|n| n.strip_suffix(SUFFIX));
            names.extend(name.filter(|n| Self::is_name(n)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// That there is none of this name, with those that there are.
    pub fn missing(&self, name: &str) -> BaselineError {
        BaselineError::Missing {
            name: name.to_owned(),
            dir: self.dir.clone(),
            has: self.names().unwrap_or_default(),
        }
    }

    /// Saves a run. One of its name is replaced only with `force`, a run with gaps taken only with `incomplete`, and one
    /// that did not repeat never.
    pub fn save(
        &self,
        name: &str,
        source: &Source<'_>,
        force: bool,
        incomplete: bool,
    ) -> Result<Head, BaselineError> {
        if !Self::is_name(name) {
            return Err(BaselineError::BadName(name.to_owned()));
        }
        if self.has(name) && !force {
            return Err(self.exists(name));
        }
        if !incomplete {
            fit::whole(source)?;
        }
        fit::repeated(source)?;
        let head = head(name, source);
        let unwritable = |source| BaselineError::Write {
            path: self.path(name),
            source,
        };
        fs::create_dir_all(&self.dir).map_err(unwritable)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(unwritable)?;
        write(&mut file, &head, source.results).map_err(unwritable)?;
        readable(file.as_file()).map_err(unwritable)?;
        file.as_file().sync_all().map_err(unwritable)?;
        if force {
            let kept = file.persist(self.path(name));
            kept.map_err(|error| unwritable(error.error))?;
        } else if let Err(error) = file.persist_noclobber(self.path(name)) {
            // Somebody else was faster.
            return Err(match error.error.kind() {
                io::ErrorKind::AlreadyExists => self.exists(name),
                _ => unwritable(error.error),
            });
        }
        Ok(head)
    }

    fn exists(&self, name: &str) -> BaselineError {
        let saved = self.head(name).map(|head| head.saved);
        BaselineError::Exists {
            name: name.to_owned(),
            saved: saved.unwrap_or_else(|_| "some time ago".to_owned()),
        }
    }

    /// What one is of.
    pub fn head(&self, name: &str) -> Result<Head, BaselineError> {
        let bytes = self.unpacked(name)?;
        let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).map_err(|error| self.damaged(name, error.into()))
    }

    /// The whole of one.
    pub fn read(&self, name: &str) -> Result<(Head, Vec<TrialResult>), BaselineError> {
        let bytes = self.unpacked(name)?;
        let mut lines = bytes.splitn(2, |&b| b == b'\n');
        let head: Head = serde_json::from_slice(lines.next().unwrap_or_default())
            .map_err(|error| self.damaged(name, error.into()))?;
        let results = crate::store::parse(lines.next().unwrap_or_default())
            .map_err(|(_, error)| self.damaged(name, error.into()))?;
        if results.items.len() != head.trials.values().sum::<usize>() {
            let error = io::Error::other("it has not as many lines as its head says");
            return Err(self.damaged(name, error));
        }
        Ok((head, results.items))
    }

    /// Removes one.
    pub fn remove(&self, name: &str) -> Result<(), BaselineError> {
        if !self.has(name) {
            return Err(self.missing(name));
        }
        let path = self.path(name);
        fs::remove_file(&path).map_err(|source| BaselineError::Write { path, source })
    }

    fn unpacked(&self, name: &str) -> Result<Vec<u8>, BaselineError> {
        if !self.has(name) {
            return Err(self.missing(name));
        }
        let path = self.path(name);
        let file = fs::File::open(&path).map_err(|source| BaselineError::Read { path, source })?;
        let mut bytes = Vec::new();
        let unpacked = GzDecoder::new(file).take(LARGEST).read_to_end(&mut bytes);
        unpacked.map_err(|error| self.damaged(name, error))?;
        Ok(bytes)
    }

    fn damaged(&self, name: &str, source: io::Error) -> BaselineError {
        BaselineError::Damaged {
            path: self.path(name),
            source,
        }
    }
}

/// A temporary file is its owner's alone; this one is to be committed and read by others.
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// Without a time and a name in its header: the same results give the same bytes, but for when they were saved.
fn write(to: impl io::Write, head: &Head, results: &[TrialResult]) -> io::Result<()> {
    let mut packed = GzBuilder::new().write(to, Compression::best());
    let mut line = |json: serde_json::Result<Vec<u8>>| {
        let mut bytes = json.expect("plain data always encodes");
        bytes.push(b'\n');
        packed.write_all(&bytes)
    };
    line(serde_json::to_vec(head))?;
    for result in results {
        line(serde_json::to_vec(result))?;
    }
    packed.finish()?.flush()
}

fn head(name: &str, source: &Source<'_>) -> Head {
    let results = source.results;
    let all = |of: &dyn Fn(&TrialResult) -> Option<String>| -> Vec<String> {
        let found: BTreeSet<String> = results.iter().filter_map(of).collect();
        found.into_iter().collect()
    };
    let kernels: BTreeSet<_> = results.iter().map(|t| &t.kernel).collect();
    let seeds: BTreeSet<u64> = results.iter().map(|t| t.seed).collect();
    let mut trials = BTreeMap::new();
    for trial in results {
        *trials.entry(trial.status).or_default() += 1;
    }
    let kernel =
        |k: &execlab_model::result::KernelId| (k.name.clone(), k.release.clone(), k.sha256.clone());
    Head {
        schema: SCHEMA,
        name: name.to_owned(),
        saved: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        execlab: env!("CARGO_PKG_VERSION").to_owned(),
        ran_by: all(&|t| Some(t.provenance.execlab.clone()).filter(|v| !v.is_empty())),
        labs: all(&|t| Some(t.lab.to_string())),
        kernels: kernels.into_iter().map(kernel).collect(),
        qemu: all(&|t| t.provenance.qemu.clone()),
        backends: all(&|t| t.is_watched().then(|| t.backend_label())),
        workloads: all(&|t| {
            let workload = &t.workload;
            Some(format!(
                "{}/{}, {} execs",
                workload.scenario, workload.load, workload.execs
            ))
        }),
        seeds: seeds.into_iter().collect(),
        trials,
        matrix: source.matrix.clone(),
    }
}
