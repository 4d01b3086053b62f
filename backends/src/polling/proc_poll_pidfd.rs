//! `proc-poll-pidfd`: looks into `/proc` again and again, and holds a pidfd of each process that it knows.
//!
//! New processes, and execs inside known ones, are found as by [`proc-poll`](super::proc_poll). Beside that a
//! pidfd of each known process (`pidfd_open(2)`, Linux 5.3) stands in an epoll set, and becomes readable
//! when the process ends (`do_notify_pidfd`, kernel/signal.c). So
//! - an end is an event and not a difference between two scans. A process that had only forked at the
//!   last scan is looked at once more when it ends: a zombie that nobody waited for yet still says whether
//!   it had called exec, and its name;
//! - a reused number fools nobody: a pidfd belongs to one process for ever, and `pidfd_send_signal` of
//!   signal 0 answers `ESRCH` once that one was waited for. What was read before that answer was its own.
//!
//! Since Linux 5.3. Needs: root, for `exe` and `mem` of others; two descriptors for each process.
//!
//! What it cannot see: what a scan cannot see either. A pidfd tells of an end and of no exec, so whatever begins and ends between two
//! scans is missed, and of several execs of one process between two scans all but the last. There is no
//! word of losses.
//!
//! # Cost
//!
//! As `proc-poll`, and for each process that a scan finds a `pidfd_open`, a place in an epoll set, and a wake-up when
//! it ends. That buys some execs more, of those that had only forked when a scan saw them, and that a reused number
//! fools nobody. Default costs as little as that of `proc-poll`, because it looks as seldom and is as blind. Tuned
//! looks a hundred times as often, with `cursor`: dearer, for more of what lives short.

use super::{ends::Ends, poller::Poller, proc_poll::SETTINGS};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct ProcPollPidfd;

impl Backend for ProcPollPidfd {
    fn name(&self) -> &'static str {
        "proc-poll-pidfd"
    }

    fn about(&self) -> &'static str {
        "scans /proc at an interval and is told of ends by a pidfd of each process"
    }

    fn program(&self) -> &'static str {
        "polling"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Polling,
            mechanism: "lists /proc at an interval; a pidfd of each known process tells when it ends",
            needs: &[
                "root, for exe and mem of others",
                "two descriptors for each process",
            ],
            since: Since {
                release: "5.3 (pidfd_open)",
                series: None,
            },
            loss_signals: &[],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        super::OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let (ends, proof) = Ends::open()?;
        let poller = Poller::attach(settings, Some(ends))?;
        Ok(Box::new(poller.with_evidence(proof)))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
