//! Sessions of runs that were killed with all their parts: finding them and putting back what they changed.

use std::{
    fs, io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_trial::host::{clean::clean, session::Session};

/// Longer than a supervisor takes to end a trial.
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(50);

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions that somebody minds: they belong to a run that goes on.
    pub minded: usize,
    /// Sessions that nobody minds, taken away.
    pub cleaned: usize,
    /// What had to be put back.
    pub put_back: Vec<String>,
    /// What could not be; its session stays.
    pub problems: Vec<String>,
}

/// Cleans up after all sessions in a folder that nobody minds.
pub(super) fn sweep(root: &Path) -> io::Result<Swept> {
    sweep_within(root, PATIENCE)
}

fn sweep_within(root: &Path, patience: Duration) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for session in Session::all(root)? {
        let minded = match mind(&session, patience) {
            // Its supervisor has done all that was to be done, folder included.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            minded => minded?,
        };
        let Some(_minded) = minded else {
            swept.minded += 1;
            continue;
        };
        let cleaned = clean(&session);
        swept.put_back.extend(cleaned.put_back);
        if cleaned.problems.is_empty() {
            unless_gone(fs::remove_dir_all(session.dir()))?;
            swept.cleaned += 1;
        } else {
            swept.problems.extend(cleaned.problems);
        }
    }
    Ok(swept)
}

fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Takes a session over. One whose run was killed still has its supervisor for a moment, who is about
/// to put everything back.
fn mind(session: &Session, patience: Duration) -> io::Result<Option<fs::File>> {
    let deadline = Instant::now() + patience;
    loop {
        let minded = session.mind()?;
        if minded.is_some() || Instant::now() >= deadline {
            return Ok(minded);
        }
        sleep(GLANCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minded_stays_and_the_rest_goes() {
        let root = tempfile::tempdir().unwrap();
        for name in ["1-0", "2-0"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let alive = Session::at(&root.path().join("2-0"));
        let held = alive.mind().unwrap();
        let swept = sweep_within(root.path(), Duration::ZERO).unwrap();
        assert_eq!((swept.minded, swept.cleaned), (1, 1));
        assert!(!root.path().join("1-0").exists());
        drop(held);
        assert_eq!(sweep(root.path()).unwrap().cleaned, 1);
        assert_eq!(sweep(root.path()).unwrap(), Swept::default());
    }
}
