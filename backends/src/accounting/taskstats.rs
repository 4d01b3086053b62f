//! `taskstats`: the kernel's own sum of what each thread used, sent to whoever registered when it ends.
//!
//! The family TASKSTATS of generic netlink takes listeners for CPUs (`TASKSTATS_CMD_ATTR_REGISTER_CPUMASK`) and
//! sends each of them a message for every thread that ends there (`taskstats_exit`, kernel/taskstats.c; since
//! Linux 2.6.18). It has number, parent, real user and name, and whether this thread had called exec
//! (`AFORK` in `ac_flag`; each new thread starts with it). A thread that calls exec becomes the
//! leader, so a message without `AFORK` is of a leader, and there is one for each process that called
//! exec. From Linux 5.19 on (version 12 of the structure) device and inode of the executed file are in it
//! too.
//!
//! - A classic BPF filter on the socket drops threads that called no exec before they are queued.
//! - Messages are taken 64 at a time with `recvmmsg`. A process that has ended can wait: the setting `gather-ms`
//!   lets the queue fill for a while, and one wake takes them all.
//! - A queue that overflows is told by `ENOBUFS`, and from then on the kernel drops everything until the queue is
//!   empty. The setting `overflow=go-on` turns both off (`NETLINK_NO_ENOBUFS`). In both ways the socket's
//!   counter of drops is read (`SO_MEMINFO`, 4.12) whenever the queue is empty; it counts after the filter,
//!   so the unit is processes that called exec, which is execs unless one made several.
//!
//! Needs: root in the initial user, PID and network namespaces; `CONFIG_TASKSTATS` (every distribution).
//!
//! What it cannot see: any process before it ends. All execs of a process but the last. The path: there is the
//! name of the last image alone, cut at 15 bytes, and the process can give itself another; device and inode
//! are what a path would have to be searched for with. Arguments, cgroup, namespaces, and when the exec was
//! (the structure has the begin of the thread). A parent that ended first: whoever took the child over is told.
//! Failed execs are no execs. A process that was there before and ends while it is watched is reported, though
//! its exec was earlier.
//!
//! # Cost
//!
//! It costs more than `acct`, the cheapest of the family: its message is several times as long as a record there, and
//! goes through a filter and the queue of a socket. That buys a counter of what was lost, device and inode of the file
//! (5.19), and that nobody's accounting is taken away. Beside rows that look up it is cheap because it tells so little:
//! a name, when all is over. Tuned costs less: with `gather-ms` one wake-up takes many messages, for sightings that
//! come later. The larger buffer costs memory.

use std::{os::fd::AsFd, time::Duration};

use execlab_model::sighting::{LossReport, LossUnit};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::OFFERS;
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop, clock::monotonic_ns,
};

mod socket;
pub(super) mod wire;

use socket::{Batch, Listener};

/// See the module.
#[derive(Debug)]
pub struct Taskstats;

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
        name: "gather-ms",
        help: "milliseconds to wait for more when something came, so that one wake takes many",
        kind: Kind::Number(0, 60_000),
        default: "0",
        tuned: "10",
    },
];

impl Backend for Taskstats {
    fn name(&self) -> &'static str {
        "taskstats"
    }

    fn about(&self) -> &'static str {
        "statistics of each process that ends and had called exec, over generic netlink"
    }

    fn program(&self) -> &'static str {
        "accounting"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Accounting,
            mechanism: "a message of generic netlink for each thread that ends, filtered to those that called exec",
            needs: &[
                "CONFIG_TASKSTATS",
                "root in the initial user, PID and network namespaces",
            ],
            since: Since {
                release: "4.12 (SO_MEMINFO; the messages: 2.6.18; device and inode of the file: 5.19)",
                series: None,
            },
            loss_signals: &["ENOBUFS", "the socket's counter of drops"],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let bytes = usize::try_from(settings.number("rcvbuf")).expect("bounded");
        let (listener, evidence) = Listener::open(bytes, settings.word("overflow") == "go-on")?;
        Ok(Box::new(Told {
            counted: listener.drops()?,
            most: batches_in(bytes),
            listener,
            gather: Duration::from_millis(settings.number("gather-ms")),
            evidence,
            empty_ns: monotonic_ns(),
            overflows: 0,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::of_taskstats(roots)
    }
}

/// The number of the family, for who only looks.
#[cfg(feature = "look")]
pub(super) fn family() -> Result<u16, AttachError> {
    Ok(socket::open()?.1)
}

/// So many batches are taken at most before somebody looks whether to stop.
const BATCHES: usize = 64;

/// How many batches there can be in a queue of so many bytes. One that is not full has found its end.
fn batches_in(bytes: usize) -> usize {
    /// A message is of more than 300 bytes, and each is counted with the 200 and more of its `sk_buff`.
    const MESSAGE: usize = 512;
    bytes.div_ceil(MESSAGE * socket::BATCH) + 1
}

#[derive(Debug)]
struct Told {
    listener: Listener,
    gather: Duration,
    /// So many batches the queue holds at most.
    most: usize,
    evidence: Vec<String>,
    /// When the queue was last seen empty.
    empty_ns: u64,
    /// The kernel's counter at the last look.
    counted: u32,
    overflows: u64,
}

impl Told {
    /// Reads until the queue is empty, or so many batches, and says what was lost. Whether it was seen empty.
    fn drain(&mut self, seam: &mut Seam, batches: usize) -> Result<bool, MonitorError> {
        let (mut overflowed, mut empty) = (false, false);
        for _ in 0..batches {
            match self
                .listener
                .read_batch()
                .map_err(MonitorError::call("recvmmsg of taskstats"))?
            {
                Batch::Ended(ended) => {
                    let now = monotonic_ns();
                    // The filter has done this already for all but those that came before it.
                    for ended in ended.into_iter().filter(super::Ended::called_exec) {
                        seam.sighting(ended.sighting(now))?;
                    }
                }
                Batch::Overflowed => {
                    self.overflows += 1;
                    overflowed = true;
                }
                Batch::Empty => {
                    empty = true;
                    break;
                }
            }
        }
        let now = monotonic_ns();
        let counted = self.listener.drops().map_err(|error| {
            MonitorError::call("the socket of taskstats")(std::io::Error::other(error.to_string()))
        })?;
        let lost = u64::from(counted.wrapping_sub(self.counted));
        if lost > 0 || overflowed {
            seam.loss(LossReport {
                source: "drops of the socket".into(),
                unit: if lost > 0 {
                    LossUnit::Exec
                } else {
                    LossUnit::Unknown
                },
                count: (lost > 0).then_some(lost),
                window_ns: (self.empty_ns, now),
            })?;
        }
        self.counted = counted;
        if empty {
            self.empty_ns = now;
        }
        Ok(empty)
    }
}

impl Monitor for Told {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            let empty = self.drain(seam, BATCHES)?;
            seam.flush()?;
            if !empty {
                if stop.raised() {
                    break;
                }
                continue;
            }
            let mut fds = [
                PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            // What comes meanwhile waits in the queue, which is made for it.
            if fds[1].any().unwrap_or(false) || !self.gather.is_zero() && stop.wait(self.gather) {
                break;
            }
        }
        // What the queue can hold, and no more: whoever ends from now on is nobody's any more.
        self.drain(seam, self.most)?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        vec![format!(
            "the queue overflowed {} times (ENOBUFS)",
            self.overflows
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_emptied_by_a_number_of_batches_that_its_size_bounds() {
        // 512 bytes a message: 416 of them are six and a half batches of 64, and one says that it is empty.
        assert_eq!(batches_in(212_992), 8);
        assert_eq!(batches_in(1), 2);
    }
}
