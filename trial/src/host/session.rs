//! The folder of one trial on a host: what goes in, what comes out, and what has to be put back.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use execlab_workloads::scenario::programs;

/// Where sessions are kept. Not for users to choose: it has to be found again after all who knew of a
/// session were killed, and to be gone after a boot, as everything is that was changed.
pub const ROOT: &str = "/run/execlab";
/// The programs that the harness puts into a session.
pub const PROGRAMS: [&str; 6] = [
    "execlab-storm",
    "execlab-payload",
    "execlab-payload-bare",
    programs::COMPAT,
    programs::DYNAMIC,
    programs::IMAGE,
];

/// Who runs or cleans a session has this file of it locked.
const MINDED: &str = "minded";

/// One such folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    dir: PathBuf,
}

impl Session {
    /// The one at `dir`, which exists or is about to.
    pub fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// All below a folder like [`ROOT`], in the order of their names.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let dir = entry?.path();
            if dir.is_dir() {
                all.push(Self { dir });
            }
        }
        all.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(all)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The framed plan.
    pub fn plan(&self) -> PathBuf {
        self.dir.join("plan")
    }

    /// The framed record, there only when it is whole.
    pub fn record(&self) -> PathBuf {
        self.dir.join("record")
    }

    /// Stages that were reached, one a line.
    pub fn marks(&self) -> PathBuf {
        self.dir.join("marks")
    }

    /// What the runner, the storm and the supervisor printed.
    pub fn printed(&self) -> PathBuf {
        self.dir.join("printed")
    }

    /// How the supervisor ended the trial.
    pub fn outcome(&self) -> PathBuf {
        self.dir.join("outcome")
    }

    /// One of [`PROGRAMS`].
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the runner mounts what the trial writes, in its own mount namespace.
    pub fn stage(&self) -> PathBuf {
        self.dir.join("stage")
    }

    /// What was noted of a backend's part of the machine, one file each.
    pub fn noted(&self) -> PathBuf {
        self.dir.join("noted")
    }

    /// The cgroup of everything that is started, below the root of the hierarchy.
    pub fn cgroup(&self) -> String {
        let name = self.dir.file_name().unwrap_or_default();
        format!("/execlab-{}", name.to_string_lossy())
    }

    /// Writes a file of the session that is there whole or not at all.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Beside the files that mean something: what was cut off there means nothing.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.dir.join(name);
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    }

    /// Says that somebody minds this session, for as long as the file is open; `None` where somebody
    /// else does. Held by whoever runs or cleans it: the kernel lets go of it with its holder.
    pub fn mind(&self) -> io::Result<Option<File>> {
        let file = File::create(self.dir.join(MINDED))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether anybody minds it now.
    pub fn is_minded(&self) -> io::Result<bool> {
        let file = match File::open(self.dir.join(MINDED)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a stage was reached.
    pub fn has_reached(&self, stage: &str) -> bool {
        let marks = fs::read_to_string(self.marks()).unwrap_or_default();
        marks.lines().any(|mark| mark == stage)
    }

    /// The last stage that was reached, in words.
    pub fn stage_reached(&self) -> String {
        let marks = fs::read_to_string(self.marks()).unwrap_or_default();
        let last = marks.lines().last();
        last.map_or_else(|| "its start".to_owned(), |mark| format!("`{mark}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_found_and_minded_by_one_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Session::all(&root.path().join("none")).unwrap(), []);
        for name in ["7-1", "12-0"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("file"), "").unwrap();
        let all = Session::all(root.path()).unwrap();
        let cgroups: Vec<_> = all.iter().map(Session::cgroup).collect();
        assert_eq!(cgroups, ["/execlab-12-0", "/execlab-7-1"]);
        let held = all[0].mind().unwrap();
        assert!(held.is_some());
        assert!(all[0].mind().unwrap().is_none());
        assert!(all[0].is_minded().unwrap());
        assert!(!all[1].is_minded().unwrap());
        assert!(all[1].mind().unwrap().is_some());
    }

    #[test]
    fn what_is_being_written_is_in_no_list() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session::at(dir.path());
        fs::create_dir(session.noted()).unwrap();
        session
            .write_whole(&session.noted().join("audit"), b"x")
            .unwrap();
        // As a kill in the middle leaves it.
        fs::write(dir.path().join("audit.new"), "").unwrap();
        let noted: Vec<_> = fs::read_dir(session.noted()).unwrap().collect();
        assert_eq!(noted.len(), 1);
        assert_eq!(fs::read(session.noted().join("audit")).unwrap(), b"x");
    }

    #[test]
    fn the_last_mark_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session::at(dir.path());
        assert_eq!(session.stage_reached(), "its start");
        fs::write(session.marks(), "prepared\nattached\n").unwrap();
        assert_eq!(session.stage_reached(), "`attached`");
    }
}
