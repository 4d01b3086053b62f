//! `netlink-resync`: after a loss `/proc` is searched for running processes whose exec was lost.
//!
//! The queue overflows in the kernel's own way: `ENOBUFS` once, and everything dropped until the queue is empty. Then
//! every process is compared with what was reported of it (`search`): one whose
//! image is unknown is reported without a time, and taken off the count of what was lost. Long-lived programs
//! are found so; of a storm of short ones next to nothing is. A search takes one part in ten of the time at most.
//!
//! How it works, what it needs and what it cannot see stands with the [family](super). Of its own: an exec inside a
//! process that was known before, if it got the same layout (no address randomisation).
//!
//! # Cost
//!
//! Below an overflow it costs the same as `netlink-filter`, and the memory of what was reported beside it: that buys
//! the found ones. Where lookups come in time that is more than `netlink-plain`, by the check of each. From 6.6 on
//! (EEVDF scheduler; measured from 6.12 on) it may be the cheapest of the family, because it comes late and lookups
//! find nobody. Tuned has a larger buffer, which loses less of a burst, and takes messages in batches: a little dearer
//! where they come one by one. It has no real-time priority, so its lookups are as late as those of default. To run
//! first, and to go on queueing after an overflow, is `netlink`.

use super::{
    connector::Connector,
    options::{self, BATCH_SIZE, CHANGES, LOOKUP, OFFERS, RCVBUF, SINCE_COUNTER},
    remains::OfConnector,
    socket::Filter,
};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Remains, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct NetlinkResync;

/// What can be set.
pub const SETTINGS: &[Setting] = &[RCVBUF, BATCH_SIZE, LOOKUP];

impl Backend for NetlinkResync {
    fn name(&self) -> &'static str {
        "netlink-resync"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, and a search in /proc after a loss"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each exec, looked up in /proc; a search there after ENOBUFS",
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
        let socket = options::socket(settings, SETTINGS, Filter::execs());
        Ok(Box::new(Connector::open(&socket, settings, false, true)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
