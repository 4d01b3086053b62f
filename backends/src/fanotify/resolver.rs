//! From events to sightings: whose exec an event belongs to, and what `/proc` says of the process.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use execlab_model::{Bytes, sighting::Sighting};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::stat::{Mode, fstat},
};

use super::{
    chain::{Chains, FileId},
    group::Pidfd,
    pidfd,
};
use crate::{
    Seam,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Process, Procfs, decimal, parse::Image},
    seam::SeamWriteError,
};

/// So long a sighting waits for the new image at most, as its arguments are there only then.
const PATIENCE_NS: u64 = 5_000_000;
/// So many wait at once at most: each holds a descriptor.
const WAITING: usize = 64;

/// An exec that may be under way still.
#[derive(Debug)]
struct Waiting {
    process: Process,
    /// The files that were opened for it so far.
    files: Vec<FileId>,
    /// The image that the process had while its open waited for us; `None` where it did not wait.
    before: Option<Image>,
    sighting: Sighting,
}

/// What became of the look for the new image.
enum Look {
    /// It is there, and what is to be known of it stands in the sighting; or the process is gone.
    Done,
    /// The old image is there still.
    NotYet,
}

/// See the module.
#[derive(Debug)]
pub struct Resolver {
    proc: Procfs,
    depth: Depth,
    /// `/proc/self/fd`, through which the paths of events are read.
    descriptors: OwnedFd,
    link: Vec<u8>,
    chains: Chains,
    waiting: Vec<Waiting>,
    folded: u64,
    gone: u64,
    unfinished: u64,
}

impl Resolver {
    /// Opens what it reads from.
    pub fn open(depth: Depth) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            proc: Procfs::open()?,
            depth,
            descriptors: open("/proc/self/fd", flags, Mode::empty())?,
            // A path from the kernel has less than a page.
            link: vec![0; 4096],
            chains: Chains::default(),
            waiting: Vec::new(),
            folded: 0,
            gone: 0,
            unfinished: 0,
        })
    }

    /// Takes one event. Gives the sighting of a process whose mounts may be new to us: its namespace and id.
    pub fn take(
        &mut self,
        seam: &mut Seam,
        pid: Option<u32>,
        file: Option<BorrowedFd<'_>>,
        pidfd: &Pidfd,
        stopped: bool,
    ) -> Result<Option<(u32, u32)>, SeamWriteError> {
        let mut sighting = Sighting {
            pid,
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        if let Some(file) = file {
            sighting.path = self.path(file);
            let found = fstat(file).ok();
            sighting.file = found.map(|found| (found.st_dev, found.st_ino));
            if let (Some(pid), Some(id)) = (pid, sighting.file) {
                let path = sighting.path.as_ref().map_or(&[][..], Bytes::as_slice);
                if self.chains.follows(pid, file, id, path) {
                    self.fold(pid, id);
                    return Ok(None);
                }
            }
        }
        let (Some(pid), Depth::Full) = (pid, self.depth) else {
            seam.sighting(sighting)?;
            return Ok(None);
        };
        let process = self.process(pid, pidfd, &mut sighting);
        let Some(process) = process else {
            self.gone += 1;
            seam.sighting(sighting)?;
            return Ok(None);
        };
        let mut exec = Waiting {
            before: None,
            files: sighting.file.into_iter().collect(),
            process,
            sighting,
        };
        let look = if stopped {
            let stat = exec.process.stat(&mut self.proc);
            exec.before = stat.map(|stat| stat.image);
            Look::NotYet
        } else {
            look(&mut self.proc, &mut exec)
        };
        exec.process
            .lasting(&mut self.proc, self.depth, &mut exec.sighting);
        let place = exec.sighting.container.mnt_ns.map(|ns| (ns, pid));
        match look {
            Look::Done => seam.sighting(exec.sighting)?,
            Look::NotYet => {
                if self.waiting.len() >= WAITING {
                    self.unfinished += 1;
                    let longest = self.waiting.remove(0);
                    seam.sighting(longest.sighting)?;
                }
                self.waiting.push(exec);
            }
        }
        Ok(place)
    }

    /// The process of an event, if it is there still. What a pidfd says of it stands in the sighting then, even
    /// where it is not.
    fn process(&mut self, pid: u32, held: &Pidfd, sighting: &mut Sighting) -> Option<Process> {
        match held {
            Pidfd::None => self.proc.process(pid),
            Pidfd::Gone => None,
            Pidfd::Of(held) => {
                let process = self.proc.process(pid);
                if let Some(info) = pidfd::info(held.as_fd()) {
                    sighting.ppid = info.ppid;
                    sighting.uid = info.uid;
                    sighting.container.cgroup_id = info.cgroup_id;
                }
                // The directory was opened before: not reaped now, it is of this very process.
                process.filter(|_| pidfd::not_reaped(held.as_fd()))
            }
        }
    }

    /// A further file of an exec that was reported.
    fn fold(&mut self, pid: u32, id: FileId) {
        self.folded += 1;
        let mut newest_first = self.waiting.iter_mut().rev();
        if let Some(exec) = newest_first.find(|exec| exec.sighting.pid == Some(pid)) {
            exec.files.push(id);
        }
    }

    /// Looks again at those whose image was not there yet, and hands over those that waited long enough; all
    /// of them where it is the `last` time.
    pub fn look_again(&mut self, seam: &mut Seam, last: bool) -> Result<(), SeamWriteError> {
        let now = monotonic_ns();
        for mut exec in std::mem::take(&mut self.waiting) {
            let over = last || now >= exec.sighting.received_ns + PATIENCE_NS;
            match look(&mut self.proc, &mut exec) {
                Look::Done => seam.sighting(exec.sighting)?,
                Look::NotYet if over => {
                    self.unfinished += 1;
                    seam.sighting(exec.sighting)?;
                }
                Look::NotYet => self.waiting.push(exec),
            }
        }
        Ok(())
    }

    /// Whether [`Self::look_again`] is to be called soon.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn path(&mut self, file: BorrowedFd<'_>) -> Option<Bytes> {
        let mut digits = [0; 11];
        let number = u32::try_from(file.as_raw_fd()).ok()?;
        let name = decimal(number, &mut digits);
        // SAFETY: the name ends in NUL and the buffer is as long as is said; both outlive the call.
        let n = unsafe {
            libc::readlinkat(
                self.descriptors.as_raw_fd(),
                name.as_ptr(),
                self.link.as_mut_ptr().cast(),
                self.link.len(),
            )
        };
        let n = usize::try_from(Errno::result(n).ok()?).ok()?;
        Some(self.link.get(..n)?.into())
    }

    /// What is no loss.
    pub fn notes(&self) -> String {
        format!(
            "{} events of interpreters and loaders were taken to the exec that they belong to; {} processes were \
             gone when they were looked up; {} had no new image in time",
            self.folded, self.gone, self.unfinished
        )
    }
}

/// Looks whether the image of an exec is there, and takes its arguments.
fn look(proc: &mut Procfs, exec: &mut Waiting) -> Look {
    let Some(stat) = exec.process.stat(proc) else {
        return Look::Done;
    };
    if stat.ended() {
        return Look::Done;
    }
    // An image of before: a fork copies its parent's, and `/proc` says of it what is the parent's.
    let old = stat.forked_only() || exec.before == Some(stat.image);
    if old || stat.unfinished() {
        return Look::NotYet;
    }
    if !exec
        .process
        .file()
        .is_some_and(|file| exec.files.contains(&file))
    {
        return Look::NotYet;
    }
    if let Some((argv, cut)) = exec.process.argv(proc) {
        exec.sighting.argv = Some(argv);
        exec.sighting.truncated |= cut;
    }
    Look::Done
}
