//! `mm-exe-file`: right after its start the image makes another file its `/proc/PID/exe`
//! (`PR_SET_MM_EXE_FILE`, prctl(2)), and takes its own pages away. Who resolves late is shown a file that
//! was never executed.

use execlab_model::workload::Workload;
use nix::errno::Errno;

use super::{Family, Ground, Prepared, Scenario, SetupError, acting, bytes, install};

/// See the module.
#[derive(Debug)]
pub struct MmExeFile;

impl Scenario for MmExeFile {
    fn name(&self) -> &'static str {
        "mm-exe-file"
    }

    fn about(&self) -> &'static str {
        "right after its start the image makes another file its /proc/PID/exe"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        may_change_it()?;
        let other = ground.dir.join("bin/other");
        // The kernel wants one that could be executed (`prctl_set_mm_exe_file`, kernel/sys.c).
        install(&ground.payload, &other)?;
        let mut site = acting::site(ground, ["exe".into(), bytes(&other)])?;
        site.frames.stale.push(bytes(&other));
        Ok(Prepared::ways(acting::brief_and_lasting(&site)))
    }
}

/// It wants `CAP_SYS_RESOURCE` in the initial user namespace, which root in a container does not have. Asked with a
/// descriptor that is none, so that nothing changes.
fn may_change_it() -> Result<(), SetupError> {
    // SAFETY: the call takes numbers alone.
    let result = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_EXE_FILE, -1, 0, 0) };
    match Errno::result(result) {
        Err(Errno::EPERM) => Err(SetupError::Unsupported(
            "prctl(PR_SET_MM, PR_SET_MM_EXE_FILE): EPERM".into(),
        )),
        _ => Ok(()),
    }
}
