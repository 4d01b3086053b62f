//! `netlink`: the proc connector for the fact that there was an exec, `/proc` for what was executed.
//!
//! The kernel broadcasts process events (forks, execs, exits …) to sockets that joined the group of
//! the connector and asked with LISTEN (`drivers/connector/cn_proc.c`; since 2.6.15). An exec event
//! has the process id in the initial namespace and a `CLOCK_MONOTONIC` time and nothing else, so
//! each one is looked up in `/proc` at once.
//!
//! - A classic BPF filter on the socket ([`wire::filter`]) drops all but execs before they are
//!   queued. The kernel's own event mask (6.6 and later) would do the same after the same copy of
//!   the message, but older kernels ignore the longer request in silence and newer ones then drop the
//!   acknowledgement as well, which is the only proof that somebody listens; so the plain LISTEN is
//!   sent, its acknowledgement awaited, and only then the filter narrowed to execs alone.
//! - Messages are taken 64 at a time with `recvmmsg`. For the whole batch what perishes with the
//!   process (executed file, arguments) is read first, then the rest.
//! - What `/proc` says is put aside where it is not of this event's image: the process has not called
//!   exec since its fork (`PF_FORKNOEXEC`) or began later than the event, so it is another one with
//!   the same number; or a later event of the same process happened before the lookup ended.
//!   Sightings are therefore handed over only when the queue has been seen empty after the lookup.
//! - A queue that overflows is told by `ENOBUFS`, and from then on the kernel drops everything until
//!   the queue is empty (`NETLINK_S_CONGESTED`). The setting `overflow=go-on` turns both off
//!   (`NETLINK_NO_ENOBUFS`): less is lost, and the loss is still known, because in both ways the
//!   socket's counter of drops is read (`SO_MEMINFO`, 4.12) whenever the queue is empty. Only execs
//!   pass the filter and the kernel counts after the filter, so the unit is execs. After a loss `/proc`
//!   is searched for running processes whose exec was lost; those are reported without a time and
//!   taken off the count.
//!
//! Needs: root in the initial user, PID and network namespaces; `CONFIG_PROC_EVENTS` (every
//! distribution).
//!
//! What it cannot see: failed execs. The path of a process that ended before it was looked up (its
//! name, cut at 15 bytes, while it is a zombie; nothing after): with `scheduling=fifo` on one CPU the
//! reader runs before the new program does. The first of two images of one process where the second
//! exec was under way during the lookup and its event came after it. The string that was passed to
//! the call. After a loss, an exec inside a process that was known before, if it got the same layout
//! (no address randomisation). A monitor that is killed leaves the kernel's count of listeners raised
//! (until 6.5), so events go on being made for nobody until the next boot.

use std::{os::fd::AsFd, time::Duration};

use execlab_model::sighting::{LossReport, LossUnit};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop, clock::monotonic_ns, procfs_lookup::Depth,
};

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
mod kernel;
#[cfg(feature = "look")]
mod look;
mod resolve;
mod resync;
mod socket;
mod wire;

use resolve::Resolver;
use resync::Resync;
use socket::{Batch, Listener};

/// So many sightings are held back at most while the queue does not get empty.
const HELD_BACK: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct Netlink;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "rcvbuf",
        help: "receive buffer in bytes as the kernel counts it, bookkeeping included",
        kind: Kind::Number(4608, 1 << 30),
        default: "212992",
        tuned: "8388608",
    },
    Setting {
        name: "overflow",
        help: "enobufs: the kernel's way, drop until empty; go-on: queue whenever there is room",
        kind: Kind::Word(&["enobufs", "go-on"]),
        default: "enobufs",
        tuned: "go-on",
    },
    Setting {
        name: "scheduling",
        help: "fifo: real-time priority, so that the lookup comes before the program runs on",
        kind: Kind::Word(&["normal", "fifo"]),
        default: "normal",
        tuned: "fifo",
    },
    Setting {
        name: "lookup",
        help: "full: every field; path: executed file, arguments, parent; nothing: the event alone",
        kind: Kind::Word(&["full", "path", "nothing"]),
        default: "full",
        tuned: "full",
    },
];

impl Backend for Netlink {
    fn name(&self) -> &'static str {
        "netlink"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, each looked up in /proc"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Netlink,
            mechanism: "a message of the proc connector for each exec, looked up in /proc at once",
            needs: &[
                "CONFIG_PROC_EVENTS",
                "root in the initial user, PID and network namespaces",
            ],
            since: Since {
                release: "4.12 (SO_MEMINFO; the connector itself: 2.6.15)",
                series: None,
            },
            loss_signals: &["ENOBUFS", "the socket's counter of drops"],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "before Linux 6.6 a monitor that is killed leaves the kernel making events for nobody until the next boot",
        ]
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: true,
            loss: true,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let bytes = usize::try_from(settings.number("rcvbuf")).expect("bounded");
        let (listener, mut evidence) = Listener::open(bytes, settings.word("overflow") == "go-on")?;
        let mut resolver = Resolver::open(Depth::from_word(settings.word("lookup")))
            .map_err(AttachError::call("open /proc"))?;
        let resync = Resync::open().map_err(AttachError::call("open /proc"))?;
        let scheduling = (settings.word("scheduling") == "fifo")
            .then(Priority::raise)
            .transpose()?;
        if scheduling.is_some() {
            evidence.push("scheduled SCHED_FIFO, priority 1".into());
        }
        let resync = resync
            .begin(&mut resolver)
            .map_err(AttachError::call("getdents64 of /proc"))?;
        Ok(Box::new(Connector {
            counted: listener.drops()?,
            listener,
            resolver,
            resync,
            evidence,
            empty_ns: monotonic_ns(),
            lost: 0,
            overflowed: false,
            lost_since_ns: 0,
            overflows: 0,
            _scheduling: scheduling,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        look::look(roots)
    }
}

#[derive(Debug)]
struct Connector {
    listener: Listener,
    resolver: Resolver,
    resync: Resync,
    evidence: Vec<String>,
    /// When the queue was last seen empty.
    empty_ns: u64,
    /// The kernel's counter at the last look.
    counted: u32,
    /// Dropped and not reported yet.
    lost: u64,
    /// `ENOBUFS` was seen and not reported yet.
    overflowed: bool,
    lost_since_ns: u64,
    overflows: u64,
    _scheduling: Option<Priority>,
}

impl Connector {
    /// Reads until the queue is empty.
    fn drain(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        loop {
            match self
                .listener
                .read_batch()
                .map_err(MonitorError::call("recvmmsg of the connector"))?
            {
                Batch::Messages(n) => {
                    self.resolver
                        .take((0..n).filter_map(|slot| self.listener.event(slot)));
                    if self.resolver.held_back() >= HELD_BACK {
                        self.resolver.hand_over(seam)?;
                    }
                }
                Batch::Overflowed => {
                    self.overflows += 1;
                    self.overflowed = true;
                }
                Batch::Empty => break,
            }
        }
        self.resolver.hand_over(seam)?;
        let now = monotonic_ns();
        let counted = self.listener.drops().map_err(call_of)?;
        let new = u64::from(counted.wrapping_sub(self.counted));
        self.counted = counted;
        if new > 0 || self.overflowed {
            if self.lost == 0 {
                self.lost_since_ns = self.empty_ns;
            }
            self.lost += new;
        }
        self.empty_ns = now;
        Ok(())
    }

    fn lossy(&self) -> bool {
        self.lost > 0 || self.overflowed
    }

    /// Searches for what was lost and says what stays lost.
    fn settle(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let found = self
            .resync
            .search(&mut self.resolver)
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        let until = self.empty_ns;
        let (lost, overflowed) = (
            std::mem::take(&mut self.lost),
            std::mem::take(&mut self.overflowed),
        );
        let since = self.lost_since_ns;
        // The event of a process that was found may have been in the queue all the time.
        self.drain(seam)?;
        let recovered = self.resync.hand_over(found, &mut self.resolver, seam)?;
        let remaining = lost.saturating_sub(recovered);
        let mut report = |unit, count| {
            seam.loss(LossReport {
                source: "drops of the socket, less those found in /proc".into(),
                unit,
                count,
                window_ns: (since, until),
            })
        };
        if remaining > 0 {
            report(LossUnit::Exec, Some(remaining))?;
        } else if overflowed && lost == 0 {
            report(LossUnit::Unknown, None)?;
        }
        Ok(())
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
                match self.resync.due_in(monotonic_ns()) {
                    Duration::ZERO => self.settle(seam)?,
                    wait => {
                        let millis = u16::try_from(wait.as_millis() + 1).unwrap_or(u16::MAX);
                        patience = PollTimeout::from(millis);
                    }
                }
            }
            self.resolver.prune_if_large(&mut self.resync);
            seam.flush()?;
            let mut fds = [
                PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, patience) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            if fds[1].any().unwrap_or(false) {
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
        notes.push(format!(
            "the queue overflowed {} times (ENOBUFS)",
            self.overflows
        ));
        notes.extend(self.resync.notes());
        notes
    }
}

/// The socket speaks in attach errors; at run time they are the monitor's.
fn call_of(error: AttachError) -> MonitorError {
    match error {
        AttachError::Call { call, source } => MonitorError::Call { call, source },
        other => MonitorError::call("the connector")(std::io::Error::other(other.to_string())),
    }
}

/// Real-time priority while it exists.
#[derive(Debug)]
struct Priority;

impl Priority {
    fn raise() -> Result<Self, AttachError> {
        set_scheduler(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, 1)
            .map_err(AttachError::call("sched_setscheduler SCHED_FIFO 1"))?;
        Ok(Self)
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        // Going back down is always allowed.
        let _ = set_scheduler(libc::SCHED_OTHER, 0);
    }
}

fn set_scheduler(policy: i32, priority: i32) -> std::io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the parameter lives through the call; 0 means this thread.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}
