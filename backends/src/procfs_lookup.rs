//! What `/proc/PID` tells of a process while it lives, for backends whose events carry only a pid.
//!
//! Each lookup is a race: the process may be gone, or be another one by now. What could not be read
//! is `None`; that is the technique's weakness, not an error.

use std::{fs, os::unix::ffi::OsStringExt, path::PathBuf};

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint},
};

fn path(pid: u32, entry: &str) -> PathBuf {
    format!("/proc/{pid}/{entry}").into()
}

/// The executed file (`/proc/PID/exe`), as seen from the reader's root.
pub fn exe(pid: u32) -> Option<Bytes> {
    fs::read_link(path(pid, "exe"))
        .ok()
        .map(|p| Bytes(p.into_os_string().into_vec()))
}

/// The arguments (`/proc/PID/cmdline`); `None` for a zombie or a kernel thread.
pub fn cmdline(pid: u32) -> Option<Argv> {
    let raw = fs::read(path(pid, "cmdline"))
        .ok()
        .filter(|raw| !raw.is_empty())?;
    let raw = raw.strip_suffix(b"\0").unwrap_or(&raw);
    Some(Argv::List(
        raw.split(|&b| b == 0).map(Bytes::from).collect(),
    ))
}

/// Cgroup v2 path and namespaces of a process.
pub fn container(pid: u32) -> ContainerHint {
    let cgroup = fs::read(path(pid, "cgroup")).ok().and_then(|raw| {
        let line = raw
            .split(|&b| b == b'\n')
            .find_map(|line| line.strip_prefix(b"0::"))?;
        Some(line.into())
    });
    ContainerHint {
        cgroup,
        cgroup_id: None,
        mnt_ns: namespace(pid, "mnt"),
        pid_ns: namespace(pid, "pid"),
    }
}

/// The inode in `mnt:[4026531841]`.
fn namespace(pid: u32, kind: &str) -> Option<u32> {
    let link = fs::read_link(path(pid, &format!("ns/{kind}"))).ok()?;
    link.to_str()?
        .split_once('[')?
        .1
        .strip_suffix(']')?
        .parse()
        .ok()
}
