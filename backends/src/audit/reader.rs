//! The reader: takes records as they come, and hands over what they were about.

use std::{io, os::fd::AsFd, time::Duration};

use execlab_model::sighting::{Argv, LossReport, LossUnit, Sighting};
use netlink_sys::Socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    batch::Batch,
    container::Containers,
    control::{self, Refused},
    event::{Exec, Outcome},
    source::Parser,
    when::When,
    wire::{Message, kind},
};
use crate::{MonitorError, Seam, Stop, clock, netlink_socket};

/// How often events that wait for their rest are looked at before they are given up.
const LOOKS: u32 = 4;
/// So many full batches are taken before the stop signal is looked at again.
const BATCHES_BETWEEN_LOOKS: usize = 64;

/// What has been counted, for the notes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub records: u64,
    pub execs: u64,
    pub incomplete: u64,
    pub failed: u64,
    pub checks: u64,
    pub earlier: u64,
    pub cut: u64,
    pub overruns: u64,
    pub wakeups: u64,
}

/// Losses that wait to be reported.
#[derive(Debug, Default, Clone, Copy)]
struct Losses {
    execs: u64,
    events: u64,
    /// From the first to the last of them.
    window_ns: Option<(u64, u64)>,
}

/// The socket, with all that is done to what comes from it.
#[derive(Debug)]
pub struct Reader {
    socket: Socket,
    batch: Batch,
    parser: Parser,
    sink: Sink,
    linger: Duration,
    patience: Duration,
}

/// Turns outcomes into sightings and losses.
#[derive(Debug)]
struct Sink {
    when: When,
    containers: Option<Containers>,
    counts: Counts,
    losses: Losses,
    /// Pieces of events from before this time are no loss of this monitor.
    since_ns: u64,
    /// Something happened after which the kernel's counter of losses should be read.
    suspicious: bool,
    /// The text of the record that ends the drain, and whether it has come.
    sentinel: Option<String>,
}

/// Why [`Reader::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// To stop.
    Stop,
    /// By records, or to look after old events.
    Records,
}

impl Reader {
    /// Over the socket that records come from. After `patience` without a further record the rest of an event
    /// is not going to come.
    pub fn new(
        socket: Socket,
        batch: usize,
        parser: Parser,
        linger: Duration,
        patience: Duration,
        containers: bool,
    ) -> Self {
        Self {
            socket,
            batch: Batch::new(batch),
            parser,
            sink: Sink {
                when: When::now(),
                containers: containers.then(Containers::default),
                counts: Counts::default(),
                losses: Losses::default(),
                since_ns: 0,
                suspicious: false,
                sentinel: None,
            },
            linger,
            patience,
        }
    }

    /// Asks to be the one process that gets all records. Events that end before the answer are of
    /// the time before this monitor; what has begun is kept for its rest.
    pub fn become_owner(&mut self) -> Result<(), Refused> {
        let now = clock::monotonic_ns();
        control::become_owner(&self.socket, |message| {
            self.parser
                .record(message.kind, message.payload, now, |_| {});
        })
    }

    /// From now on there are rules. Pieces that are older were left in the kernel's hold queue by
    /// rules and readers of others.
    pub fn starts_now(&mut self) {
        self.sink.since_ns = clock::monotonic_ns();
    }

    pub fn counts(&self) -> Counts {
        self.sink.counts
    }

    /// How many records did not fit into the socket; see [`netlink_socket::drops`].
    pub fn drops(&self) -> io::Result<u32> {
        netlink_socket::drops(&self.socket)
    }

    pub fn malformed(&self) -> u64 {
        self.parser.malformed()
    }

    pub fn tick_ns(&self) -> u64 {
        self.sink.when.tick_ns()
    }

    /// How many look-ups in `/proc` found their process, and how many did not.
    pub fn lookups(&self) -> Option<(u64, u64)> {
        let containers = self.sink.containers.as_ref()?;
        Some((containers.found, containers.gone))
    }

    /// Whether something looked like loss since this was last asked.
    pub fn was_suspicious(&mut self) -> bool {
        std::mem::take(&mut self.sink.suspicious)
    }

    /// Sleeps until there are records, or an event has to be given up, or the stop is raised.
    pub fn wait(&mut self, stop: &Stop) -> Result<Woken, MonitorError> {
        let timeout = if self.parser.open() == 0 {
            PollTimeout::NONE
        } else {
            PollTimeout::try_from(self.patience / LOOKS).expect("half a second at most")
        };
        let mut fds = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(stop.fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(MonitorError::call("poll(audit socket)")(error)),
        }
        self.sink.counts.wakeups += 1;
        if fds[1].any() == Some(true) || (!self.linger.is_zero() && stop.wait(self.linger)) {
            return Ok(Woken::Stop);
        }
        Ok(Woken::Records)
    }

    /// Takes all that the socket holds; whether the stop was raised while there was no end to it.
    pub fn take_all(&mut self, seam: &mut Seam, stop: &Stop) -> Result<Woken, MonitorError> {
        let mut batches = 0;
        while self.take_batch(seam)? {
            batches += 1;
            if batches % BATCHES_BETWEEN_LOOKS == 0 && stop.raised() {
                return Ok(Woken::Stop);
            }
        }
        let patience_ns = u64::try_from(self.patience.as_nanos()).unwrap_or(u64::MAX);
        self.give_up_before(clock::monotonic_ns().saturating_sub(patience_ns), seam)?;
        Ok(Woken::Records)
    }

    /// Takes records until the one with this text comes, which was put behind all others; whether
    /// it came before nothing came any more for the given time.
    pub fn drain_to(
        &mut self,
        sentinel: String,
        patience: Duration,
        seam: &mut Seam,
    ) -> Result<bool, MonitorError> {
        self.sink.sentinel = Some(sentinel);
        let limit = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        loop {
            while self.take_batch(seam)? {}
            if self.sink.sentinel.is_none() {
                break;
            }
            seam.flush()?;
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, limit) {
                Ok(0) => break,
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll(audit socket)")(error)),
            }
        }
        self.give_up_before(u64::MAX, seam)?;
        Ok(self.sink.sentinel.take().is_none())
    }

    fn take_batch(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let more = match self.batch.receive(&self.socket) {
            Ok(more) => more,
            // The kernel could not put a record into our buffer in time. For the owner it keeps the
            // record and tries again, so nothing is lost yet; for the group it is. Counters tell.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.sink.counts.overruns += 1;
                self.sink.suspicious = true;
                return Ok(true);
            }
            Err(error) => return Err(receive_failed(error)),
        };
        if self.batch.len() == 0 {
            return Ok(more);
        }
        let received_ns = clock::monotonic_ns();
        self.sink.when.refresh();
        let malformed = self.parser.malformed();
        for (datagram, cut) in self.batch.datagrams() {
            let Some(message) = Message::parse(datagram) else {
                continue;
            };
            self.sink.counts.records += 1;
            self.sink.counts.cut += u64::from(cut);
            if matches!(message.kind, kind::USER | kind::USER_AVC) {
                self.sink.user(message.payload);
                continue;
            }
            let mut handed_over = Ok(());
            self.parser
                .record(message.kind, message.payload, received_ns, |outcome| {
                    if handed_over.is_ok() {
                        handed_over = self.sink.outcome(outcome, received_ns, seam);
                    }
                });
            handed_over?;
        }
        self.sink.suspicious |= self.parser.malformed() > malformed;
        Ok(more)
    }

    fn give_up_before(&mut self, before_ns: u64, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = clock::monotonic_ns();
        let mut handed_over = Ok(());
        self.parser.close_idle(before_ns, |outcome| {
            if handed_over.is_ok() {
                handed_over = self.sink.outcome(outcome, now, seam);
            }
        });
        handed_over?;
        self.sink.report_losses(seam)
    }
}

fn receive_failed(error: io::Error) -> MonitorError {
    MonitorError::call("recvmmsg(audit socket)")(error)
}

impl Sink {
    fn user(&mut self, text: &[u8]) {
        let is_it = |sentinel: &String| {
            text.windows(sentinel.len())
                .any(|window| window == sentinel.as_bytes())
        };
        if self.sentinel.as_ref().is_some_and(is_it) {
            self.sentinel = None;
        }
    }

    fn outcome(
        &mut self,
        outcome: Outcome,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        let (count, stamp) = match outcome {
            Outcome::Exec(exec) => return self.exec(*exec, received_ns, seam),
            Outcome::Failed => {
                self.counts.failed += 1;
                return Ok(());
            }
            Outcome::Check => {
                self.counts.checks += 1;
                return Ok(());
            }
            Outcome::Other => return Ok(()),
            Outcome::LostExec(stamp) => (&mut self.losses.execs, stamp),
            Outcome::LostEvent(stamp) => (&mut self.losses.events, stamp),
        };
        let (time, tolerance) = self.when.at(stamp, received_ns);
        if time + tolerance < self.since_ns {
            self.counts.earlier += 1;
            return Ok(());
        }
        *count += 1;
        self.suspicious = true;
        let (from, to) = self.losses.window_ns.unwrap_or((u64::MAX, 0));
        self.losses.window_ns = Some((
            from.min(time.saturating_sub(tolerance)),
            to.max(received_ns),
        ));
        Ok(())
    }

    fn exec(&mut self, exec: Exec, received_ns: u64, seam: &mut Seam) -> Result<(), MonitorError> {
        self.counts.execs += 1;
        self.counts.incomplete += u64::from(exec.incomplete);
        self.suspicious |= exec.incomplete;
        let (time, tolerance) = self.when.at(exec.stamp, received_ns);
        let age_ns = received_ns.saturating_sub(time);
        let container = self
            .containers
            .as_mut()
            .map(|containers| containers.look_up(exec.pid, age_ns))
            .unwrap_or_default();
        seam.sighting(Sighting {
            pid: Some(exec.pid),
            ns_pid: None,
            ppid: exec.ppid,
            uid: exec.uid,
            time_ns: Some(time),
            time_tolerance_ns: tolerance,
            received_ns,
            path: exec.path,
            given: exec.given,
            argv: exec.argv.map(Argv::List),
            truncated: exec.truncated,
            file: exec.file,
            container,
        })?;
        Ok(())
    }

    /// Events of which records are missing. They are lost execs, or may be; the records themselves
    /// are in the kernel's counter as well, in another unit.
    fn report_losses(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let losses = std::mem::take(&mut self.losses);
        let Some(window_ns) = losses.window_ns else {
            return Ok(());
        };
        for (source, unit, count) in [
            (
                "audit event without its SYSCALL record",
                LossUnit::Exec,
                losses.execs,
            ),
            (
                "audit event without SYSCALL and EXECVE records",
                LossUnit::Event,
                losses.events,
            ),
        ] {
            if count > 0 {
                seam.loss(LossReport {
                    source: source.into(),
                    unit,
                    count: Some(count),
                    window_ns,
                })?;
            }
        }
        Ok(())
    }
}
