//! `netlink`: all that helps, in one: a filter, batches, checks, and a search in `/proc` after a loss.
//!
//! - A classic BPF filter on the socket drops all but execs before they are queued. The kernel's own event mask
//!   (6.6 and later) would do the same after the same copy of the message, but older kernels ignore the longer
//!   request in silence and newer ones then drop the acknowledgement as well; so the plain LISTEN is sent, its
//!   acknowledgement awaited, and only then the filter narrowed to execs alone.
//! - Messages are taken 64 at a time with `recvmmsg`. For the whole batch what perishes with the
//!   process (executed file, arguments) is read first, then the rest.
//! - After a loss `/proc` is searched for running processes whose exec was lost; those are reported without a
//!   time and taken off the count.
//!
//! How it works, what it needs and what it cannot see stands with the [family](super). Of its own: after a loss
//! it cannot see an exec inside a process that was known before, if it got the same layout (no address
//! randomisation).
//!
//! # Cost
//!
//! Nearly all of it is the lookup: several files of `/proc` are opened and read for each exec. Against `netlink-plain`
//! the check of what was read is paid for, and buys that a path is of this exec or not there; against `netlink-resync`
//! it is `recvmmsg`, which costs more than `recv` where messages come one by one, and buys fewer calls in a storm. From
//! 6.6 on (EEVDF scheduler; measured from 6.12 on) default may be cheap because it comes late: lookups find nobody, and
//! in a burst the queue overflows. Tuned has real-time priority: on one CPU each lookup is made before the program runs
//! on, and costs. That buys path and arguments of every exec, and the larger buffer with `go-on` room for a burst.
//! Where the reader came in time anyhow (5.10, 6.1) both cost the same.

use super::{
    connector::Connector,
    options::{self, CHANGES, LOOKUP, OFFERS, OVERFLOW, RCVBUF, SINCE_COUNTER},
    remains::OfConnector,
    socket::{BATCH, Filter, Options},
};
use crate::{
    AttachError, Backend, Monitor, Offers, Portrait, Remains, Setting, Settings,
    priority::SCHEDULING,
};

/// See the module.
#[derive(Debug)]
pub struct Netlink;

/// What can be set.
pub const SETTINGS: &[Setting] = &[RCVBUF, OVERFLOW, SCHEDULING, LOOKUP];

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
        options::portrait(
            "a message of the proc connector for each exec, looked up in /proc at once",
            SINCE_COUNTER,
            &["ENOBUFS", "the socket's counter of drops"],
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
        let socket = Options {
            batch: BATCH,
            ..options::socket(settings, SETTINGS, Filter::execs())
        };
        let connector = Connector::open(&socket, settings, options::fifo(settings), true)?;
        Ok(Box::new(connector))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
