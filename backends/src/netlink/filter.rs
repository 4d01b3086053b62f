//! `netlink-filter`: a program on the socket drops all but execs before they are queued.
//!
//! Of each process that forks, executes and ends the kernel broadcasts three messages, and each wakes an unfiltered
//! reader. A classic BPF program (`SO_ATTACH_FILTER`; a handful of instructions, run for each event in the process
//! that makes it) leaves one: fewer wake-ups, three times the room in the buffer, and a counter of drops that is a
//! number of execs.
//!
//! What is lost is counted and not looked for: that is `netlink-resync`. How it works, what it needs and what it
//! cannot see stands with the [family](super).
//!
//! # Cost
//!
//! Where lookups come in time it costs more than `netlink-plain`, by the check of each: one more read of `stat`. That
//! buys that a path is of this exec or not there. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default may be
//! cheap because it comes late: lookups find nobody, and in a burst the queue overflows. Tuned has real-time priority:
//! on one CPU each lookup is made before the program runs on, and costs. That buys path and arguments of every exec.
//! Where the reader came in time anyhow (5.10, 6.1) it is still a little dearer: `recvmmsg` costs more than `recv`
//! where messages come one by one, and saves calls in a storm.

use super::{
    connector::Connector,
    options::{self, CHANGES, OFFERS, SINCE_COUNTER, USUAL},
    remains::OfConnector,
    socket::Filter,
};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Remains, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct NetlinkFilter;

impl Backend for NetlinkFilter {
    fn name(&self) -> &'static str {
        "netlink-filter"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, all others dropped by a filter on the socket"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each exec, filtered on the socket, looked up in /proc",
            SINCE_COUNTER,
            &["ENOBUFS", "the socket's counter of drops"],
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
        let socket = options::socket(settings, USUAL, Filter::execs());
        let connector = Connector::open(&socket, settings, options::fifo(settings), false)?;
        Ok(Box::new(connector))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
