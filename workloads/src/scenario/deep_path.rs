//! `deep-path`: a file whose path is longer than any that can be passed to a call (`PATH_MAX`), reached by
//! `chdir` in several steps; and one that lies deep, below 150 folders with short names. The kernel
//! itself has no word for the first: `readlink` of `/proc/PID/exe` says ENAMETOOLONG, audit `<too_long>`.

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use execlab_model::workload::Workload;
use nix::{
    fcntl::{OFlag, openat},
    sys::stat::{Mode, mkdirat},
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, make_dir,
    worker::{copy_alone, labelled, proc_fd},
};
use crate::step::Step;

/// How many folders there are in the path that is too long, and how long their names are in bytes.
const FOLDERS: u8 = 25;
const NAME: usize = 200;
/// So many of them fit into one call.
const HOP: usize = 12;
/// How many folders with names of two bytes there are. Monitors that walk up from the file give up earlier:
/// some after 20, some after 96.
const DEPTH: u8 = 150;

/// See the module.
#[derive(Debug)]
pub struct DeepPath;

impl Scenario for DeepPath {
    fn name(&self) -> &'static str {
        "deep-path"
    }

    fn about(&self) -> &'static str {
        "a path beyond 4,096 bytes, and one of 150 folders"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let place = Place::here(ground)?;
        let (start, names) = (ground.dir.join("deep"), names());
        let inside = dig(&start, &names)?;
        let door = proc_fd(inside.as_raw_fd()).join("worker");
        copy_alone(&ground.payload, &door)?;
        let mut site = place.site("./worker", "/", &door)?;
        let folder = names
            .iter()
            .fold(start.clone(), |path, name| path.join(name));
        site.cwd = bytes(&folder);
        site.frames.exact = bytes(&folder.join("worker"));
        let steps: Vec<_> = hops(&start, &names)
            .map(|hop| Step::chdir(bytes(&hop).0))
            .collect();
        let long = Way::call(labelled("beyond 4,096 bytes", site)).after(&steps);

        let low = (0..DEPTH).fold(ground.dir.join("low"), |path, n| {
            path.join(format!("{n:02x}"))
        });
        let low = low.join("worker");
        copy_alone(&ground.payload, &low)?;
        let low = place.site(bytes(&low), "/", &low)?;
        Ok(Prepared::ways([
            long,
            Way::call(labelled("150 folders", low)),
        ]))
    }
}

/// The names of the folders.
fn names() -> Vec<String> {
    (0..FOLDERS)
        .map(|n| char::from(b'a' + n).to_string().repeat(NAME))
        .collect()
}

/// Makes folders below each other, each from the one before; the last one.
fn dig(start: &Path, names: &[String]) -> Result<File, SetupError> {
    make_dir(start)?;
    let what = format!("make folders below {}", start.display());
    let mut inside = File::open(start).map_err(SetupError::at(&*what))?;
    for name in names {
        mkdirat(&inside, name.as_str(), Mode::S_IRWXU).map_err(SetupError::at(&*what))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let next = openat(&inside, name.as_str(), flags, Mode::empty());
        let next = next.map_err(SetupError::at(&*what))?;
        inside = next.into();
    }
    Ok(inside)
}

/// The way to the last folder, in paths that can be passed to a call.
fn hops(start: &Path, names: &[String]) -> impl Iterator<Item = PathBuf> {
    let below = names
        .chunks(HOP)
        .map(|names| names.iter().collect::<PathBuf>());
    [start.to_owned()].into_iter().chain(below)
}
