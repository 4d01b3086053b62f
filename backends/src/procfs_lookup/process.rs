//! The directory of one process, and what is read through it.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
};

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint, Sighting},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use super::{
    Depth, MAX_CMDLINE, Procfs,
    parse::{self, Stat, Status},
};

/// The directory of one process.
#[derive(Debug)]
pub struct Process {
    pub(super) dir: OwnedFd,
}

impl Process {
    /// Opens a file of this process for reading.
    pub fn open(&self, name: &CStr) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        Ok(openat(&self.dir, name, flags, Mode::empty())?)
    }

    /// The executed file (`/proc/PID/exe`), as seen from the reader's root.
    pub fn exe(&self, proc: &mut Procfs) -> Option<Bytes> {
        proc.link_at(self.dir.as_fd(), c"exe").ok().map(Bytes::from)
    }

    /// Device and inode of the executed file.
    pub fn file(&self) -> Option<(u64, u64)> {
        let stat = nix::sys::stat::fstatat(&self.dir, c"exe", nix::fcntl::AtFlags::empty()).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// The arguments, and whether they were cut; `None` for a zombie or a kernel thread.
    pub fn argv(&self, proc: &mut Procfs) -> Option<(Argv, bool)> {
        let raw = proc.read_at(self.dir.as_fd(), c"cmdline").ok()?;
        Some((parse::cmdline(raw)?, raw.len() >= MAX_CMDLINE))
    }

    /// `/proc/PID/stat`, with the name of the process.
    pub fn stat<'a>(&self, proc: &'a mut Procfs) -> Option<Stat<'a>> {
        Stat::parse(proc.read_at(self.dir.as_fd(), c"stat").ok()?)
    }

    /// `/proc/PID/status`.
    pub fn status(&self, proc: &mut Procfs) -> Option<Status> {
        Some(Status::parse(
            proc.read_at(self.dir.as_fd(), c"status").ok()?,
        ))
    }

    /// Cgroup v2 path and namespaces. A zombie has left its namespaces but still has its cgroup.
    pub fn container(&self, proc: &mut Procfs) -> ContainerHint {
        let dir = self.dir.as_fd();
        ContainerHint {
            mnt_ns: proc.link_at(dir, c"ns/mnt").ok().and_then(parse::namespace),
            pid_ns: proc.link_at(dir, c"ns/pid").ok().and_then(parse::namespace),
            cgroup: proc
                .read_at(dir, c"cgroup")
                .ok()
                .and_then(parse::cgroup)
                .map(Bytes::from),
            cgroup_id: None,
        }
    }

    /// Fills in what ends with the image.
    pub fn perishable(&self, proc: &mut Procfs, depth: Depth, sighting: &mut Sighting) {
        match proc.link_at(self.dir.as_fd(), c"exe") {
            Ok(path) => sighting.path = Some(path.into()),
            // The kernel has one page for a path. Only that is out of reach then; the process is there.
            Err(Errno::ENAMETOOLONG) => {}
            Err(_) => return,
        }
        if let Some((argv, cut)) = self.argv(proc) {
            sighting.argv = Some(argv);
            sighting.truncated |= cut;
        }
        if depth == Depth::Full {
            sighting.file = self.file();
        }
    }

    /// Fills in what a zombie still has, at full depth.
    pub fn lasting(&self, proc: &mut Procfs, depth: Depth, sighting: &mut Sighting) {
        if depth != Depth::Full {
            return;
        }
        sighting.container = self.container(proc);
        if let Some(status) = self.status(proc) {
            sighting.ppid = sighting.ppid.or(status.ppid);
            sighting.uid = status.uid;
            sighting.ns_pid = status.ns_pid;
        }
    }
}

/// Where the file can no longer be read, the name that the kernel gave the process at its last
/// exec is what is left: a last component of at most 15 bytes.
pub fn name_instead_of_path(comm: &[u8], sighting: &mut Sighting) {
    if sighting.path.is_none() && !comm.is_empty() {
        sighting.path = Some(comm.into());
        sighting.truncated |= comm.len() >= 15;
    }
}

/// The executed file of a process, for callers who look up one thing once.
pub fn exe(pid: u32) -> Option<Bytes> {
    let mut proc = Procfs::open().ok()?;
    proc.process(pid)?.exe(&mut proc)
}

/// The arguments of a process, for callers who look up one thing once.
pub fn cmdline(pid: u32) -> Option<Argv> {
    let mut proc = Procfs::open().ok()?;
    Some(proc.process(pid)?.argv(&mut proc)?.0)
}

/// Cgroup and namespaces of a process, for callers who look up one thing once.
pub fn container(pid: u32) -> ContainerHint {
    let look = || {
        let mut proc = Procfs::open().ok()?;
        Some(proc.process(pid)?.container(&mut proc))
    };
    look().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn this_process_is_found_as_it_is() {
        let mut proc = Procfs::open().unwrap();
        let me = proc.process(std::process::id()).unwrap();
        let mut sighting = Sighting::default();
        me.perishable(&mut proc, Depth::Full, &mut sighting);
        me.lasting(&mut proc, Depth::Full, &mut sighting);

        let exe = std::env::current_exe().unwrap();
        assert_eq!(
            sighting.path.as_ref().map(Bytes::as_slice),
            Some(exe.as_os_str().as_encoded_bytes())
        );
        let args: Vec<Bytes> = std::env::args_os()
            .map(|a| a.as_encoded_bytes().into())
            .collect();
        assert_eq!(sighting.argv, Some(Argv::List(args)));
        let file = std::fs::metadata(&exe).unwrap();
        assert_eq!(sighting.file, Some((file.dev(), file.ino())));

        let oracle = procfs::process::Process::myself().unwrap();
        let status = oracle.status().unwrap();
        assert_eq!(sighting.uid, Some(status.ruid));
        assert_eq!(
            sighting.ns_pid.map(u32::cast_signed),
            status.nspid.and_then(|p| p.last().copied())
        );
        let namespaces = oracle.namespaces().unwrap().0;
        let inode = |kind: &str| u32::try_from(namespaces[std::ffi::OsStr::new(kind)].identifier);
        assert_eq!(sighting.container.mnt_ns, inode("mnt").ok());
        assert_eq!(sighting.container.pid_ns, inode("pid").ok());
    }

    #[test]
    fn a_reaped_process_tells_nothing_even_through_an_old_descriptor() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let mut proc = Procfs::open().unwrap();
        let process = proc.process(child.id()).unwrap();
        child.wait().unwrap();
        assert!(process.stat(&mut proc).is_none());
        assert!(process.exe(&mut proc).is_none());
    }

    /// It begins below a path that is short enough, which is then moved below another one.
    #[test]
    fn of_a_path_that_is_too_long_only_the_path_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let below = |top: &str| {
            let names = std::iter::repeat_n("d".repeat(200), 12);
            names.fold(dir.path().join(top), |path, name| path.join(name))
        };
        let (upper, lower) = (below("upper"), below("lower"));
        for dir in [&upper, &lower] {
            std::fs::create_dir_all(dir).unwrap();
        }
        let file = lower.join("sleep");
        std::fs::copy("/bin/sleep", &file).unwrap();
        let mut child = std::process::Command::new(&file)
            .arg("1000")
            .spawn()
            .unwrap();
        std::fs::rename(dir.path().join("lower"), upper.join("lower")).unwrap();

        let mut proc = Procfs::open().unwrap();
        let process = proc.process(child.id()).unwrap();
        // `spawn` returns while the exec is still laying out the new image.
        let sighting = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            let mut sighting = Sighting::default();
            process.perishable(&mut proc, Depth::Full, &mut sighting);
            sighting.argv.is_some().then_some(sighting)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let sighting = sighting.expect("arguments, although there is no path");
        assert_eq!(sighting.path, None);
        let argv = [file.as_os_str().as_encoded_bytes().into(), "1000".into()];
        assert_eq!(sighting.argv, Some(Argv::List(argv.to_vec())));
        assert!(sighting.file.is_some());
    }

    #[test]
    fn arguments_longer_than_the_buffer_are_read_whole() {
        let long = "x".repeat(100_000);
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read wait", &long])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // `spawn` returns while the exec is still laying out the new image.
        let argv = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            cmdline(child.id())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = ["/bin/sh", "-c", "read wait", &long].map(Bytes::from);
        assert!(argv == Some(Argv::List(expected.to_vec())));
    }
}
