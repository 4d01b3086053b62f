//! The reader that most rows share: events in, lookups in `/proc`, sightings and losses out.

use std::{os::fd::AsFd, time::Duration};

use execlab_model::sighting::LossUnit;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    drops::Drops,
    options,
    priority::Priority,
    resolve::Resolver,
    search::Search,
    socket::{Batch, Listener, Options},
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock::monotonic_ns,
    seam::SeamWriteError,
};

/// So many sightings are held back at most while the queue does not get empty.
const HELD_BACK: usize = 1024;

/// One socket to which nothing but execs comes.
#[derive(Debug)]
pub struct Connector {
    pub listener: Listener,
    resolver: Resolver,
    /// Searches `/proc` after a loss.
    search: Option<Search>,
    drops: Drops,
    evidence: Vec<String>,
    _priority: Option<Priority>,
}

impl Connector {
    /// By a row's settings. `search`: whether `/proc` is searched after a loss.
    pub fn open(
        socket: &Options,
        settings: &Settings,
        fifo: bool,
        search: bool,
    ) -> Result<Self, AttachError> {
        let (listener, mut evidence) = Listener::open(socket)?;
        let drops = Drops::of(&listener)?;
        evidence.push(format!("drops so far {}", listener.drops()?));
        let mut resolver =
            Resolver::open(options::depth(settings)).map_err(AttachError::call("open /proc"))?;
        let search = search
            .then(Search::open)
            .transpose()
            .map_err(AttachError::call("open /proc"))?;
        let priority = fifo.then(|| Priority::raise(1)).transpose()?;
        if priority.is_some() {
            evidence.push("scheduled SCHED_FIFO, priority 1".into());
        }
        let search = search
            .map(|search| search.begin(&mut resolver))
            .transpose()
            .map_err(AttachError::call("getdents64 of /proc"))?;
        Ok(Self {
            listener,
            resolver,
            search,
            drops,
            evidence,
            _priority: priority,
        })
    }

    /// Reads and looks up until the queue is empty, or there is much to be handed over; whether it is empty.
    pub fn gather(&mut self) -> Result<bool, MonitorError> {
        loop {
            match self
                .listener
                .read_batch()
                .map_err(MonitorError::call("recv of the connector"))?
            {
                Batch::Messages(n) => {
                    self.resolver
                        .take((0..n).filter_map(|slot| self.listener.event(slot)));
                    if self.resolver.held_back() >= HELD_BACK {
                        return Ok(false);
                    }
                }
                Batch::Overflowed => self.drops.overflow(),
                Batch::Empty => return Ok(true),
            }
        }
    }

    /// Hands over what was gathered; `empty` is what [`Self::gather`] said.
    pub fn hand_over(&mut self, seam: &mut Seam, empty: bool) -> Result<(), MonitorError> {
        self.resolver.hand_over(seam)?;
        if empty {
            self.drops.at_empty(&self.listener)?;
        }
        Ok(())
    }

    /// Reads until the queue is empty.
    fn drain(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        loop {
            let empty = self.gather()?;
            self.hand_over(seam, empty)?;
            if empty {
                return Ok(());
            }
        }
    }

    /// Whether a loss has not been reported yet.
    pub fn lossy(&self) -> bool {
        self.drops.any()
    }

    /// Says what was lost. Nothing but execs is let through, so what was dropped are execs.
    pub fn tell_losses(&mut self, seam: &mut Seam) -> Result<(), SeamWriteError> {
        let lost = self.drops.take();
        match lost.report("drops of the socket", LossUnit::Exec, 0) {
            Some(report) => seam.loss(report),
            None => Ok(()),
        }
    }

    /// Searches for what was lost, where it does, and says what stays lost.
    fn settle(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let Some(search) = &mut self.search else {
            return Ok(self.tell_losses(seam)?);
        };
        let found = search
            .search(&mut self.resolver)
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        let lost = self.drops.take();
        // The event of a process that was found may have been in the queue all the time.
        self.drain(seam)?;
        let mut recovered = 0;
        if let Some(search) = &mut self.search {
            recovered = search.hand_over(found, &mut self.resolver, seam)?;
        }
        let source = "drops of the socket, less those found in /proc";
        if let Some(report) = lost.report(source, LossUnit::Exec, recovered) {
            seam.loss(report)?;
        }
        Ok(())
    }

    /// How long the losses have to wait until they are settled.
    fn due_in(&self) -> Duration {
        let search = self.search.as_ref();
        search.map_or(Duration::ZERO, |search| search.due_in(monotonic_ns()))
    }
}

impl Monitor for Connector {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.drain(seam)?;
            let mut patience = PollTimeout::NONE;
            if self.lossy() {
                match self.due_in() {
                    Duration::ZERO => self.settle(seam)?,
                    wait => {
                        let millis = u16::try_from(wait.as_millis() + 1).unwrap_or(u16::MAX);
                        patience = PollTimeout::from(millis);
                    }
                }
            }
            if let Some(search) = &mut self.search {
                self.resolver.prune_if_large(search);
            }
            seam.flush()?;
            if wait(&self.listener, stop, patience)? {
                break;
            }
        }
        self.drain(seam)?;
        // Twice, so that a storm that goes on and overflows again does not keep the monitor here.
        for _ in 0..2 {
            if self.lossy() {
                self.settle(seam)?;
            }
        }
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.resolver.notes();
        notes.push(self.drops.note());
        notes.extend(self.search.iter().flat_map(Search::notes));
        notes
    }
}

/// Sleeps until there is an event or a stop, or patience ends; whether it is the stop.
pub fn wait(
    events: impl AsFd,
    stop: &Stop,
    patience: impl Into<PollTimeout>,
) -> Result<bool, MonitorError> {
    let mut fds = [
        PollFd::new(events.as_fd(), PollFlags::POLLIN),
        PollFd::new(stop.fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, patience.into()) {
        Ok(_) => Ok(fds[1].any().unwrap_or(false)),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(MonitorError::call("poll")(error)),
    }
}
