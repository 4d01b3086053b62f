//! From events to sightings: whose exec an event belongs to, and when its sighting is whole.

use std::os::fd::AsFd;

use execlab_model::{Bytes, sighting::Sighting};
use nix::errno::Errno;

use super::{
    chain::{Chains, FileId, Part},
    front::{Awaited, Front, Looked, Taken},
    group::{Opened, Pidfd},
    marks::Mounts,
};
use crate::{Seam, clock::monotonic_ns, seam::SeamWriteError};

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

/// See the module.
#[derive(Debug)]
pub struct Resolver {
    front: Front,
    chains: Chains,
    held: Vec<Held>,
    waiting: usize,
    folded: u64,
    gone: u64,
    unfinished: u64,
    unnamed: u64,
    /// The first answer is kept.
    unopened: Option<(Errno, u64)>,
    refused_pidfds: u64,
    /// Two paths of which the second belonged to the exec of the first, as they were last taken.
    learned: Option<(Bytes, Bytes)>,
}

impl Resolver {
    /// With what it asks `/proc` by.
    pub fn new(front: Front) -> Self {
        Self {
            front,
            chains: Chains::default(),
            held: Vec::new(),
            waiting: 0,
            folded: 0,
            gone: 0,
            unfinished: 0,
            unnamed: 0,
            unopened: None,
            refused_pidfds: 0,
            learned: None,
        }
    }

    /// Takes one event of a process that does not wait. Gives mounts that may be new to us.
    pub fn begin(&mut self, opened: Opened) -> Option<Mounts> {
        if let Err(error) = &opened.file {
            self.unopened.get_or_insert((*error, 0)).1 += 1;
        }
        self.refused_pidfds += u64::from(matches!(opened.pidfd, Pidfd::Refused));
        let taken = self.front.begin(opened);
        self.take(taken)
    }

    /// Takes one event. Gives mounts that may be new to us.
    pub fn take(&mut self, mut taken: Taken) -> Option<Mounts> {
        let mut files = Vec::new();
        if let Some(file) = taken.file.take() {
            self.unnamed += u64::from(taken.sighting.path.is_none());
            let path = taken.sighting.path.as_ref();
            let path = path.map_or(&[][..], Bytes::as_slice);
            if let Some(pid) = taken.sighting.pid
                && let Some((id, part)) = self.chains.take(
                    pid,
                    taken.root.as_ref().map(AsFd::as_fd),
                    file.as_fd(),
                    path,
                )
            {
                taken.sighting.file = Some(id);
                if part != Part::Another {
                    let mounts = taken.mounts.take();
                    self.learned = taken.before.zip(taken.sighting.path.clone());
                    self.fold(taken.sighting, id, part);
                    return mounts;
                }
                files.push(id);
            }
        }
        if matches!(taken.looked, Looked::Not) {
            self.front.look_up(&mut taken, &files, false);
        }
        let awaited = match taken.looked {
            Looked::Not | Looked::Whole => None,
            Looked::Gone => {
                self.gone += 1;
                None
            }
            Looked::Awaited(_) if self.waiting >= WAITING => {
                self.unfinished += 1;
                None
            }
            Looked::Awaited(awaited) => Some(awaited),
        };
        self.waiting += usize::from(awaited.is_some());
        self.held.push(Held {
            sighting: taken.sighting,
            files,
            awaited,
        });
        taken.mounts
    }

    /// The mounts were gone through again: those of every namespace may be new to us.
    pub fn renewed(&mut self) {
        self.front.forget_all();
    }

    /// What is to be expected again: see [`Answering::done`](super::answer::Answering::done).
    pub fn learned(&mut self) -> Option<(Bytes, Bytes)> {
        self.learned.take()
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
                && !self
                    .front
                    .image_is_there(&awaited, &held.files, &mut held.sighting)
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

    /// What is no loss.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{} events of interpreters and loaders were taken to the exec that they belong to; {} processes were \
             gone when they were looked up; {} had no new image in time",
            self.folded, self.gone, self.unfinished
        )];
        if let Some((error, count)) = self.unopened {
            notes.push(format!(
                "{count} files could not be opened for us, the first: {error}; their sightings have no path"
            ));
        }
        if self.unnamed > 0 {
            notes.push(format!(
                "{} files had a path longer than 4095 bytes",
                self.unnamed
            ));
        }
        if self.refused_pidfds > 0 {
            notes.push(format!(
                "{} processes could not be had as pidfds",
                self.refused_pidfds
            ));
        }
        notes
    }
}
