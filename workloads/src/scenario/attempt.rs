//! Calls that do not become an exec. Each scenario of them has children that only try, one that tries and
//! then executes a file that is there, as a shell does that looks for a command, and a plain exec beside
//! them: who reports the attempts has phantoms, and who misses the execs cannot claim to have done right.

use std::path::{Path, PathBuf};

use execlab_model::{
    Bytes,
    truth::{ID_ARGUMENT, LIFETIME_ARGUMENT, Site},
};
use nix::errno::Errno;

use super::{Ground, Place, Prepared, SetupError, Way, bytes, install, make_dir};
use crate::step::{Call, Step};

/// Where attempts are made, and the file that can be executed.
pub(super) struct Attempts {
    /// A folder for what cannot be executed.
    pub(super) dir: PathBuf,
    /// The payload's file.
    pub(super) file: PathBuf,
}

impl Attempts {
    /// With nothing in the folder.
    pub(super) fn prepare(ground: &Ground) -> Result<Self, SetupError> {
        let (dir, file) = (ground.dir.join("attempts"), ground.dir.join("bin/worker"));
        install(&ground.payload, &file)?;
        make_dir(&dir)?;
        Ok(Self { dir, file })
    }

    /// One child for each list, which only tries; one that makes all of these attempts and then the exec;
    /// one that makes the exec.
    pub(super) fn ways(
        &self,
        ground: &Ground,
        lists: &[Vec<Step>],
    ) -> Result<Prepared, SetupError> {
        let site = Place::here(ground)?.site(bytes(&self.file), "/", &self.file)?;
        let plain = |label: &str| {
            Way::plain(Site {
                label: label.into(),
                ..site.clone()
            })
        };
        let only = |list: &Vec<Step>| Way::of(list.iter().cloned()).step(Step::Exit);
        let mut ways: Vec<_> = lists.iter().map(only).collect();
        ways.push(plain("after-attempts").after(&lists.concat()));
        ways.push(plain("alone"));
        Ok(Prepared::ways(ways))
    }
}

/// `execve` of a path with the usual arguments.
pub(super) fn call(path: &Path) -> Call {
    let argv = [bytes(path), ID_ARGUMENT.into(), LIFETIME_ARGUMENT.into()];
    Call::new(bytes(path).0, argv.to_vec())
}

/// The same with one argument more.
pub(super) fn call_with(path: &Path, argument: Bytes) -> Call {
    let mut call = call(path);
    call.argv.push(argument);
    call
}

/// The attempt that must fail so.
pub(super) fn fails(path: &Path, errno: Errno) -> Step {
    Step::Fails(call(path), errno)
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn attempts_are_made_apart_and_before_an_exec() {
        let (_dir, ground) = testing::ground(Path::new("/proc/self/exe"));
        let attempts = Attempts::prepare(&ground).unwrap();
        let lists = [
            vec![fails(Path::new("/a"), Errno::ENOENT)],
            vec![
                fails(Path::new("/b"), Errno::ENOENT),
                fails(Path::new("/c"), Errno::EACCES),
            ],
        ];
        let Some(prepared) = testing::unless_elsewhere(attempts.ways(&ground, &lists)) else {
            return;
        };
        let planned: Vec<_> = prepared
            .ways
            .iter()
            .map(|way| (way.planned().execs, way.planned().attempts))
            .collect();
        assert_eq!(planned, [(0, 1), (0, 2), (1, 3), (1, 0)]);
    }
}
