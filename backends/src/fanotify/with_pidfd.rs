//! `fanotify-pidfd`: `FAN_OPEN_EXEC` events with `FAN_REPORT_PIDFD`.
//!
//! As `fanotify`, and each event holds on to its process by a pidfd. What `/proc` says is taken only where
//! the process was not reaped after its directory was opened (`pidfd_send_signal` with signal 0), so it is
//! never that of another process with the same number. Where the kernel has `PIDFD_GET_INFO` (6.13), parent,
//! user and cgroup id come from one call.
//!
//! Of a process that was reaped before its event is read there is no pidfd (`FAN_NOPIDFD`), and nothing is
//! looked up. From 7.2 on there is one (commit 82c6dd20479b), and `PIDFD_GET_INFO` still gives its cgroup id,
//! so the container is known of every exec but those whose process is just ending when it is asked.
//!
//! What it cannot see: what `fanotify` cannot.
//!
//! # Cost
//!
//! A little more than `fanotify`, by a descriptor for each event and the questions to it. What is bought: no exec is
//! given another process's parent, user or container, and from 7.2 on nearly each has its container. From 6.6 on (EEVDF
//! scheduler; measured from 6.12 on) default is cheaper because it comes later: the new image is there at the first
//! look, or the program is gone, and with it (before 7.2) parent, user and container. Tuned has real-time priority: on
//! one CPU it looks in the middle of the exec, and again for the new image. That costs more, buys parent, user and
//! container of every exec, and outside of bursts gives up arguments of programs that end at once, which default has
//! from 6.18 on. Where the reader came as early anyhow (5.10, 6.1) both cost the same.

use super::{OFFERS, SETTINGS, marks::On, monitor};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct WithPidfd;

impl Backend for WithPidfd {
    fn name(&self) -> &'static str {
        "fanotify-pidfd"
    }

    fn about(&self) -> &'static str {
        "FAN_OPEN_EXEC events with a pidfd each, so that /proc never speaks of another process"
    }

    fn program(&self) -> &'static str {
        "fanotify"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "an event with a pidfd for each file that is opened to be executed on a marked filesystem",
            &["CONFIG_FANOTIFY", "CAP_SYS_ADMIN"],
            "5.15 (FAN_REPORT_PIDFD; Debian's 5.10 has it)",
        )
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let style = monitor::Style {
            on: On::Filesystem,
            asks: false,
            pidfd: true,
        };
        monitor::attach(style, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, super::look::Need::Pidfd)
    }
}
