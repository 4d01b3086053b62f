//! `private-proc`: execs in a PID namespace whose `/proc` covers that of the host, but in the host's file
//! tree. One way names its file by a descriptor in that `/proc`: whoever resolves the string in another
//! `/proc` finds another process's descriptor, or none.

use execlab_model::workload::Workload;
use nix::sched::CloneFlags;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install,
    tenant::{Tenant, make_mounts_private, mount_proc, unshare},
};
use crate::step::{FIRST_OWN_FD, How, Step, text};

/// See the module.
#[derive(Debug)]
pub struct PrivateProc;

impl Scenario for PrivateProc {
    fn name(&self) -> &'static str {
        "private-proc"
    }

    fn about(&self) -> &'static str {
        "a /proc of another PID namespace; by path, and by a descriptor in that /proc"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        // Above those that are kept for entering namespaces.
        const FILE: i32 = FIRST_OWN_FD + 50;
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        unshare(CloneFlags::CLONE_NEWPID)?;
        let tenant = Tenant::start(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            make_mounts_private()?;
            mount_proc()
        })?;
        let (enter, doors) = tenant.enter(&["mnt"])?;
        let place = Place {
            namespaces: tenant.namespaces()?,
            ..Place::here(ground)?
        };
        let mut by_path = place.site(bytes(&file), "/", &file)?;
        by_path.label = "path".into();
        let given = format!("/proc/self/fd/{FILE}");
        let mut by_descriptor = place.site(given.as_str(), "/", &file)?;
        by_descriptor.label = "descriptor".into();
        let open = Step::Open {
            path: text(bytes(&file).0),
            flags: libc::O_PATH | libc::O_CLOEXEC,
            at: FILE,
        };
        Ok(Prepared {
            helpers: vec![tenant.pid()],
            guard: Some(Box::new((tenant, doors))),
            ..Prepared::ways([
                Way::plain(by_path).after(&enter),
                Way::of(enter)
                    .step(open)
                    .exec(How::Execve, given, by_descriptor),
            ])
        })
    }
}
