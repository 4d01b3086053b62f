//! `user-namespace`: execs in a user namespace that an unprivileged user made for itself. Inside they are
//! root; in the initial user namespace they are that user, and that is who a monitor should report.

use std::fs;

use execlab_model::workload::Workload;
use nix::{
    errno::Errno,
    sched::CloneFlags,
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, die_with_parent, install,
    tenant::Tenant,
};
use crate::{
    spawn::Maker,
    step::{How, Step},
};

/// Who makes the namespace.
const USER: u32 = 1000;

/// See the module.
#[derive(Debug)]
pub struct UserNamespace;

impl Scenario for UserNamespace {
    fn name(&self) -> &'static str {
        "user-namespace"
    }

    fn about(&self) -> &'static str {
        "root in a user namespace that user 1000 made, who he is outside"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let tenant = Tenant::start(own_namespace)?;
        let (enter, doors) = tenant.enter(&["user"])?;
        let place = Place {
            namespaces: tenant.namespaces()?,
            ..Place::here(ground)?
        };
        let site = place.site(bytes(&file), "/", &file)?;
        let given = site.given.clone();
        // Supplementary groups are dropped while that is still allowed: the namespace's maker had to give it up.
        let mut steps = vec![Step::numbers(libc::SYS_setgroups, &[0, 0])];
        steps.extend(enter);
        steps.push(Step::numbers(libc::SYS_setresgid, &[0, 0, 0]));
        steps.push(Step::numbers(libc::SYS_setresuid, &[0, 0, 0]));
        // A child that shared the storm's memory would make that undumpable too (`commit_creds`, kernel/cred.c).
        let way = Way::of(steps).made_by(Maker::Fork);
        let way = Way {
            uid: Some(USER),
            ..way.exec(How::Execve, given.0, site)
        };
        Ok(Prepared {
            helpers: vec![tenant.pid()],
            guard: Some(Box::new((tenant, doors))),
            ..Prepared::ways([way])
        })
    }
}

/// In the helper: becomes the user, and as such makes a namespace in which he is root.
fn own_namespace() -> Result<(), SetupError> {
    let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
    setgroups(&[])
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(uid, uid, uid))
        .map_err(SetupError::at(format!("become user {USER}")))?;
    // Whoever changes his user is no longer dumpable, and his files in /proc are root's; nor does he die with
    // his parent any more (`commit_creds`, kernel/cred.c).
    nix::sys::prctl::set_dumpable(true).map_err(SetupError::at("own his /proc again"))?;
    die_with_parent();
    match nix::sched::unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => {}
        Err(errno @ (Errno::EPERM | Errno::ENOSPC | Errno::EINVAL)) => {
            let why = format!("unshare(CLONE_NEWUSER) of user {USER} ends with {errno}");
            return Err(SetupError::Unsupported(why));
        }
        Err(errno) => return Err(SetupError::at("make a user namespace")(errno)),
    }
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {USER} 1")),
        ("gid_map", format!("0 {USER} 1")),
    ] {
        let file = format!("/proc/self/{file}");
        fs::write(&file, text).map_err(SetupError::at(format!("write {file}")))?;
    }
    Ok(())
}
