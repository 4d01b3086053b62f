//! What `/proc/PID` tells of a process while it lives, for backends whose events carry only a pid.
//!
//! Each lookup is a race: the process may be gone, or have another image by now. What could not be
//! read is `None`; that is the technique's weakness, not an error.
//!
//! [`Procfs::process`] opens the directory of a process once. The descriptor holds on to the
//! kernel's `struct pid`, so everything read through it is of that one process: when the process
//! ends, reads fail, even if another process has its number by then. What ends with the image
//! ([`Process::perishable`]: executed file and arguments, gone as soon as the process exits, reaped
//! or not) is read first; what a zombie still has ([`Process::lasting`]) after it.
//!
//! Files are read with one `read` into a buffer that is kept, and parsed as bytes. The crate
//! `procfs` turns the same files into `String`s, several allocations each and lossy for names that
//! are not UTF-8; it serves where nothing is hot, and as the oracle in the tests of [`parse`].

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint, Sighting},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod listing;
pub mod parse;

pub use listing::{Listing, Scan};
use parse::{Stat, Status};

/// Longer arguments are cut here, and the sighting says so.
const MAX_CMDLINE: usize = 1 << 20;
const FIRST_BUFFER: usize = 16 << 10;

/// How much is looked up for each exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything that a sighting can carry.
    Full,
    /// Executed file, arguments and parent.
    Path,
    /// Nothing: the events alone.
    Nothing,
}

impl Depth {
    /// From the value of a setting.
    pub fn from_word(word: &str) -> Self {
        match word {
            "path" => Self::Path,
            "nothing" => Self::Nothing,
            _ => Self::Full,
        }
    }
}

/// `/proc`, and the buffer that everything below it is read into.
#[derive(Debug)]
pub struct Procfs {
    root: OwnedFd,
    buffer: Vec<u8>,
}

/// The directory of one process.
#[derive(Debug)]
pub struct Process {
    dir: OwnedFd,
}

impl Procfs {
    /// Opens `/proc`.
    pub fn open() -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            root: open("/proc", flags, Mode::empty())?,
            buffer: vec![0; FIRST_BUFFER],
        })
    }

    /// The directory itself, for listing it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The process that has this id now; `None` where there is none.
    pub fn process(&self, pid: u32) -> Option<Process> {
        let mut digits = [0; 11];
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = openat(&self.root, decimal(pid, &mut digits), flags, Mode::empty()).ok()?;
        Some(Process { dir })
    }

    /// The `stat` of the process that has this id now, for who does not want to hold on to it.
    pub fn stat_of(&mut self, pid: u32) -> Option<Stat<'_>> {
        let mut digits = [0; 11];
        let mut path = [0; 16];
        let number = decimal(pid, &mut digits).to_bytes();
        path[..number.len()].copy_from_slice(number);
        path[number.len()..][..5].copy_from_slice(b"/stat");
        let path = CStr::from_bytes_until_nul(&path).expect("15 bytes at most");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.root, path, flags, Mode::empty()).ok()?;
        Stat::parse(self.read_from_start(file.as_fd()).ok()?)
    }

    /// Reads an open file of `/proc` from its start, with one call where it fits into the buffer.
    pub fn read_from_start(&mut self, file: BorrowedFd<'_>) -> io::Result<&[u8]> {
        let mut filled = 0;
        loop {
            let offset = i64::try_from(filled).expect("buffers are small");
            let n = nix::sys::uio::pread(file, &mut self.buffer[filled..], offset)?;
            filled += n;
            // A file of /proc fills whatever room it is given, so a short read was the last.
            if n == 0 || filled < self.buffer.len() || filled >= MAX_CMDLINE {
                return Ok(&self.buffer[..filled]);
            }
            self.buffer.resize(4 * self.buffer.len(), 0);
        }
    }

    fn read_at(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<&[u8]> {
        let file = openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        self.read_from_start(file.as_fd())
    }

    fn link_at(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<&[u8], Errno> {
        // SAFETY: the name ends in NUL and the buffer is as long as is said; both outlive the call.
        let n = unsafe {
            libc::readlinkat(
                dir.as_raw_fd(),
                name.as_ptr(),
                self.buffer.as_mut_ptr().cast(),
                self.buffer.len(),
            )
        };
        let n = Errno::result(n)?;
        Ok(&self.buffer[..usize::try_from(n).expect("not negative")])
    }
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

/// A number as the name of a directory, without an allocation.
pub(crate) fn decimal(number: u32, buffer: &mut [u8; 11]) -> &CStr {
    let mut rest = number;
    let mut at = buffer.len() - 1;
    buffer[at] = 0;
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("one digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    CStr::from_bytes_with_nul(&buffer[at..]).expect("digits and one NUL")
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
    fn numbers_become_names() {
        for number in [0, 7, 10, 32_768, u32::MAX] {
            let mut buffer = [0; 11];
            assert_eq!(
                decimal(number, &mut buffer).to_str().unwrap(),
                number.to_string()
            );
        }
    }

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
    fn the_state_of_a_process_reads_the_same_by_its_number_and_through_its_directory() {
        let (mut one, mut other) = (Procfs::open().unwrap(), Procfs::open().unwrap());
        let me = one.process(std::process::id()).unwrap();
        let by_number = other.stat_of(std::process::id()).unwrap();
        let through = me.stat(&mut one).unwrap();
        assert_eq!(by_number.start_ticks, through.start_ticks);
        assert_eq!(by_number.image, through.image);
        assert!(one.stat_of(u32::MAX).is_none());
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
