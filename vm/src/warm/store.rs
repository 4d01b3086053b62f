//! Where warm images are kept: a folder, each under the hash of all that it was made from.
//!
//! ```text
//! warm/HASH.state        the guest; HASH.part while it is written
//! warm/HASH.json         its label: inputs, SHA-256, length; written last
//! warm/HASH.serial.log   what it printed while it booted
//! warm/HASH.lock         held while it is made
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{Label, Recipe, WarmImage, remove};
use crate::{
    digest::{Hasher, Sha256},
    guest::GuestError,
};

/// Images take no more of the disk than this: those that were not used for longest go first.
const MOST_BYTES: u64 = 8 << 30;

/// The folder.
#[derive(Debug)]
pub struct WarmStore {
    dir: PathBuf,
    /// Labels of the images that were given out.
    using: Mutex<BTreeSet<PathBuf>>,
}

/// How an image was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was there, whole.
    Found,
    /// It was made, in this time.
    Now(Duration),
    /// What was there was damaged; it was made anew, in this time.
    Again(Duration),
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// The guest, or QEMU.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// The folder.
    #[error("the folder of warm images, {path}, cannot be used: {source}")]
    Folder {
        /// The file in question.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl WarmStore {
    /// In this folder, which is made when it is needed.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            using: Mutex::default(),
        }
    }

    /// The image of a recipe; made where it is not there, or is not what it was when it was made.
    /// `making` is called before that, since it takes a boot, and where another run is at it.
    pub fn get(
        &self,
        recipe: &Recipe<'_>,
        mut making: impl FnMut(),
    ) -> Result<(WarmImage, Made), WarmError> {
        let inputs = recipe.inputs();
        let file = |end: &str| self.dir.join(format!("{}.{end}", key(&inputs)));
        let trouble = |path: &Path| {
            let path = path.to_owned();
            move |source| WarmError::Folder { path, source }
        };
        let (state, label, lock) = (file("state"), file("json"), file("lock"));
        let image = WarmImage {
            state: state.clone(),
        };
        let held = fs::create_dir_all(&self.dir).and_then(|()| hold(&lock, &mut making));
        let _held = match held {
            Ok(held) => held,
            // A cache that others fill and that cannot be written here is a good one too.
            Err(_) if matches!(look(&state, &label), Ok(Found::Whole)) => {
                return Ok((image, Made::Found));
            }
            Err(error) => return Err(trouble(&lock)(error)),
        };
        self.using().insert(label.clone());
        let found = look(&state, &label).map_err(trouble(&state))?;
        if found == Found::Whole {
            // Only the order in which images go depends on it.
            let _ = touch(&label);
            return Ok((image, Made::Found));
        }
        making();
        // The label says that the state is whole: it goes first and comes last.
        for old in [&label, &state] {
            remove(old).map_err(trouble(old))?;
        }
        let began = Instant::now();
        let made = recipe.make(&state, &file("serial.log"));
        if let Err(error) = made {
            // Of no use to anybody, and it may have filled the disk.
            let _ = remove(&state).and_then(|()| remove(&file("part")));
            return Err(error.into());
        }
        write_label(&state, &label, inputs).map_err(trouble(&label))?;
        self.prune(MOST_BYTES).map_err(trouble(&self.dir))?;
        let took = began.elapsed();
        let made = if found == Found::Damaged {
            Made::Again(took)
        } else {
            Made::Now(took)
        };
        Ok((image, made))
    }

    /// Removes images, the longest unused first, until the others fit; never one that this store gave
    /// out, or that is being made. What a killed run left behind goes first.
    fn prune(&self, most: u64) -> io::Result<()> {
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let lock = entry?.path();
            if lock.extension().is_none_or(|end| end != "lock") {
                continue;
            }
            let length = |end| fs::metadata(lock.with_extension(end)).map_or(0, |m| m.len());
            let bytes: u64 = ["state", "part"].into_iter().map(length).sum();
            let label = fs::metadata(lock.with_extension("json"));
            let used = label.and_then(|m| m.modified());
            images.push((used.unwrap_or(SystemTime::UNIX_EPOCH), bytes, lock));
        }
        images.sort();
        let mut all: u64 = images.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, lock) in images {
            if all <= most {
                break;
            }
            if self.using().contains(&lock.with_extension("json")) {
                continue;
            }
            // The lock's own file stays: another run may be about to wait for it.
            let file = File::open(&lock)?;
            if file.try_lock().is_err() {
                continue;
            }
            for end in ["json", "state", "part", "serial.log"] {
                remove(&lock.with_extension(end))?;
            }
            all -= bytes;
        }
        Ok(())
    }

    fn using(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.using.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Whole,
    Damaged,
}

fn look(state: &Path, label: &Path) -> io::Result<Found> {
    let text = match fs::read(label) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        text => text?,
    };
    let Ok(label) = serde_json::from_slice::<Label>(&text) else {
        return Ok(Found::Damaged);
    };
    match WarmImage::check(state, &label) {
        Ok(true) => Ok(Found::Whole),
        Ok(false) => Ok(Found::Damaged),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Damaged),
        Err(error) => Err(error),
    }
}

fn write_label(state: &Path, path: &Path, inputs: Vec<String>) -> io::Result<()> {
    let label = Label {
        inputs,
        length: fs::metadata(state)?.len(),
        sha256: Sha256::of_file(state)?,
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    serde_json::to_writer_pretty(&mut new, &label)?;
    new.as_file().sync_all()?;
    new.persist(path).map(drop).map_err(|error| error.error)
}

/// Waits for whoever holds it, and says so where that takes longer than a moment. For a moment it is
/// held by any child of this process that was just forked and has not called exec yet.
fn hold(lock: &Path, waiting: &mut impl FnMut()) -> io::Result<File> {
    const MOMENT: Duration = Duration::from_millis(500);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock)?;
    let began = Instant::now();
    while file.try_lock().is_err() {
        if began.elapsed() > MOMENT {
            waiting();
            file.lock()?;
            break;
        }
        std::thread::sleep(MOMENT / 50);
    }
    Ok(file)
}

fn touch(file: &Path) -> io::Result<()> {
    File::options()
        .append(true)
        .open(file)?
        .set_modified(SystemTime::now())
}

fn key(inputs: &[String]) -> String {
    let mut hash = Hasher::default();
    for input in inputs {
        hash.update(&(input.len() as u64).to_le_bytes());
        hash.update(input.as_bytes());
    }
    hash.finish().as_str()[..32].to_owned()
}

#[cfg(test)]
mod tests;
