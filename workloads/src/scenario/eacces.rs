//! `eacces`: calls that are refused: a file without any permission to execute it (which binds root too), a
//! folder, and a program on a file system that is mounted `noexec`.

use std::path::Path;

use execlab_model::workload::Workload;
use nix::{errno::Errno, mount::MsFlags};

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    attempt::{Attempts, fails},
    install,
    interpreted::write_file,
    mounts,
};

/// See the module.
#[derive(Debug)]
pub struct Eacces;

impl Scenario for Eacces {
    fn name(&self) -> &'static str {
        "eacces"
    }

    fn about(&self) -> &'static str {
        "calls that are refused: mode 0644, a folder, a noexec mount; alone and before the exec"
    }

    fn family(&self) -> Family {
        Family::Attempt
    }

    fn least_execs(&self) -> u32 {
        5
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let attempts = Attempts::prepare(ground)?;
        let dir = &attempts.dir;
        let (file, mounted) = (dir.join("file"), dir.join("noexec"));
        write_file(&file, b"#!/nothing\n", 0o644)?;
        mounts::enter()?;
        mounts::add(
            "tmpfs",
            Path::new("execlab"),
            &mounted,
            MsFlags::MS_NOEXEC,
            None,
        )?;
        let program = mounted.join("worker");
        install(&ground.payload, &program)?;
        let lists = [&file, dir, &program].map(|path| vec![fails(path, Errno::EACCES)]);
        attempts.ways(ground, &lists)
    }
}
