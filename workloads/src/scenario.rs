//! Scenarios: the ways in which an exec is made. One file for each, and the list of all.

use std::{
    ffi::{CString, OsStr},
    fmt, fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    result::PathClass,
    truth::{Frames, ID_ARGUMENT, LIFETIME_ARGUMENT, Namespaces, Site},
};

pub mod absolute;
pub mod container;
pub mod relative;
pub mod symlink;

/// Every scenario, in the order in which lists and reports show them. The only list.
pub const SCENARIOS: &[&dyn Scenario] = &[
    &absolute::Absolute,
    &relative::Relative,
    &symlink::Symlink,
    &container::Container,
];

/// One way, or a few that belong together, in which execs are made.
pub trait Scenario: Sync {
    /// Name in commands, results and reports: lower case, words joined by `-`.
    fn name(&self) -> &'static str;

    /// One line for lists and help.
    fn about(&self) -> &'static str;

    /// The path classes that are as good as a path can be here.
    fn best(&self) -> &'static [PathClass] {
        &[PathClass::Exact]
    }

    /// Kernel modules that a guest has to load for it.
    fn modules(&self) -> &'static [&'static str] {
        &[]
    }

    /// Prepares files and namespaces, in the process that will make the execs. Nothing that it
    /// starts may call exec.
    fn prepare(&self, ground: &Ground) -> Result<Prepared, SetupError>;
}

impl fmt::Debug for dyn Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    SCENARIOS
        .iter()
        .copied()
        .find(|scenario| scenario.name() == name)
}

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

/// What [`Scenario::prepare`] made.
#[derive(Default)]
pub struct Prepared {
    /// Taken in turn by the execs.
    pub ways: Vec<Way>,
    /// Processes that it started and that never call exec.
    pub helpers: Vec<u32>,
    /// Dropped when the storm is over.
    pub guard: Option<Box<dyn fmt::Debug>>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}

/// One call of exec, but for the id.
#[derive(Debug, Clone)]
pub struct Way {
    /// What truth holds of it.
    pub site: Site,
    /// Where the child changes to before it calls.
    pub chdir: Option<CString>,
    /// The string passed.
    pub path: CString,
    /// As `path`, for a payload beside it that only exits.
    pub bare_path: CString,
}

/// A step of the preparation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct SetupError {
    /// What was to be done, to what.
    pub what: String,
    /// What the system answered.
    pub source: io::Error,
}

impl SetupError {
    /// For `map_err`: names the step.
    pub fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self {
            what,
            source: error.into(),
        }
    }
}

/// What the file name of a payload that only exits has at its end.
const BARE: &str = "-bare";

/// Copies the payload to `to` and makes its folder; its bare sibling goes beside it.
pub(crate) fn install(payload: &Path, to: &Path) -> Result<(), SetupError> {
    let parent = to.parent().expect("scenarios install into folders");
    make_dir(parent)?;
    for (from, to) in [(payload, to), (&*bare(payload), &*bare(to))] {
        fs::copy(from, to).map_err(SetupError::at(format!(
            "copy {} to {}",
            from.display(),
            to.display()
        )))?;
    }
    Ok(())
}

/// The file beside a payload that only exits.
pub(crate) fn bare(payload: &Path) -> PathBuf {
    let mut name = payload.as_os_str().to_owned();
    name.push(BARE);
    name.into()
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

/// What a [`Way`] needs to know beside the file itself.
pub(crate) struct Call<'a> {
    /// The string to pass.
    pub given: &'a str,
    /// Where the child changes to; from its own root.
    pub chdir: Option<&'a Path>,
    /// The executed file, from its own root.
    pub file: &'a Path,
}

/// What all ways of a scenario share.
pub(crate) struct Place {
    /// The execs' namespaces.
    pub namespaces: Namespaces,
    /// Their cgroup, below the root of the hierarchy.
    pub cgroup: Bytes,
    /// Its inode.
    pub cgroup_id: u64,
    /// Whether that is a container.
    pub in_container: bool,
}

impl Place {
    /// Where this process is.
    pub fn here(ground: &Ground) -> Result<Self, SetupError> {
        let cgroup = own_cgroup()?;
        Ok(Self {
            namespaces: namespaces(Path::new("/proc/self/ns"))?,
            cgroup_id: cgroup_id(&ground.cgroups, &cgroup)?,
            cgroup,
            in_container: false,
        })
    }

    /// A way whose file is its own image and lies in one root.
    pub fn way(&self, call: &Call<'_>, host: Vec<Bytes>) -> Result<Way, SetupError> {
        let file = call.file;
        let stat =
            fs::metadata(file).map_err(SetupError::at(format!("stat {}", file.display())))?;
        let cstring = |bytes: &[u8]| CString::new(bytes).expect("paths of scenarios hold no NUL");
        let cwd = match call.chdir {
            Some(dir) => dir.as_os_str().as_bytes().into(),
            None => "/".into(),
        };
        Ok(Way {
            site: Site {
                given: call.given.into(),
                cwd,
                frames: Frames {
                    exact: file.as_os_str().as_bytes().into(),
                    host,
                    ..Frames::default()
                },
                argv: vec![
                    call.given.into(),
                    ID_ARGUMENT.into(),
                    LIFETIME_ARGUMENT.into(),
                ],
                dev: stat.dev(),
                ino: stat.ino(),
                cgroup: self.cgroup.clone(),
                cgroup_id: self.cgroup_id,
                namespaces: self.namespaces,
                in_container: self.in_container,
            },
            chdir: call.chdir.map(|dir| cstring(dir.as_os_str().as_bytes())),
            path: cstring(call.given.as_bytes()),
            bare_path: cstring(&[call.given.as_bytes(), BARE.as_bytes()].concat()),
        })
    }
}

/// The namespaces under a `/proc/PID/ns`.
pub(crate) fn namespaces(dir: &Path) -> Result<Namespaces, SetupError> {
    let inode = |kind: &str| {
        let link = dir.join(kind);
        let stat =
            fs::metadata(&link).map_err(SetupError::at(format!("stat {}", link.display())))?;
        u32::try_from(stat.ino()).map_err(|e| SetupError {
            what: format!("take the inode of {} as a namespace's", link.display()),
            source: io::Error::other(e),
        })
    };
    Ok(Namespaces {
        mnt: inode("mnt")?,
        pid: inode("pid")?,
        uts: inode("uts")?,
        ipc: inode("ipc")?,
        net: inode("net")?,
        cgroup: inode("cgroup")?,
        user: inode("user")?,
    })
}

/// This process's cgroup v2 path.
fn own_cgroup() -> Result<Bytes, SetupError> {
    let text = fs::read("/proc/self/cgroup").map_err(SetupError::at("read /proc/self/cgroup"))?;
    text.split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))
        .map(Bytes::from)
        .ok_or(SetupError {
            what: "find this process's cgroup v2".into(),
            source: io::ErrorKind::NotFound.into(),
        })
}

/// Where a cgroup's folder is.
pub(crate) fn cgroup_dir(root: &Path, cgroup: &Bytes) -> PathBuf {
    let below = cgroup.as_slice();
    root.join(OsStr::from_bytes(below.strip_prefix(b"/").unwrap_or(below)))
}

/// The inode of a cgroup's folder, which is the kernel's id of it.
pub(crate) fn cgroup_id(root: &Path, cgroup: &Bytes) -> Result<u64, SetupError> {
    let dir = cgroup_dir(root, cgroup);
    let stat = fs::metadata(&dir).map_err(SetupError::at(format!("stat {}", dir.display())))?;
    Ok(stat.ino())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_into_trial_ids() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for name in names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{name}"
            );
        }
    }
}
