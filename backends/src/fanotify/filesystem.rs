//! `fanotify`: `FAN_OPEN_EXEC` with a mark on each mounted filesystem.
//!
//! A mark on a filesystem (`FAN_MARK_FILESYSTEM`, 4.20) holds for every mount of it in every namespace, so a
//! bind mount or a container on a filesystem that is mounted in the monitor's namespace too needs nothing
//! further.
//!
//! The program does not wait: by the time an event is read it may be long gone, and then parent, user and
//! container are unknown. Its number is that of the event. If another process has it by then, `/proc` speaks
//! of that one; the row `fanotify-pidfd` knows.
//!
//! What it cannot see, beside what the family cannot ([`super`]): on 5.10 and 6.1 `execveat` with an empty
//! path (`fexecve`, a deleted file, a script by its descriptor), as `do_open_execat` makes no event for it
//! there. Events of one process and one file are merged while they wait to be read (`fanotify_merge`): a
//! process that executes the same file again and again is seen once for each time that the queue was read,
//! and that is no loss that the kernel would tell of.
//!
//! # Cost
//!
//! With `fanotify-mount` the cheapest of the family. Nearly all of it is the lookup in `/proc`, and the looks for the
//! new image that come after it. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default is cheaper because it
//! comes later: the new image is there at the first look, or the program is gone, and with it parent, user and
//! container. Tuned has real-time priority: on one CPU it looks in the middle of the exec, and again for the new image.
//! That costs more, buys parent, user and container of every exec, and outside of bursts gives up arguments of programs
//! that end at once, which default has from 6.18 on. Where the reader came as early anyhow (5.10, 6.1) both cost the
//! same.

use super::{OFFERS, SETTINGS, marks::On, monitor};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct Filesystem;

impl Backend for Filesystem {
    fn name(&self) -> &'static str {
        "fanotify"
    }

    fn about(&self) -> &'static str {
        "FAN_OPEN_EXEC events of every mounted filesystem, each looked up in /proc"
    }

    fn program(&self) -> &'static str {
        "fanotify"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "an event for each file that is opened to be executed on a marked filesystem",
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
            on: On::Filesystem,
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
