//! `mm-exe-file`: right after its start the image makes another file its `/proc/PID/exe`
//! (`PR_SET_MM_EXE_FILE`, prctl(2)), and takes its own pages away. Who resolves late is shown a file that
//! was never executed.

use execlab_model::workload::Workload;

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

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(
            "it wants CAP_SYS_RESOURCE in the initial user namespace, which a container's root does not have",
        )
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let other = ground.dir.join("bin/other");
        // The kernel wants one that could be executed (`prctl_set_mm_exe_file`, kernel/sys.c).
        install(&ground.payload, &other)?;
        let mut site = acting::site(ground, ["exe".into(), bytes(&other)])?;
        site.frames.stale.push(bytes(&other));
        Ok(Prepared::ways(acting::brief_and_lasting(&site)))
    }
}
