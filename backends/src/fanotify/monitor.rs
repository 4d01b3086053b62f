//! What the rows share: attaching, and the loop.

use std::os::fd::AsFd;

use execlab_model::sighting::{LossReport, LossUnit};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    group::{Event, Form, Group, Read},
    marks::{Marks, On},
    resolver::Resolver,
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock::monotonic_ns,
    priority::Priority, procfs_lookup::Depth,
};

/// While an image is awaited it is looked for so often.
const AGAIN_MS: u8 = 1;

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
    let group = Group::new(Form {
        asks: style.asks,
        pidfd: style.pidfd,
        unlimited: settings.word("queue") == "unlimited",
    })?;
    let resolver = Resolver::open(Depth::from_word(settings.word("lookup")))
        .map_err(AttachError::call("open /proc"))?;
    // From the first mark on execs may wait for us: nothing that can fail stands between it and the loop.
    let elsewhere = settings.word("namespaces") == "all";
    let marks = Marks::put(&group, style.on, elsewhere)?;
    let scheduling = match settings.word("scheduling") {
        "fifo" => Some(Priority::raise()?),
        _ => None,
    };
    let mut evidence = group
        .evidence()
        .map_err(AttachError::call("read of /proc/self/fdinfo"))?;
    evidence.push(marks.refusals());
    if scheduling.is_some() {
        evidence.push("scheduled SCHED_FIFO, priority 1".into());
    }
    Ok(Box::new(Watcher {
        group,
        marks,
        resolver,
        evidence,
        events: Vec::new(),
        empty_ns: monotonic_ns(),
        overflows: 0,
        _scheduling: scheduling,
    }))
}

#[derive(Debug)]
struct Watcher {
    group: Group,
    marks: Marks,
    resolver: Resolver,
    evidence: Vec<String>,
    events: Vec<Event>,
    /// When the queue was last seen empty.
    empty_ns: u64,
    overflows: u64,
    _scheduling: Option<Priority>,
}

impl Watcher {
    /// Reads until the queue is empty.
    fn drain(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        loop {
            let mut events = std::mem::take(&mut self.events);
            let read = self
                .group
                .read(&mut events)
                .map_err(MonitorError::call("read of the fanotify group"))?;
            for event in events.drain(..) {
                self.take(seam, event)?;
            }
            self.events = events;
            if self.resolver.is_full() {
                self.resolver.hand_over(seam, false)?;
            }
            match read {
                Read::Events => {}
                Read::Lost(error) => self.lost(
                    seam,
                    format!("read of the fanotify group: {error}"),
                    Some(1),
                )?,
                Read::Empty => break,
            }
        }
        self.empty_ns = monotonic_ns();
        self.resolver.hand_over(seam, false)?;
        Ok(())
    }

    fn take(&mut self, seam: &mut Seam, event: Event) -> Result<(), MonitorError> {
        let Event::Opened { pid, file, pidfd } = event else {
            self.overflows += 1;
            return self.lost(seam, "FAN_Q_OVERFLOW".into(), None);
        };
        let asks = self.group.form().asks;
        let place = self
            .resolver
            .take(pid, file.as_ref().map(AsFd::as_fd), &pidfd, asks);
        if let Some((namespace, pid)) = place {
            self.marks.seen_in(&self.group, namespace, pid);
        }
        if asks && let Some(file) = file {
            match self.group.allow(file.as_fd()) {
                // Killed while it waited: there is nobody to answer.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(MonitorError::call("write of FAN_ALLOW")(error)),
            }
        }
        Ok(())
    }

    fn lost(
        &self,
        seam: &mut Seam,
        source: String,
        count: Option<u64>,
    ) -> Result<(), MonitorError> {
        Ok(seam.loss(LossReport {
            source,
            unit: LossUnit::Event,
            count,
            window_ns: (self.empty_ns, monotonic_ns()),
        })?)
    }
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
            let mut fds = [
                PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.marks.changes(), PollFlags::POLLPRI),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, patience) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            let [_, mounts, stopped] = fds.map(|fd| fd.any().unwrap_or(false));
            if mounts {
                self.marks
                    .renew(&self.group)
                    .map_err(MonitorError::call("read of /proc/self/mountinfo"))?;
            }
            if stopped {
                break;
            }
        }
        self.drain(seam)?;
        self.resolver.hand_over(seam, true)?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        vec![
            self.resolver.notes(),
            format!("the queue overflowed {} times", self.overflows),
            self.marks.notes(),
        ]
    }
}
