//! `script-by-fd`: a script by an open file (`execveat` with `AT_EMPTY_PATH`, as fexecve(3) does it) and by a
//! name in an open folder. The kernel makes up a path for the interpreter, `/dev/fd/N` or
//! `/dev/fd/N/NAME` (`alloc_bprm`, fs/exec.c), and that is all that the arguments say of the script.
//!
//! A third way has the file closed on exec: the interpreter could not open it, so the call fails with `ENOENT`
//! after the kernel has opened the script.

use std::{os::fd::RawFd, path::Path};

use execlab_model::{Bytes, workload::Workload};
use nix::errno::Errno;

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, bytes, interpreted::Interpreted};
use crate::step::{Call, FIRST_OWN_FD, How, Step, text};

/// See the module.
#[derive(Debug)]
pub struct ScriptByFd;

const FILE: RawFd = FIRST_OWN_FD;
const FOLDER: RawFd = FIRST_OWN_FD + 1;
const CLOSED: RawFd = FIRST_OWN_FD + 2;

impl Scenario for ScriptByFd {
    fn name(&self) -> &'static str {
        "script-by-fd"
    }

    fn about(&self) -> &'static str {
        "a script by its descriptor and by its folder's, and by one that is closed on exec (ENOENT)"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let script = files.script("tool", "")?;
        let way = |label, place: RawFd, opened: &Path, name: &str, flags| {
            let below = if name.is_empty() { "" } else { "/" };
            let given = Bytes::from(format!("/dev/fd/{place}{below}{name}").into_bytes());
            let words = [bytes(&files.interpreter), given.clone()];
            let how = How::Execveat(place, flags);
            let way = files.way_by(label, how, name.into(), given, &script, &words)?;
            Ok(way.after(&[open(opened, place, 0)]))
        };
        let closed = Call::new("", vec![bytes(&script)]).by(How::Execveat(CLOSED, EMPTY));
        Ok(Prepared::ways([
            way("descriptor", FILE, &script, "", EMPTY)?,
            way("folder", FOLDER, &files.dir, "tool", 0)?,
            Way::of([
                open(&script, CLOSED, libc::O_CLOEXEC),
                Step::Fails(closed, Errno::ENOENT),
                Step::Exit,
            ]),
        ]))
    }
}

const EMPTY: i32 = libc::AT_EMPTY_PATH;

/// In the child, as a shell or a runtime does it.
fn open(path: &Path, at: RawFd, flags: i32) -> Step {
    Step::Open {
        path: text(bytes(path).0),
        flags: libc::O_RDONLY | flags,
        at,
    }
}
