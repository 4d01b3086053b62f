//! `build`: a configure-like script and `make`, with the tools of a distribution: shells that fork, pipes,
//! scripts, programs that become others. Each child of the storm is one build from the start.
//!
//! None of the programs is ours. Who tells truth is a [witness](crate::witness), which the dynamic linker preloads
//! into each of them: it says pid, parent, user, time, file, string given, folder and arguments. All programs
//! are linked dynamically, so none is missing; each build has as many execs as were counted, or there is no
//! truth. Calls that find no program on the search path are attempts that nobody counts.

use std::{
    ffi::c_int,
    fs::{self, Permissions},
    os::{fd::RawFd, unix::fs::PermissionsExt},
    path::Path,
};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, Witness, Witnessed, bytes, make_dir,
};
use crate::{
    step::{Call, FIRST_OWN_FD, Step, text},
    witness::Log,
};

/// What is built, and how: name, mode, content.
const PROJECT: &[(&str, u32, &str)] = &[
    ("round", 0o644, include_str!("build/round")),
    ("configure", 0o755, include_str!("build/configure")),
    ("Makefile.in", 0o644, include_str!("build/Makefile.in")),
    ("main.c", 0o644, include_str!("build/main.c")),
    ("parse.c", 0o644, include_str!("build/parse.c")),
];
/// Where the programs' records are.
const LOG: &str = "/execlab-witness.log";

/// What one build executes (configure, make and their tools), and in how many processes: shells fork for pipes and
/// lists too.
const ROUND: Witnessed = Witnessed {
    execs: 30,
    processes: 31,
};

/// Where a build holds its lock, from its beginning to the end of its last program.
const LOCK_FD: RawFd = FIRST_OWN_FD;

/// See the module.
#[derive(Debug)]
pub struct Build;

impl Scenario for Build {
    fn name(&self) -> &'static str {
        "build"
    }

    fn about(&self) -> &'static str {
        "a configure script and make with real tools; each child is one build"
    }

    fn family(&self) -> Family {
        Family::Life
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it has every program of the machine say what it is, by /etc/ld.so.preload")
    }

    fn userland(&self) -> &'static [&'static str] {
        &["build"]
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let project = ground.dir.join("project");
        lay_out(&project)?;
        let (lock, output) = (ground.dir.join("lock"), ground.dir.join("output"));
        for file in [&lock, &output] {
            fs::write(file, "").map_err(SetupError::at(format!("make {}", file.display())))?;
        }
        let argv = ["sh", "-e", "round"].map(Into::into).to_vec();
        let steps = [
            // One build at a time, whatever the load: there is one folder.
            open(&lock, libc::O_RDONLY, LOCK_FD),
            Step::numbers(libc::SYS_flock, &[LOCK_FD.into(), libc::LOCK_EX.into()]),
            // The storm's own standard streams are its line to the trial runner.
            open(Path::new("/dev/null"), libc::O_RDONLY, 0),
            open(&output, libc::O_WRONLY | libc::O_APPEND, 1),
            Step::numbers(libc::SYS_dup2, &[1, 2]),
            Step::chdir(bytes(&project).0),
            Step::Exec(Call::new("/bin/sh", argv)),
        ];
        let way = Way {
            witnessed: Some(ROUND),
            ..Way::of(steps)
        };
        Ok(Prepared {
            witness: Some(Witness {
                log: Log::install(Path::new("/"), Path::new(LOG))?,
                place: Place::here(ground)?,
            }),
            ..Prepared::ways([way])
        })
    }
}

/// Writes the project into a folder.
fn lay_out(dir: &Path) -> Result<(), SetupError> {
    make_dir(dir)?;
    for (name, mode, content) in PROJECT {
        let file = dir.join(name);
        fs::write(&file, content)
            .and_then(|()| fs::set_permissions(&file, Permissions::from_mode(*mode)))
            .map_err(SetupError::at(format!("write {}", file.display())))?;
    }
    Ok(())
}

fn open(file: &Path, flags: c_int, at: RawFd) -> Step {
    let path = text(bytes(file).0);
    Step::Open { path, flags, at }
}
