//! The run directory: `plan.json` first, one line of `results.jsonl` for each trial as it ends, and one
//! of `verify.jsonl` for each that was run again.
//!
//! It is never overwritten, belongs to one process at a time, and can be gone on with after any cut:
//! a line counts from its newline on, and every other file is replaced whole.

mod lines;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use execlab_model::{repeat::Repeat, result::TrialResult};
use serde::de::DeserializeOwned;

pub use self::lines::{Lines, parse};
use crate::plan::Plan;

/// Where runs go that are given no directory.
pub const DEFAULT_PARENT: &str = "execlab-out";
/// What a run directory has first.
pub const PLAN: &str = "plan.json";
const RESULTS: &str = "results.jsonl";
const VERIFY: &str = "verify.jsonl";
const LOGS: &str = "logs";
const LOCK: &str = "lock";

/// Why a run directory cannot be made, gone on with or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is something in it.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// Whether what is in it is a run.
        is_run: bool,
    },
    /// There is no run in it.
    #[error("{} holds no run: it has no {missing}", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// The file that a run would have.
        missing: &'static str,
    },
    /// Another process works in it.
    #[error("{} is in use by another execlab ({by})", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What that process wrote into the lock file.
        by: String,
    },
    /// What stands in it was not written by this program, or was damaged.
    #[error("{}:{line} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |source| StoreError::Write {
        path: path.to_owned(),
        source,
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |source| StoreError::Read {
        path: path.to_owned(),
        source,
    }
}

/// A run directory that this process has to itself.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held as long as this lives; the kernel lets go of it however the process ends.
    _lock: File,
    results: File,
    verify: File,
    made_directory: bool,
}

/// A run that was cut off, as it was found.
#[derive(Debug)]
pub struct Resumed {
    /// Its directory.
    pub dir: RunDir,
    /// What it was to do.
    pub plan: Plan,
    /// What it had done.
    pub results: Vec<TrialResult>,
    /// What it had run again.
    pub repeats: Vec<Repeat>,
}

impl RunDir {
    /// A new one, in a directory that is not there yet or is empty.
    pub fn create(path: &Path, plan: &Plan) -> Result<Self, StoreError> {
        let made_directory = !path.exists();
        fs::create_dir_all(path).map_err(unwritable(path))?;
        if fs::read_dir(path)
            .map_err(unreadable(path))?
            .next()
            .is_some()
        {
            return Err(StoreError::NotEmpty {
                path: path.to_owned(),
                is_run: path.join(PLAN).exists(),
            });
        }
        let lock = lock(path)?;
        let logs = path.join(LOGS);
        fs::create_dir_all(&logs).map_err(unwritable(&logs))?;
        write_plan(path, plan)?;
        Ok(Self {
            results: open_lines(&path.join(RESULTS))?,
            verify: open_lines(&path.join(VERIFY))?,
            path: path.to_owned(),
            _lock: lock,
            made_directory,
        })
    }

    /// A new one below [`DEFAULT_PARENT`], named after the time.
    pub fn create_by_time(parent: &Path, plan: &Plan) -> Result<Self, StoreError> {
        fs::create_dir_all(parent).map_err(unwritable(parent))?;
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
        let mut number = 1;
        loop {
            let name = match number {
                1 => now.to_string(),
                n => format!("{now}-{n}"),
            };
            let path = parent.join(name);
            // Making the directory, not looking for it, decides who has it.
            match fs::create_dir(&path) {
                Ok(()) => {
                    let mut dir = Self::create(&path, plan)?;
                    dir.made_directory = true;
                    return Ok(dir);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(StoreError::Write { path, source }),
            }
        }
    }

    /// One that was cut off. A last line without its newline is taken off; the rest stays.
    pub fn resume(path: &Path) -> Result<Resumed, StoreError> {
        let plan = read_plan(path)?;
        let lock = lock(path)?;
        let (results, file) = whole_lines(&path.join(RESULTS))?;
        let (repeats, verify) = whole_lines(&path.join(VERIFY))?;
        let logs = path.join(LOGS);
        fs::create_dir_all(&logs).map_err(unwritable(&logs))?;
        Ok(Resumed {
            dir: Self {
                path: path.to_owned(),
                _lock: lock,
                results: file,
                verify,
                made_directory: false,
            },
            plan,
            results,
            repeats,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where serial logs go.
    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS)
    }

    /// Adds a line and sees it to the disk.
    pub fn append(&mut self, result: &TrialResult) -> Result<(), StoreError> {
        append(
            &mut self.results,
            &self.path.join(RESULTS),
            &lines::line(result),
        )
    }

    /// Adds what came of a repeat and sees it to the disk.
    pub fn append_repeat(&mut self, repeat: &Repeat) -> Result<(), StoreError> {
        append(
            &mut self.verify,
            &self.path.join(VERIFY),
            &lines::line(repeat),
        )
    }

    /// Replaces all lines: those of trials that are tried again are taken out.
    pub fn keep_only(
        &mut self,
        results: &[TrialResult],
        repeats: &[Repeat],
    ) -> Result<(), StoreError> {
        let (file, verify) = (self.path.join(RESULTS), self.path.join(VERIFY));
        let text: Vec<u8> = results.iter().flat_map(lines::line).collect();
        replace(&file, &text)?;
        let text: Vec<u8> = repeats.iter().flat_map(lines::line).collect();
        replace(&verify, &text)?;
        self.results = open_lines(&file)?;
        self.verify = open_lines(&verify)?;
        Ok(())
    }

    /// Replaces the plan, where what is run follows from what came of it.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), StoreError> {
        write_plan(&self.path, plan)
    }

    /// Replaces a document whole.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<(), StoreError> {
        replace(&self.path.join(name), contents)
    }

    /// Takes back a directory in which nothing was run.
    pub fn discard(self) {
        for file in [PLAN, RESULTS, VERIFY, LOCK] {
            let _ = fs::remove_file(self.path.join(file));
        }
        let _ = fs::remove_dir(self.path.join(LOGS));
        if self.made_directory {
            // Fails where somebody put something into it, which is as it should be.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// The results of a run directory, whole lines only.
pub fn read_lines(path: &Path) -> Result<Lines<TrialResult>, StoreError> {
    let missing = || StoreError::NotARun {
        path: path.to_owned(),
        missing: RESULTS,
    };
    lines_of(&path.join(RESULTS))?.ok_or_else(missing)
}

/// The repeats of a run directory, whole lines only; none where it has no such file.
pub fn read_repeats(path: &Path) -> Result<Vec<Repeat>, StoreError> {
    let lines = lines_of(&path.join(VERIFY))?;
    Ok(lines.map(|lines| lines.items).unwrap_or_default())
}

/// The lines of a file; `None` where there is no such file.
fn lines_of<T: DeserializeOwned>(file: &Path) -> Result<Option<Lines<T>>, StoreError> {
    let bytes = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(unreadable(file))?,
    };
    let lines = parse(&bytes).map_err(|(line, source)| StoreError::Damaged {
        path: file.to_owned(),
        line,
        source,
    });
    lines.map(Some)
}

/// The lines of a file that is gone on with, once a line that was cut off is taken off it.
fn whole_lines<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, File), StoreError> {
    let lines = lines_of(path)?;
    let file = open_lines(path)?;
    let whole = lines.as_ref().map_or(0, |lines| lines.whole_bytes);
    file.set_len(whole).map_err(unwritable(path))?;
    Ok((lines.map(|lines| lines.items).unwrap_or_default(), file))
}

/// The plan of a run directory.
pub fn read_plan(path: &Path) -> Result<Plan, StoreError> {
    let file = path.join(PLAN);
    let text = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NotARun {
                path: path.to_owned(),
                missing: PLAN,
            });
        }
        other => other.map_err(unreadable(&file))?,
    };
    serde_json::from_slice(&text).map_err(|source| StoreError::Damaged {
        line: source.line(),
        path: file,
        source,
    })
}

fn write_plan(path: &Path, plan: &Plan) -> Result<(), StoreError> {
    let json = serde_json::to_vec_pretty(plan).expect("plain data always encodes");
    replace(&path.join(PLAN), &json)
}

fn open_lines(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(unwritable(path))
}

/// A line that does not fit on the disk is taken off again: what is there stays whole.
fn append(file: &mut File, path: &Path, line: &[u8]) -> Result<(), StoreError> {
    let before = file.metadata().map_err(unwritable(path))?.len();
    let added = file.write_all(line).and_then(|()| file.sync_data());
    added.map_err(|source| {
        // Where this fails too, the next `--resume` does it.
        let _ = file.set_len(before);
        unwritable(path)(source)
    })
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = path.join(LOCK);
    let mut lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&file)
        .map_err(unwritable(&file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut by = String::new();
            let _ = lock.read_to_string(&mut by);
            return Err(StoreError::InUse {
                path: path.to_owned(),
                by: by.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(StoreError::Write { path: file, source }),
    }
    let who = format!(
        "execlab {}, process {}, since {}\n",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    lock.set_len(0)
        .and_then(|()| lock.write_all(who.as_bytes()))
        .map_err(unwritable(&file))?;
    Ok(lock)
}

/// Writes a file so that a reader finds either the old one or the new one, whole.
fn replace(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = File::create(&new)
        .and_then(|mut file| file.write_all(contents).and_then(|()| file.sync_data()))
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|source| {
        // Half of it is of no use to anybody.
        let _ = fs::remove_file(&new);
        unwritable(path)(source)
    })
}
