//! `netlink-thread`: a thread that only receives and queues, another that looks up.
//!
//! What makes a socket overflow is the time between two reads of it, and that is spent in `/proc`. Here one thread takes
//! messages off the socket and puts them into a queue of its own process, which can be as long as there is memory; the
//! other one takes them from there and looks them up. So the socket is emptied while lookups go on, where a second CPU
//! is free or the receiver goes first (`scheduling=fifo`: both threads have real-time priority, the receiver the
//! higher one). With one CPU and normal scheduling the two share what one thread had.
//!
//! A sighting is handed over when the queue and, behind it, the socket have been seen empty after the lookup, so that a
//! later exec of the same process would have been known. Losses: the socket's counter, and events for which the queue
//! had no room (setting `queue`), both in execs. How it works otherwise, what it needs and what it cannot see stands with
//! the [family](super).
//!
//! # Cost
//!
//! Against `netlink-filter` it pays for a queue, and a switch from thread to thread. What is bought is room, not time:
//! how many lookups still find their process depends on which of the two threads and the new program the scheduler
//! takes first. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default keeps what others lose in a burst, but its
//! lookups may find nobody; that makes it cheap then. Tuned gives both threads real-time priority: on one CPU each
//! lookup is made in time, and costs. Where they came in time anyhow (5.10, 6.1) it costs about the same; the longer
//! queue and buffer cost memory.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread::JoinHandle,
};

use execlab_model::sighting::{LossReport, LossUnit};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    connector::wait,
    drops::Drops,
    handoff::Handoff,
    options::{self, BATCH_SIZE, CHANGES, LOOKUP, OFFERS, OVERFLOW, RCVBUF, SINCE_COUNTER},
    priority::{Priority, SCHEDULING},
    remains::OfConnector,
    resolve::Resolver,
    socket::{Batch, Filter, Listener},
};
use crate::{
    AttachError, Backend, Kind, Monitor, MonitorError, Offers, Portrait, Remains, Seam, Setting,
    Settings, Stop,
};

/// So many events are looked up at once: what perishes first of all of them, then the rest.
const TOGETHER: usize = 64;
/// So many sightings are held back at most while the queue does not get empty.
const HELD_BACK: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct NetlinkThread;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    RCVBUF,
    BATCH_SIZE,
    OVERFLOW,
    Setting {
        help: "fifo: real-time priority for both threads, the receiver above the lookup",
        ..SCHEDULING
    },
    LOOKUP,
    Setting {
        name: "queue",
        help: "so many execs wait for their lookup at most, 24 bytes each",
        kind: Kind::Number(64, 1 << 24),
        default: "65536",
        tuned: "1048576",
    },
];

impl Backend for NetlinkThread {
    fn name(&self) -> &'static str {
        "netlink-thread"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, received by one thread and looked up by another"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each exec, queued by one thread, looked up in /proc by another",
            SINCE_COUNTER,
            &[
                "ENOBUFS",
                "the socket's counter of drops",
                "its own queue's counter of drops",
            ],
        )
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
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
        let socket = options::socket(settings, SETTINGS, Filter::execs());
        let (listener, mut evidence) = Listener::open(&socket)?;
        let drops = Drops::of(&listener)?;
        let resolver =
            Resolver::open(options::depth(settings)).map_err(AttachError::call("open /proc"))?;
        let room = usize::try_from(settings.number("queue")).expect("bounded by the setting");
        let handoff = Handoff::new(room).map_err(AttachError::call("eventfd"))?;
        let handoff = Arc::new(handoff);
        let fifo = options::fifo(settings);
        let priority = fifo.then(|| Priority::raise(1)).transpose()?;
        if fifo {
            evidence.push("scheduled SCHED_FIFO: lookup 1, receiver 2".into());
        }
        let socket = listener.as_fd().try_clone_to_owned();
        let socket = socket.map_err(AttachError::call("fcntl F_DUPFD_CLOEXEC"))?;
        let receiver = Receiver {
            listener,
            drops,
            handoff: Arc::clone(&handoff),
        };
        let thread = std::thread::Builder::new()
            .name("receiver".into())
            .spawn(move || receiver.run(fifo))
            .map_err(AttachError::call("clone of the receiving thread"))?;
        evidence.push("a thread of its own receives".into());
        Ok(Box::new(Threads {
            handoff,
            thread: Some(thread),
            socket,
            resolver,
            evidence,
            _priority: priority,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

/// The thread that receives.
#[derive(Debug)]
struct Receiver {
    listener: Listener,
    drops: Drops,
    handoff: Arc<Handoff>,
}

impl Receiver {
    fn run(mut self, fifo: bool) {
        let ended = self.receive(fifo);
        self.handoff.lock().ended = Some(ended);
        self.handoff.wake();
    }

    fn receive(&mut self, fifo: bool) -> Result<(), MonitorError> {
        let _priority = fifo
            .then(|| Priority::raise(2))
            .transpose()
            .map_err(super::drops::call_of)?;
        loop {
            self.empty()?;
            let mut fds = [
                PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.handoff.finish.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            if fds[1].any().unwrap_or(false) {
                return self.empty();
            }
        }
    }

    /// Takes everything off the socket.
    fn empty(&mut self) -> Result<(), MonitorError> {
        let mut more = true;
        while more {
            // A message is on the socket or in the queue, and for nobody who has the lock in between.
            let mut queue = self.handoff.lock();
            let idle = queue.is_idle();
            match self
                .listener
                .read_batch()
                .map_err(MonitorError::call("recv of the connector"))?
            {
                Batch::Messages(n) => {
                    for event in (0..n).filter_map(|slot| self.listener.event(slot)) {
                        queue.put(event);
                    }
                }
                Batch::Overflowed => self.drops.overflow(),
                Batch::Empty => {
                    self.drops.at_empty(&self.listener)?;
                    if self.drops.any() {
                        queue.lost.push(self.drops.take());
                    }
                    more = false;
                }
            }
            if idle && !queue.is_idle() {
                drop(queue);
                self.handoff.wake();
            }
        }
        Ok(())
    }
}

/// The thread that looks up, with the other one in its hands.
#[derive(Debug)]
struct Threads {
    handoff: Arc<Handoff>,
    thread: Option<JoinHandle<()>>,
    /// The receiver's socket, to ask whether something is on it.
    socket: OwnedFd,
    resolver: Resolver,
    evidence: Vec<String>,
    _priority: Option<Priority>,
}

impl Threads {
    /// Looks up what is in the queue and hands over what may be; returns when the queue is empty.
    fn work(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        loop {
            let (events, lost, dropped) = {
                let mut queue = self.handoff.lock();
                let events = queue.take(TOGETHER);
                (
                    events,
                    std::mem::take(&mut queue.lost),
                    queue.dropped.take(),
                )
            };
            for lost in lost {
                if let Some(report) = lost.report("drops of the socket", LossUnit::Exec, 0) {
                    seam.loss(report)?;
                }
            }
            if let Some((count, window_ns)) = dropped {
                seam.loss(LossReport {
                    source: "no room in the queue between the threads".into(),
                    unit: LossUnit::Exec,
                    count: Some(count),
                    window_ns,
                })?;
            }
            let nothing = events.is_empty();
            self.resolver.take(events.into_iter());
            if self.resolver.held_back() >= HELD_BACK || (nothing && self.all_empty()?) {
                self.resolver.hand_over(seam)?;
            }
            if nothing {
                return Ok(());
            }
        }
    }

    /// Whether nothing is in the queue or on the socket. Where something is, the receiver is on its way.
    fn all_empty(&self) -> Result<bool, MonitorError> {
        let queue = self.handoff.lock();
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::ZERO).map_err(MonitorError::call("poll"))?;
        Ok(ready == 0 && queue.is_empty())
    }

    /// Lets the receiver empty the socket for the last time, and waits for it.
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.handoff.end();
            // Its panic has been printed, and what it says of itself is in the queue.
            let _ = thread.join();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.join();
    }
}

impl Monitor for Threads {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            // Before the queue is looked at: what is put in later wakes again.
            let _ = self.handoff.ready.read();
            self.work(seam)?;
            seam.flush()?;
            // A receiver that ended before it was told to could not go on.
            if self.handoff.lock().ended.is_some() {
                break;
            }
            if wait(&self.handoff.ready, stop, PollTimeout::NONE)? {
                break;
            }
        }
        self.join();
        self.work(seam)?;
        self.resolver.hand_over(seam)?;
        seam.flush()?;
        let ended = self.handoff.lock().ended.take();
        ended.unwrap_or_else(|| {
            let panicked = std::io::Error::other("it panicked");
            Err(MonitorError::call("the receiving thread")(panicked))
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.resolver.notes();
        notes.push(format!(
            "{} execs at most waited for their lookup",
            self.handoff.lock().most
        ));
        notes
    }
}
