//! `netlink-table`: a table of known processes answers what `/proc` no longer can.
//!
//! Beside execs, the socket's filter lets through forks and ends of processes (not of threads) and changes of user
//! ids. A child has what its parent has: user, cgroup, namespaces; and the fork event itself names the parent. So when
//! the lookup comes too late, the table still knows parent, user and container. It begins with what `/proc`
//! says of all processes at the start, and learns from each lookup that comes in time. Renamings are of no
//! use: an exec is not told by one.
//!
//! What it cannot know: the executed file and the arguments, which nobody inherits. No event tells that a process
//! went to another cgroup or into other namespaces (`cgroup.procs`, `clone3` into a cgroup, `unshare`, `setns`): of one
//! that did and was gone before the lookup, the container is that of its parent, and wrong. A parent that ended is
//! `None`, as the next one is not told. A child that was made with `CLONE_PARENT` has what its parent has, not what
//! its maker has.
//!
//! Its losses are counted in events, of which nobody knows how many were execs; after one the table is made anew, as it
//! may have missed forks.
//!
//! How it works otherwise, and what it needs, stands with the [family](super).
//!
//! # Cost
//!
//! Where lookups come in time it is the dearest of the family by default: two or three more messages for each process
//! are queued and read than with `netlink-filter`. That is what parent, user and container of short-lived processes
//! cost. With `lookup=path` the table alone tells user and container, which saves half of the lookup. From 6.6 on
//! (EEVDF scheduler; measured from 6.12 on) default is cheaper, as lookups come late and find nobody; the table answers
//! then. Tuned has real-time priority. It is dearer everywhere, as on one CPU it runs at once for each single message,
//! and makes each lookup in time: that buys path and arguments there, and the larger buffer room for a burst.

use std::time::Duration;

use execlab_model::sighting::LossUnit;
use nix::poll::PollTimeout;

use super::{
    bpf,
    connector::wait,
    drops::Drops,
    options::{self, CHANGES, OFFERS, SINCE_COUNTER, USUAL},
    priority::Priority,
    processes::{Facts, Processes, Snapshots},
    remains::OfConnector,
    resolve::Resolver,
    socket::{Batch, Filter, Listener},
    wire::Event,
};
use crate::{
    AttachError, Backend, Monitor, MonitorError, Offers, Portrait, Remains, Seam, Setting,
    Settings, Stop,
};

/// So many sightings are held back at most while the queue does not get empty.
const HELD_BACK: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct NetlinkTable;

impl Backend for NetlinkTable {
    fn name(&self) -> &'static str {
        "netlink-table"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, with a table of what processes inherit"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "messages of the proc connector for execs, forks, ends and user ids; /proc, else a table of processes",
            SINCE_COUNTER,
            &["ENOBUFS", "the socket's counter of drops, in events"],
        )
    }

    fn settings(&self) -> &'static [Setting] {
        USUAL
    }

    fn changes(&self) -> &'static [&'static str] {
        CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&OfConnector)
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        const WHAT: &str = "execs, forks and ends of processes and changes of user ids";
        let filter = Filter::Socket(bpf::lives(), WHAT);
        let (listener, mut evidence) = Listener::open(&options::socket(settings, USUAL, filter))?;
        let drops = Drops::of(&listener)?;
        let mut resolver =
            Resolver::open(options::depth(settings)).map_err(AttachError::call("open /proc"))?;
        let mut snapshots = Snapshots::open().map_err(AttachError::call("open /proc"))?;
        let mut processes = Processes::default();
        snapshots
            .fill(&mut processes, &mut resolver.proc)
            .map_err(AttachError::call("getdents64 of /proc"))?;
        evidence.push(format!("{} processes known at attach", processes.len()));
        let priority = options::fifo(settings)
            .then(|| Priority::raise(1))
            .transpose()?;
        if priority.is_some() {
            evidence.push("scheduled SCHED_FIFO, priority 1".into());
        }
        Ok(Box::new(Table {
            listener,
            resolver,
            drops,
            processes,
            snapshots,
            stale: false,
            facts: Vec::new(),
            answered: 0,
            evidence,
            _priority: priority,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

#[derive(Debug)]
struct Table {
    listener: Listener,
    resolver: Resolver,
    drops: Drops,
    processes: Processes,
    snapshots: Snapshots,
    /// Events were lost, and the table has not been made anew since.
    stale: bool,
    /// For each sighting that is held back, with its time: what was known when it happened.
    facts: Vec<(u64, Facts)>,
    /// Sightings that the table had something to add to.
    answered: u64,
    evidence: Vec<String>,
    _priority: Option<Priority>,
}

impl Table {
    /// Follows and looks up a batch.
    fn take(&mut self, messages: usize) {
        let Self {
            listener,
            resolver,
            processes,
            facts,
            ..
        } = self;
        let events = (0..messages).filter_map(|slot| listener.event(slot));
        resolver.take(events.inspect(|&event| match event {
            Event::Exec { pid, time_ns } => facts.push((time_ns, processes.executes(pid))),
            other => processes.follow(other),
        }));
    }

    /// Reads until the queue is empty.
    fn drain(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        loop {
            match self
                .listener
                .read_batch()
                .map_err(MonitorError::call("recv of the connector"))?
            {
                Batch::Messages(n) => {
                    self.take(n);
                    if self.resolver.held_back() >= HELD_BACK {
                        self.hand_over(seam)?;
                    }
                }
                Batch::Overflowed => self.drops.overflow(),
                Batch::Empty => break,
            }
        }
        self.hand_over(seam)?;
        self.drops.at_empty(&self.listener)?;
        if self.drops.any() {
            let lost = self.drops.take();
            let source = "drops of the socket, of execs, forks, ends and changes of ids";
            if let Some(report) = lost.report(source, LossUnit::Event, 0) {
                seam.loss(report)?;
            }
            self.processes.clear();
            self.stale = true;
        }
        Ok(())
    }

    fn hand_over(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        // As the sightings are.
        self.facts.sort_by_key(|&(time_ns, _)| time_ns);
        let mut facts = self.facts.drain(..);
        let (processes, answered) = (&mut self.processes, &mut self.answered);
        self.resolver.hand_over_with(seam, |sighting| {
            processes.learn(sighting);
            if let Some((_, facts)) = facts.next() {
                let before = (sighting.ppid, sighting.uid, sighting.container.mnt_ns);
                facts.complete(sighting);
                let after = (sighting.ppid, sighting.uid, sighting.container.mnt_ns);
                *answered += u64::from(before != after);
            }
        })?;
        Ok(())
    }

    /// Makes the table anew where that is due; how long it has to wait otherwise.
    fn refresh(&mut self) -> Result<PollTimeout, MonitorError> {
        if !self.stale {
            return Ok(PollTimeout::NONE);
        }
        let wait = self.snapshots.due_in();
        if wait > Duration::ZERO {
            let millis = u16::try_from(wait.as_millis() + 1).unwrap_or(u16::MAX);
            return Ok(PollTimeout::from(millis));
        }
        self.processes.clear();
        self.snapshots
            .fill(&mut self.processes, &mut self.resolver.proc)
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        self.stale = false;
        Ok(PollTimeout::NONE)
    }
}

impl Monitor for Table {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.drain(seam)?;
            let patience = self.refresh()?;
            seam.flush()?;
            if wait(&self.listener, stop, patience)? {
                break;
            }
        }
        self.drain(seam)?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.resolver.notes();
        notes.push(self.drops.note());
        notes.push(format!(
            "the table answered for {} sightings; it was made {} times, and has {} processes",
            self.answered,
            self.snapshots.made,
            self.processes.len()
        ));
        notes
    }
}
