//! `netlink-event-filter`: the connector itself is told to send execs alone.
//!
//! Since Linux 6.6 a LISTEN may carry a mask of kinds of events (`struct proc_input`, `cn_filter` in
//! `drivers/connector/cn_proc.c`); before, the kernel ignores a request of that length in silence. The mask is looked
//! at once for each event and each listener, before the socket's own filter would be, and after the same
//! copy of the message: so it saves what the socket's filter costs, some instructions an event, and no more.
//!
//! There is no acknowledgement of such a request, as that is of none of the kinds that are chosen. So a plain LISTEN is
//! sent first and its acknowledgement awaited; then the mask is set, and proved by this process's own
//! events: it renames itself, which is seen with renamings in the mask and is not without. On a kernel that ignores the
//! mask it is seen both times, and that is the evidence.
//!
//! How it works, what it needs and what it cannot see stands with the [family](super).
//!
//! # Cost
//!
//! As `netlink-filter`, less some instructions for each event that is no exec: nothing is paid for that but older
//! kernels. The lookup is nearly all of the price, and its check is what it costs more than `netlink-plain`. From 6.6
//! on (EEVDF scheduler; measured from 6.12 on) default may be cheap because it comes late: lookups find nobody, and in
//! a burst the queue overflows. Tuned has real-time priority: on one CPU each lookup is made before the program runs
//! on, and costs. That buys path and arguments of every exec.

use super::{
    connector::Connector,
    options::{self, OFFERS, USUAL},
    socket::Filter,
};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings, Since};

/// See the module.
#[derive(Debug)]
pub struct NetlinkEventFilter;

impl Backend for NetlinkEventFilter {
    fn name(&self) -> &'static str {
        "netlink-event-filter"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, which is told to send no others"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each exec, by its own event mask, looked up in /proc",
            Since {
                release: "6.6 (the event mask)",
                series: Some("6.12"),
            },
            &["ENOBUFS", "the socket's counter of drops"],
        )
    }

    fn settings(&self) -> &'static [Setting] {
        USUAL
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let socket = options::socket(settings, USUAL, Filter::Mask);
        let connector = Connector::open(&socket, settings, options::fifo(settings), false)?;
        Ok(Box::new(connector))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        let mut findings = super::look::look(roots);
        findings.push(super::look::event_mask(roots));
        findings
    }
}
