//! What the lab host needs of the running kernel.

use std::{fs, path::Path};

use execlab_backends::look::{Capability, Finding, Namespace, Roots};
use execlab_trial::host::{runner::find_cgroup2, session::Session};

use super::Doctor;

pub(super) fn look(doctor: &Doctor) -> Vec<Finding> {
    let roots = &doctor.roots;
    vec![
        root(roots),
        cgroup2(roots),
        Capability::SysAdmin.look(roots),
        mount_namespaces(roots),
        overlay(roots),
        Namespace::Pid.look(roots),
        Namespace::User.look(roots),
        killed_runs(&doctor.sessions),
    ]
}

/// What runs left that were killed with all their parts: the next one puts it back, but until then it is
/// not as it was.
fn killed_runs(sessions: &Path) -> Finding {
    const WHAT: &str = "killed runs";
    let count = Session::all(sessions).map(|all| {
        let left = |session: &Session| session.is_minded().is_ok_and(|minded| !minded);
        all.iter().filter(|session| left(session)).count()
    });
    match count {
        Ok(0) => Finding::good(WHAT, "nothing of them is left"),
        Ok(count) => Finding::note(
            WHAT,
            format!("{count} of their trials left this machine changed"),
            "put it back: `execlab doctor --clean`",
        ),
        Err(error) => Finding::unknown(
            WHAT,
            format!("{} cannot be read: {error}", sessions.display()),
            "run it as root",
        ),
    }
}

/// The effective user, second of the line `Uid` (`proc_pid_status(5)`).
fn root(roots: &Roots) -> Finding {
    const WHAT: &str = "root";
    let text = fs::read_to_string(roots.proc.join("self/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
    match line.and_then(|ids| ids.split_ascii_whitespace().nth(1)) {
        Some("0") => Finding::good(WHAT, "execlab runs as root"),
        Some(id) => Finding::bad(
            WHAT,
            format!("execlab runs as user {id}"),
            "run it as root: monitors attach to the kernel, and storms have cgroups of their own",
        ),
        None => Finding::unknown(WHAT, "/proc/self/status does not say", "mount /proc"),
    }
}

fn cgroup2(roots: &Roots) -> Finding {
    const WHAT: &str = "cgroup v2";
    let mounts = fs::read_to_string(roots.proc.join("self/mountinfo")).unwrap_or_default();
    match find_cgroup2(&mounts) {
        Some(at) => Finding::good(WHAT, format!("mounted on {}", at.display())),
        None => Finding::bad(
            WHAT,
            "not mounted, or not from its root",
            "mount it: `mount -t cgroup2 none /sys/fs/cgroup/unified`, or boot with cgroup v2",
        ),
    }
}

/// A limit of 0 forbids them (`namespaces(7)`); making one needs `CAP_SYS_ADMIN`, which is looked at apart.
fn mount_namespaces(roots: &Roots) -> Finding {
    const WHAT: &str = "mount namespaces";
    let most = fs::read_to_string(roots.proc.join("sys/user/max_mnt_namespaces"));
    match most.as_deref().map(str::trim) {
        Ok("0") => Finding::bad(
            WHAT,
            "user.max_mnt_namespaces is 0",
            "raise it: `sysctl user.max_mnt_namespaces=1024`",
        ),
        Ok(most) => Finding::good(WHAT, format!("up to {most} can be made")),
        Err(error) => Finding::unknown(
            WHAT,
            format!("/proc/sys/user/max_mnt_namespaces cannot be read: {error}"),
            "boot a kernel with CONFIG_NAMESPACES=y",
        ),
    }
}

/// Only one scenario needs it.
fn overlay(roots: &Roots) -> Finding {
    const WHAT: &str = "overlayfs";
    let text = fs::read_to_string(roots.proc.join("filesystems")).unwrap_or_default();
    let mut names = text.lines().filter_map(|line| line.split('\t').next_back());
    if names.any(|name| name == "overlay") {
        Finding::good(WHAT, "the kernel has it")
    } else {
        Finding::note(
            WHAT,
            "not in /proc/filesystems, and the scenario container needs it",
            "load it: `modprobe overlay`, or leave that scenario out",
        )
    }
}
