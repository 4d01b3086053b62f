//! What the rows share: attaching, and the loop.

use std::{os::fd::AsFd, sync::Arc};

use execlab_model::sighting::{LossReport, LossUnit};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    answer::Answering,
    front::Front,
    group::{Buffer, Event, Form, Group, Read},
    marks::{Marks, Mounts, On},
    queue::News,
    resolver::Resolver,
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock::monotonic_ns,
    priority::Priority, procfs_lookup::Depth,
};

/// While an image is awaited it is looked for so often.
const AGAIN_MS: u8 = 1;
/// So many reads before the stop is looked at, and the seam is flushed.
const ROUND: usize = 64;
/// So many rounds after the stop at most: a storm makes new events all the time, and the queue has 16,384 places.
const LAST_ROUNDS: usize = 256;

/// In what the rows differ.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// What is marked.
    pub on: On,
    /// Execs wait for an answer.
    pub asks: bool,
    /// Events carry a pidfd.
    pub pidfd: bool,
}

/// Attaches a row.
pub fn attach(style: Style, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
    let group = Arc::new(Group::new(Form {
        asks: style.asks,
        pidfd: style.pidfd,
        unlimited: settings.word("queue") == "unlimited",
    })?);
    let depth = Depth::from_word(settings.word("lookup"));
    let elsewhere = settings.word("namespaces") == "all";
    let fifo = settings.word("scheduling") == "fifo";
    let front = || Front::open(depth, elsewhere).map_err(AttachError::call("open /proc"));
    let resolver = Resolver::new(front()?);
    // From the first mark on execs wait for an answer.
    let source = if style.asks {
        Source::Answered(Answering::start(&group, front()?, fifo)?)
    } else {
        Source::Read(Buffer::default())
    };
    let marks = Marks::put(&group, style.on, elsewhere)?;
    let scheduling = fifo.then(|| Priority::raise(1)).transpose()?;
    let mut evidence = group
        .evidence()
        .map_err(AttachError::call("read of /proc/self/fdinfo"))?;
    evidence.push(marks.refusals());
    if scheduling.is_some() {
        evidence.push("scheduled SCHED_FIFO, priority 1".into());
    }
    Ok(Box::new(Watcher {
        source,
        group,
        marks,
        resolver,
        evidence,
        empty_ns: monotonic_ns(),
        overflows: 0,
        _scheduling: scheduling,
    }))
}

/// Where events come from.
#[derive(Debug)]
enum Source {
    /// From the kernel.
    Read(Buffer),
    /// From the thread that answers them.
    Answered(Answering),
}

#[derive(Debug)]
struct Watcher {
    /// Ended before the group is closed.
    source: Source,
    group: Arc<Group>,
    marks: Marks,
    resolver: Resolver,
    evidence: Vec<String>,
    /// When the queue was last seen empty.
    empty_ns: u64,
    overflows: u64,
    _scheduling: Option<Priority>,
}

impl Watcher {
    /// Takes what waits, but not for ever; whether nothing more does.
    fn drain(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let empty = match self.source {
            Source::Read(_) => self.drain_kernel(seam)?,
            Source::Answered(_) => self.drain_answered(seam)?,
        };
        self.resolver.hand_over(seam, false)?;
        Ok(empty)
    }

    fn drain_kernel(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let mut events = Vec::new();
        for _ in 0..ROUND {
            let Source::Read(buffer) = &mut self.source else {
                break;
            };
            let read = self
                .group
                .read(buffer, &mut events)
                .map_err(MonitorError::call("read of the fanotify group"))?;
            for event in events.drain(..) {
                match event {
                    Event::Opened(opened) => {
                        let mounts = self.resolver.begin(opened);
                        self.mark(mounts.as_ref());
                    }
                    Event::Overflow => self.overflowed(seam, self.empty_ns)?,
                }
            }
            if self.resolver.is_full() {
                self.resolver.hand_over(seam, false)?;
            }
            if let Some((source, count)) = read.loss() {
                lost(seam, source, count, self.empty_ns)?;
            }
            if read == Read::Empty {
                self.empty_ns = monotonic_ns();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn drain_answered(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let Source::Answered(answering) = &self.source else {
            return Ok(true);
        };
        let (news, finished) = answering.news();
        for news in news {
            match news {
                News::Taken(taken) => {
                    let mounts = self.resolver.take(*taken);
                    self.mark(mounts.as_ref());
                    if let Source::Answered(answering) = &self.source {
                        answering.done(self.resolver.learned());
                    }
                }
                News::Overflow(since) => self.overflowed(seam, since)?,
                News::Lost(source, count, since) => lost(seam, source, count, since)?,
                News::Failed(error) => return Err(error),
            }
        }
        Ok(finished)
    }

    fn mark(&mut self, mounts: Option<&Mounts>) {
        if let Some(mounts) = mounts {
            self.marks.seen(&self.group, mounts);
        }
    }

    /// Marks again, and hears again of every namespace.
    fn renew(&mut self) -> Result<(), MonitorError> {
        let renewed = self.marks.renew(&self.group);
        renewed.map_err(MonitorError::call("read of /proc/self/mountinfo"))?;
        self.resolver.renewed();
        if let Source::Answered(answering) = &self.source {
            answering.renewed();
        }
        Ok(())
    }

    fn overflowed(&mut self, seam: &mut Seam, since: u64) -> Result<(), MonitorError> {
        self.overflows += 1;
        lost(seam, "FAN_Q_OVERFLOW".into(), None, since)
    }

    /// Everything that the kernel holds now.
    fn finish(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        if let Source::Answered(answering) = &self.source {
            answering.finish();
        }
        let mut rounds = 0;
        while !self.drain(seam)? {
            seam.flush()?;
            match &self.source {
                Source::Read(_) if rounds == LAST_ROUNDS => break,
                Source::Read(_) => rounds += 1,
                // Its thread ends its own rounds.
                Source::Answered(answering) => {
                    let mut fds = [PollFd::new(answering.ready(), PollFlags::POLLIN)];
                    let _ = poll(&mut fds, PollTimeout::NONE);
                }
            }
        }
        self.resolver.hand_over(seam, true)?;
        Ok(seam.flush()?)
    }
}

fn lost(
    seam: &mut Seam,
    source: String,
    count: Option<u64>,
    since: u64,
) -> Result<(), MonitorError> {
    Ok(seam.loss(LossReport {
        source,
        unit: LossUnit::Event,
        count,
        window_ns: (since, monotonic_ns()),
    })?)
}

impl Monitor for Watcher {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.drain(seam)?;
            seam.flush()?;
            let patience = if self.resolver.waits() {
                PollTimeout::from(AGAIN_MS)
            } else {
                PollTimeout::NONE
            };
            let events = match &self.source {
                Source::Read(_) => self.group.as_fd(),
                Source::Answered(answering) => answering.ready(),
            };
            let mut fds = [
                PollFd::new(events, PollFlags::POLLIN),
                PollFd::new(self.marks.changes(), PollFlags::POLLPRI),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, patience) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            let [_, mounts, stopped] = fds.map(|fd| fd.any().unwrap_or(false));
            if mounts {
                self.renew()?;
            }
            if stopped {
                break;
            }
        }
        self.finish(seam)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.resolver.notes();
        notes.push(format!("the queue overflowed {} times", self.overflows));
        notes.push(self.marks.notes());
        notes
    }
}
