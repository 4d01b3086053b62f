//! `fanotify-mount`: `FAN_OPEN_EXEC` with a mark on each mount.
//!
//! As `fanotify`, with `FAN_MARK_MOUNT`, the older kind of mark, which most users of fanotify still put. It
//! belongs to one mount. A bind mount of the same files is another one, and so are the copies of all mounts
//! that `unshare(CLONE_NEWNS)` makes for a container; none of them has the mark. A bind mount in the
//! monitor's own namespace is marked when it appears. What is mounted in another namespace is marked with
//! `namespaces=all` only: at attach, and when a process is first seen there, which here takes an exec through
//! a mount that has a mark.
//!
//! What it cannot see, beside what the family cannot ([`super`]) and what `fanotify` cannot: execs in a mount
//! namespace that was made later, until its mounts were found and marked; execs on a mount that is hidden
//! below another one.
//!
//! # Cost
//!
//! As `fanotify`, with which it is the cheapest of the family: what differs is what is seen, and not what an event
//! costs. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default is cheaper because it comes later: the new image
//! is there at the first look, or the program is gone, and with it parent, user and container. Tuned has real-time
//! priority: on one CPU it looks in the middle of the exec, and again for the new image. That costs more, buys parent,
//! user and container of every exec, and outside of bursts gives up arguments of programs that end at once, which
//! default has from 6.18 on. `namespaces=all` buys mounts elsewhere, for a look at each new mount namespace.

use super::{OFFERS, SETTINGS, marks::On, monitor};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct Mount;

impl Backend for Mount {
    fn name(&self) -> &'static str {
        "fanotify-mount"
    }

    fn about(&self) -> &'static str {
        "FAN_OPEN_EXEC events of every mount, each looked up in /proc"
    }

    fn program(&self) -> &'static str {
        "fanotify"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "an event for each file that is opened to be executed through a marked mount",
            &["CONFIG_FANOTIFY", "CAP_SYS_ADMIN"],
            "5.0 (FAN_OPEN_EXEC)",
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
            on: On::Mount,
            asks: false,
            pidfd: false,
        };
        monitor::attach(style, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, super::look::Need::Events)
    }
}
