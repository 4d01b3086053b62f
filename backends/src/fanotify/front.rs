//! What is asked of a process as soon as its event is read: the path of the file, and what `/proc` says.
//!
//! Nothing here asks anything of an executed file, or of a filesystem that is mounted: only `/proc` is read, and it waits for
//! nobody. So it may be done while an exec waits for an answer. The file was opened before, by the read of the event ([`group`](super::group)).

use std::{
    collections::BTreeSet,
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
    chain::FileId,
    group::{Opened, Pidfd},
    marks::Mounts,
    pidfd,
};
use crate::{
    clock::monotonic_ns,
    procfs_lookup::{Depth, Process, Procfs, decimal, parse::Image},
};

/// So many mount namespaces are remembered; at this number all are forgotten together.
const NAMESPACES: usize = 4096;

/// An event, and what was asked of its process so far.
#[derive(Debug)]
pub struct Taken {
    pub sighting: Sighting,
    pub file: Option<OwnedFd>,
    pidfd: Pidfd,
    /// Of a process that waits: the path of its event before this one.
    pub before: Option<Bytes>,
    /// The root of a process that waits: a name of a file may mean something else there.
    pub root: Option<OwnedFd>,
    pub looked: Looked,
    /// The mounts of a namespace that was not seen before.
    pub mounts: Option<Mounts>,
}

/// What came of looking a process up.
#[derive(Debug)]
pub enum Looked {
    /// It was not.
    Not,
    /// It was gone.
    Gone,
    /// All that is known is in the sighting.
    Whole,
    /// Its arguments are still to come.
    Awaited(Awaited),
}

/// A process whose exec may be under way still.
#[derive(Debug)]
pub struct Awaited {
    process: Process,
    /// The image that it had while its open waited for us; `None` where it did not wait.
    before: Option<Image>,
}

/// See the module.
#[derive(Debug)]
pub struct Front {
    proc: Procfs,
    depth: Depth,
    /// `/proc/self/fd`, through which the paths of events are read.
    descriptors: OwnedFd,
    link: Vec<u8>,
    /// Mount namespaces whose mounts were handed on; `None` where nobody wants them. They are known by numbers that the
    /// kernel gives again: what gets the number of one that is gone is new only after [`Self::forget_all`].
    namespaces: Option<BTreeSet<u32>>,
}

impl Front {
    /// Opens what it reads from. With `elsewhere` mounts of namespaces are read too.
    pub fn open(depth: Depth, elsewhere: bool) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            proc: Procfs::open()?,
            depth,
            descriptors: open("/proc/self/fd", flags, Mode::empty())?,
            // A path from the kernel has less than a page.
            link: vec![0; 4096],
            namespaces: elsewhere.then(BTreeSet::new),
        })
    }

    /// Takes one event.
    pub fn begin(&mut self, opened: Opened) -> Taken {
        let mut sighting = Sighting {
            pid: opened.pid,
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        let file = opened.file.ok();
        if let Some(file) = &file {
            sighting.path = self.path(file.as_fd());
        }
        Taken {
            sighting,
            file,
            pidfd: opened.pidfd,
            before: None,
            root: None,
            looked: Looked::Not,
            mounts: None,
        }
    }

    /// Holds on to the root of a process, which may be gone when it is needed.
    pub fn hold_root(taken: &mut Taken) {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        taken.root = taken.sighting.pid.and_then(|pid| {
            let root = format!("/proc/{pid}/root");
            open(&*root, flags, Mode::empty()).ok()
        });
    }

    /// Asks `/proc` of the process. `stopped` where it waits for us; else its image may be that of one of `files`.
    pub fn look_up(&mut self, taken: &mut Taken, files: &[FileId], stopped: bool) {
        let (Some(pid), Depth::Full) = (taken.sighting.pid, self.depth) else {
            return;
        };
        let Some(process) = self.process(pid, &taken.pidfd, &mut taken.sighting) else {
            taken.looked = Looked::Gone;
            return;
        };
        let mut before = None;
        if stopped {
            before = process.stat(&mut self.proc).map(|stat| stat.image);
        }
        let awaited = Awaited { process, before };
        let there = !stopped && self.image_is_there(&awaited, files, &mut taken.sighting);
        awaited
            .process
            .lasting(&mut self.proc, self.depth, &mut taken.sighting);
        taken.looked = if there {
            Looked::Whole
        } else {
            Looked::Awaited(awaited)
        };
        taken.mounts = self.mounts(pid, taken.sighting.container.mnt_ns);
    }

    /// An event comes to nobody: the mounts that it has are offered again.
    pub fn forget(&mut self, taken: &Taken) {
        if let (Some(seen), Some(mounts)) = (&mut self.namespaces, &taken.mounts) {
            seen.remove(&mounts.namespace());
        }
    }

    /// All mounts are offered again.
    pub fn forget_all(&mut self) {
        if let Some(seen) = &mut self.namespaces {
            seen.clear();
        }
    }

    /// The mounts of a namespace where it is seen for the first time.
    fn mounts(&mut self, pid: u32, namespace: Option<u32>) -> Option<Mounts> {
        let (seen, namespace) = (self.namespaces.as_mut()?, namespace?);
        if seen.contains(&namespace) {
            return None;
        }
        let mounts = Mounts::of(pid, namespace)?;
        if seen.len() >= NAMESPACES {
            seen.clear();
        }
        seen.insert(namespace);
        Some(mounts)
    }

    /// The process of an event, if it is there still. What a pidfd says of it stands in the sighting then, even
    /// where it is not.
    fn process(&mut self, pid: u32, pidfd: &Pidfd, sighting: &mut Sighting) -> Option<Process> {
        match pidfd {
            Pidfd::None | Pidfd::Refused => self.proc.process(pid),
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

    /// Looks whether the image of an exec is there, one of `files`, and takes its arguments. Where the process is gone there is
    /// nothing to wait for. Not for an exec that waits for an answer: this asks the executed file which one it is.
    pub fn image_is_there(
        &mut self,
        awaited: &Awaited,
        files: &[FileId],
        sighting: &mut Sighting,
    ) -> bool {
        let Some(stat) = awaited.process.stat(&mut self.proc) else {
            return true;
        };
        if stat.ended() {
            return true;
        }
        // An image of before: a fork copies its parent's, and `/proc` says of it what is the parent's.
        let old = stat.forked_only() || awaited.before == Some(stat.image);
        if old || stat.unfinished() {
            return false;
        }
        if !awaited
            .process
            .file()
            .is_some_and(|file| files.contains(&file))
        {
            return false;
        }
        if let Some((argv, cut)) = awaited.process.argv(&mut self.proc) {
            sighting.argv = Some(argv);
            sighting.truncated |= cut;
        }
        true
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An event of a process, of which nothing was asked.
    pub fn taken(pid: u32) -> Taken {
        Taken {
            sighting: Sighting {
                pid: Some(pid),
                ..Sighting::default()
            },
            file: None,
            pidfd: Pidfd::None,
            before: None,
            root: None,
            looked: Looked::Not,
            mounts: None,
        }
    }

    #[test]
    fn mounts_are_offered_once_and_again_when_they_were_forgotten() {
        let mut front = Front::open(Depth::Full, true).unwrap();
        let offered = |front: &mut Front| {
            let mut taken = taken(std::process::id());
            front.look_up(&mut taken, &[], false);
            taken
        };
        let first = offered(&mut front);
        assert!(first.mounts.is_some());
        let second = offered(&mut front);
        assert!(second.mounts.is_none());
        // It had none, so there are none to offer again.
        front.forget(&second);
        assert!(offered(&mut front).mounts.is_none());
        front.forget(&first);
        assert!(offered(&mut front).mounts.is_some());
        front.forget_all();
        assert!(offered(&mut front).mounts.is_some());
        assert!(offered(&mut front).mounts.is_none());
    }
}
