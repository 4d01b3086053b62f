//! `fanotify-perm`: `FAN_OPEN_EXEC_PERM`, asked before a file is executed, and always answered with yes.
//!
//! The process waits in its `execve` until the monitor has answered (`fanotify_get_response`), so process,
//! parent, user and container are read while nothing can go away. It is still the process of before: its
//! image and its arguments are the old ones. New arguments are looked for after the answer, and only taken
//! once the image is another one than before, so they are never wrong and often late. Nothing is merged, and
//! an `execveat` with an empty path asks on every kernel (`do_open_execat` comes to `fsnotify_perm` by every
//! way).
//!
//! A thread of its own answers ([`answer`](super::answer)). While it holds an exec it reads `/proc`, whose files that it reads need no lock
//! that an exec holds (`cred_guard_mutex`), it executes nothing, and it asks neither the executed file nor anything that is
//! mounted: these may be served by a process that cannot go on before its own exec is allowed (FUSE). But the read of an event opens
//! its file, which such a server has to answer too, so filesystems of FUSE are left without a mark, and the evidence says so. Elsewhere
//! (NFS of oneself, an overlay over FUSE) a server that executes something before it answers an open stops all execs, until
//! it is killed, or what it executes. What has to read files, to tell
//! which ones belong to one exec, or to walk to mounts, to mark them, is done by the monitor's other thread,
//! after the answer. While that one waits for a file, execs go on: 128 are kept for it, the next one waits a second, and from then
//! on they are allowed and counted as lost, until it has time again. What is still unread when the monitor ends, or is
//! killed, is allowed by the kernel when the group is closed (`fanotify_release`).
//!
//! An open that cannot be shown to the monitor, as no descriptor is left for its file, is denied by the
//! kernel (`fanotify_read`); so few are read at once that it does not come to that.
//!
//! What it cannot see, beside what the family cannot ([`super`]): filesystems of FUSE, and those that take no such
//! marks (`/proc`, `FS_DISALLOW_NOTIFY_PERM`). Whether the exec succeeded: the question comes before the last checks,
//! so there are more phantoms than of `fanotify`. When the queue is full the kernel allows the open without asking
//! (`fsnotify_insert_event`), and tells of it by `FAN_Q_OVERFLOW`; each waiting process has one place in it, so that
//! takes more than 16,384 of them.
//!
//! # Cost
//!
//! The dearest of the family: each exec waits for a lookup and an answer, and is handed from one thread to another.
//! What is bought: the container and the parent of every exec, however short, by default already. Tuned gives both
//! threads real-time priority. As a lookup is in time without that, it buys little: in a burst arguments of more execs,
//! which are looked for after the answer. Outside of bursts it gives up the few that default has (6.18 and later), and
//! on some kernels it costs more.

use super::{OFFERS, SETTINGS, marks::On, monitor};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings};

/// See the module.
#[derive(Debug)]
pub struct Permission;

impl Backend for Permission {
    fn name(&self) -> &'static str {
        "fanotify-perm"
    }

    fn about(&self) -> &'static str {
        "FAN_OPEN_EXEC_PERM: each open waits until /proc was read, and is allowed"
    }

    fn program(&self) -> &'static str {
        "fanotify"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "each file that is opened to be executed waits until the monitor has looked and allows it",
            &["CONFIG_FANOTIFY_ACCESS_PERMISSIONS", "CAP_SYS_ADMIN"],
            "5.0 (FAN_OPEN_EXEC_PERM)",
        )
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "every exec waits for the monitor while it runs",
            "Debian's kernels keep a mark that this was used (kernel.tainted, TAINT_AUX) until the next boot",
        ]
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let style = monitor::Style {
            on: On::Filesystem,
            asks: true,
            pidfd: false,
        };
        monitor::attach(style, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, super::look::Need::Permission)
    }
}
