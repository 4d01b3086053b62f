//! `script-without-interpreter-line`: a text without `#!`. The kernel refuses it (`ENOEXEC`), and the shell
//! that called it executes another shell with the file as its argument, as POSIX asks for (2.9.1.6 of the
//! shell's part). So the one exec is that of `sh`; nobody executed the text, but it runs.
//!
//! The text begins with four printable bytes: for others, kernels up to 6.12 start modprobe
//! (`search_binary_handler`, fs/exec.c), which would be an exec of the kernel's own.

use execlab_model::{
    truth::{ID_ARGUMENT, LIFETIME_ARGUMENT},
    workload::Workload,
};
use nix::errno::Errno;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    interpreted::write_file,
};
use crate::step::{Call, How, Step};

/// See the module.
#[derive(Debug)]
pub struct ScriptWithoutInterpreterLine;

impl Scenario for ScriptWithoutInterpreterLine {
    fn name(&self) -> &'static str {
        "script-without-interpreter-line"
    }

    fn about(&self) -> &'static str {
        "a script without `#!`: ENOEXEC, then the shell executes `sh` with it"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let shell = ground.dir.join("bin/sh");
        install(&ground.payload, &shell)?;
        let script = ground.dir.join("bin/tool");
        write_file(&script, b"exit 1\n", 0o755)?;
        let mut site = Place::here(ground)?.site(bytes(&shell), "/", &shell)?;
        site.argv.insert(1, bytes(&script));
        let argv = [bytes(&script), ID_ARGUMENT.into(), LIFETIME_ARGUMENT.into()];
        let refused = Call::new(bytes(&script).0, argv.to_vec());
        Ok(Prepared::ways([Way::of([Step::Fails(
            refused,
            Errno::ENOEXEC,
        )])
        .exec(How::Execve, bytes(&shell).0, site)]))
    }
}
