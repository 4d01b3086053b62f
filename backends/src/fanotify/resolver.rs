//! From events to sightings: whose exec an event belongs to, and what `/proc` says of the process.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use execlab_model::{Bytes, sighting::Sighting};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::stat::Mode,
};

use super::{
    chain::{Chains, FileId, Part},
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
/// So many are held back at most while the queue does not get empty.
const MOST: usize = 1024;
/// So many wait for their image at most: each holds a descriptor.
const WAITING: usize = 64;

/// A sighting that is not handed over yet: while the queue is not empty, a further event may be of it.
#[derive(Debug)]
struct Held {
    sighting: Sighting,
    /// The files that were opened for it so far.
    files: Vec<FileId>,
    /// Set until its image is there.
    awaited: Option<Awaited>,
}

/// A process whose exec may be under way still.
#[derive(Debug)]
struct Awaited {
    process: Process,
    /// The image that it had while its open waited for us; `None` where it did not wait.
    before: Option<Image>,
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
    held: Vec<Held>,
    waiting: usize,
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
            held: Vec::new(),
            waiting: 0,
            folded: 0,
            gone: 0,
            unfinished: 0,
        })
    }

    /// Takes one event. Gives namespace and id of a process whose mounts may be new to us.
    pub fn take(
        &mut self,
        pid: Option<u32>,
        file: Option<BorrowedFd<'_>>,
        pidfd: &Pidfd,
        stopped: bool,
    ) -> Option<(u32, u32)> {
        let mut sighting = Sighting {
            pid,
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        if let Some(file) = file {
            sighting.path = self.path(file);
            if let Some(pid) = pid {
                let path = sighting.path.as_ref().map_or(&[][..], Bytes::as_slice);
                if let Some((id, part)) = self.chains.take(pid, file, path) {
                    sighting.file = Some(id);
                    if part != Part::Another {
                        self.fold(sighting, id, part);
                        return None;
                    }
                }
            }
        }
        let mut held = Held {
            files: sighting.file.into_iter().collect(),
            sighting,
            awaited: None,
        };
        let mut place = None;
        if let (Some(pid), Depth::Full) = (pid, self.depth) {
            self.look_up(pid, pidfd, stopped, &mut held);
            place = held.sighting.container.mnt_ns.map(|ns| (ns, pid));
        }
        self.waiting += usize::from(held.awaited.is_some());
        self.held.push(held);
        place
    }

    /// Asks `/proc` of a process.
    fn look_up(&mut self, pid: u32, pidfd: &Pidfd, stopped: bool, held: &mut Held) {
        let Some(process) = self.process(pid, pidfd, &mut held.sighting) else {
            self.gone += 1;
            return;
        };
        let before = if stopped {
            process.stat(&mut self.proc).map(|stat| stat.image)
        } else {
            None
        };
        let awaited = Awaited { process, before };
        let there = !stopped && awaited.image_is_there(&mut self.proc, held);
        awaited
            .process
            .lasting(&mut self.proc, self.depth, &mut held.sighting);
        if there {
            return;
        }
        if self.waiting >= WAITING {
            self.unfinished += 1;
        } else {
            held.awaited = Some(awaited);
        }
    }

    /// The process of an event, if it is there still. What a pidfd says of it stands in the sighting then, even
    /// where it is not.
    fn process(&mut self, pid: u32, pidfd: &Pidfd, sighting: &mut Sighting) -> Option<Process> {
        match pidfd {
            Pidfd::None => self.proc.process(pid),
            Pidfd::Gone => None,
            Pidfd::Of(pidfd) => {
                let process = self.proc.process(pid);
                if let Some(info) = pidfd::info(pidfd.as_fd()) {
                    sighting.ppid = info.ppid;
                    sighting.uid = info.uid;
                    sighting.container.cgroup_id = info.cgroup_id;
                }
                // The directory was opened before: not reaped now, it is of this very process.
                process.filter(|_| pidfd::not_reaped(pidfd.as_fd()))
            }
        }
    }

    /// A further event of an exec that has a sighting.
    fn fold(&mut self, event: Sighting, id: FileId, part: Part) {
        self.folded += 1;
        let mut newest_first = self.held.iter_mut().rev();
        let Some(held) = newest_first.find(|held| held.sighting.pid == event.pid) else {
            return;
        };
        // What the overlay shows is what the process executes; the layer's file is where it comes from.
        if part == Part::Shown && held.files.len() == 1 {
            held.sighting.path = event.path;
            held.sighting.file = event.file;
        }
        held.files.push(id);
    }

    /// Whether so much is held back that it has to go, though the queue is not empty.
    pub fn is_full(&self) -> bool {
        self.held.len() >= MOST
    }

    /// Hands over what is complete, what has waited long enough for its image, and where it is the `last` time
    /// everything.
    pub fn hand_over(&mut self, seam: &mut Seam, last: bool) -> Result<(), SeamWriteError> {
        let now = monotonic_ns();
        for mut held in std::mem::take(&mut self.held) {
            if let Some(awaited) = held.awaited.take()
                && !awaited.image_is_there(&mut self.proc, &mut held)
            {
                if !last && now < held.sighting.received_ns + PATIENCE_NS {
                    held.awaited = Some(awaited);
                    self.held.push(held);
                    continue;
                }
                self.unfinished += 1;
            }
            seam.sighting(held.sighting)?;
        }
        self.waiting = self.held.len();
        Ok(())
    }

    /// Whether [`Self::hand_over`] is to be called again soon.
    pub fn waits(&self) -> bool {
        self.waiting > 0
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

impl Awaited {
    /// Looks whether the image of an exec is there, and takes its arguments. Where the process is gone there is
    /// nothing to wait for.
    fn image_is_there(&self, proc: &mut Procfs, held: &mut Held) -> bool {
        let Some(stat) = self.process.stat(proc) else {
            return true;
        };
        if stat.ended() {
            return true;
        }
        // An image of before: a fork copies its parent's, and `/proc` says of it what is the parent's.
        let old = stat.forked_only() || self.before == Some(stat.image);
        if old || stat.unfinished() {
            return false;
        }
        let file = self.process.file();
        if !file.is_some_and(|file| held.files.contains(&file)) {
            return false;
        }
        if let Some((argv, cut)) = self.process.argv(proc) {
            held.sighting.argv = Some(argv);
            held.sighting.truncated |= cut;
        }
        true
    }
}
