//! Where warm images are kept: a folder, each under the hash of all that it was made from.
//!
//! ```text
//! warm/HASH.state        the guest
//! warm/HASH.json         its label: inputs, SHA-256, length; written last
//! warm/HASH.serial.log   what it printed while it booted
//! warm/HASH.lock         held while it is made
//! ```

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
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
#[derive(Debug, Clone)]
pub struct WarmStore {
    dir: PathBuf,
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
        Self { dir }
    }

    /// The image of a recipe; made where it is not there, or is not what it was when it was made.
    /// `making` is called before that, since it takes a boot.
    pub fn get(
        &self,
        recipe: &Recipe<'_>,
        making: impl FnOnce(),
    ) -> Result<(WarmImage, Made), WarmError> {
        let inputs = recipe.inputs();
        let file = |end: &str| self.dir.join(format!("{}.{end}", key(&inputs)));
        let trouble = |path: &Path| {
            let path = path.to_owned();
            move |source| WarmError::Folder { path, source }
        };
        fs::create_dir_all(&self.dir).map_err(trouble(&self.dir))?;
        let (state, label, lock) = (file("state"), file("json"), file("lock"));
        // Others who want the same one wait here until it is made.
        let _guard = hold(&lock).map_err(trouble(&lock))?;
        let image = WarmImage {
            state: state.clone(),
        };
        let found = look(&state, &label).map_err(trouble(&state))?;
        if found == Found::Whole {
            touch(&label).map_err(trouble(&label))?;
            return Ok((image, Made::Found));
        }
        making();
        // The label says that the state is whole: it goes first and comes last.
        remove(&label).map_err(trouble(&label))?;
        let began = Instant::now();
        let made = recipe.make(&state, &file("serial.log"));
        if let Err(error) = made {
            // Of no use to anybody, and it may have filled the disk.
            let _ = remove(&state);
            return Err(error.into());
        }
        write_label(&state, &label, inputs).map_err(trouble(&label))?;
        self.prune(MOST_BYTES, &label).map_err(trouble(&self.dir))?;
        let took = began.elapsed();
        let made = if found == Found::Damaged {
            Made::Again(took)
        } else {
            Made::Now(took)
        };
        Ok((image, made))
    }

    /// Removes images, the longest unused first, until the others fit; never the one of `keep`.
    fn prune(&self, most: u64, keep: &Path) -> io::Result<()> {
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "json") {
                let bytes = fs::metadata(path.with_extension("state")).map_or(0, |m| m.len());
                let used = fs::metadata(&path)?.modified()?;
                images.push((used, bytes, path));
            }
        }
        images.sort();
        let mut all: u64 = images.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, label) in images {
            if all <= most {
                break;
            }
            if label != keep {
                remove(&label)?;
                remove(&label.with_extension("state"))?;
                remove(&label.with_extension("serial.log"))?;
                all -= bytes;
            }
        }
        Ok(())
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

fn hold(lock: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock)?;
    file.lock()?;
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
