//! fanotify: told of files that are opened to be executed.
//!
//! `FAN_OPEN_EXEC` (5.0) is an event for each file that the kernel opens with the intent to execute it
//! (`__FMODE_EXEC`; `fsnotify_open` in `include/linux/fsnotify.h`), and `FAN_OPEN_EXEC_PERM` asks before it
//! does so. An event has the process and the file itself, open for reading, and no time. So the file is known
//! even of a process that is long gone; all else is looked up in `/proc` while the process lives.
//!
//! - **Path.** The link of the event's descriptor in `/proc/self/fd`: the path by the mount that was used,
//!   from the reader's root (`d_path`), so a file in a chroot has its path outside. A file of another mount
//!   namespace has its path from that namespace's root. Read later than the exec, it is the file's name of
//!   then. Longer than 4,095 bytes it is not to be had.
//! - **Which events are execs.** Each file of an exec is an event: the one that was asked for, interpreters,
//!   the loader. The file of an event says which one is opened next (`#!`, `PT_INTERP`), and an event of that
//!   very file by the same process is taken to the exec before ([`chain`]); so is the event of a layer's file
//!   that an overlay opens from 6.12 on. This is what fapolicyd does with its events. The first file is the
//!   one that is reported: of a script the script. What names nothing stays an event of its own: the handler
//!   of `binfmt_misc` behind its program.
//! - **Arguments.** The event comes before the new image is there, so `/proc/PID/cmdline` may be that of the
//!   old one. It is taken only once the process's file is one that was opened for this exec and it is not a
//!   fork that has not called exec (`PF_FORKNOEXEC`); until then the monitor looks again each millisecond,
//!   five times. Of a process that executes the file that it has already it may still be the old one. With
//!   `scheduling=fifo` the monitor runs in the middle of the exec, where parent, user and container are
//!   always there and the new arguments never: a program that ends within the millisecond has none in its
//!   sighting, while without it some have.
//! - **Loss.** `FAN_Q_OVERFLOW` comes once for each time that the queue was full
//!   (`fs.fanotify.max_queued_events`, 16,384), without a number. `queue=unlimited` lifts the limit. An event
//!   whose file cannot be opened is an error of `read(2)`, whatever opening answers, and is reported as one lost event; with
//!   `FAN_REPORT_FD_ERROR` it is an event without a file, and a sighting without a path.
//! - **Marks.** Put on everything that is mounted in the monitor's namespace, again whenever that changes
//!   (`POLLPRI` of `/proc/self/mountinfo`), and with `namespaces=all` on what is mounted in others: those
//!   that `/proc` shows, and those in which a process is seen later.
//!
//! What none of them can see: a memfd (its filesystem takes no mark); a filesystem without a mark, so what is
//! mounted in another namespace and nowhere else (`namespaces=own`), or was mounted after the last look;
//! whether the exec succeeded: an attempt that fails after its file was opened is reported (`ENOEXEC`, from
//! 6.12 on `ETXTBSY`; `execveat` with `AT_EXECVE_CHECK`), one that does not come that far is not (`ENOENT`,
//! `EACCES`). A loader that a script or program names by a link of a container that is gone is taken for an
//! exec of its own.
//!
//! Needs: `CAP_SYS_ADMIN` in the initial user namespace (without it no pid and no file), `CONFIG_FANOTIFY`.
//! Pids are those of the reader's PID namespace, and of the process where a thread calls exec.
//!
//! Sources: fanotify(7), `fanotify_init(2)`, `fanotify_mark(2)`; `fs/notify/fanotify/`.

pub mod filesystem;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod mount;
pub mod perm;
pub mod with_pidfd;

mod answer;
mod chain;
mod front;
mod group;
mod head;
#[cfg(feature = "look")]
mod look;
mod marks;
mod monitor;
mod mountinfo;
mod pidfd;
mod queue;
mod resolver;
mod wire;

use crate::{Family, Kind, Offers, Portrait, Reach, Setting, Since, priority::SCHEDULING};

/// What can be set on each row.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "queue",
        help: "limited: fs.fanotify.max_queued_events at most; unlimited: as many as memory takes",
        kind: Kind::Word(&["limited", "unlimited"]),
        default: "limited",
        tuned: "unlimited",
    },
    Setting {
        name: "namespaces",
        help: "own: mark what is mounted in our mount namespace; all: in those of other processes too",
        kind: Kind::Word(&["own", "all"]),
        default: "own",
        tuned: "all",
    },
    SCHEDULING,
    Setting {
        name: "lookup",
        help: "full: every field, from /proc; nothing: process and file of the event alone",
        kind: Kind::Word(&["full", "nothing"]),
        default: "full",
        tuned: "full",
    },
];

/// The same for each row.
const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: false,
    loss: true,
};

const LOSS_SIGNALS: &[&str] = &["FAN_Q_OVERFLOW", "an error of read(2) in place of an event"];

fn portrait(
    mechanism: &'static str,
    needs: &'static [&'static str],
    release: &'static str,
) -> Portrait {
    Portrait {
        family: Family::Fanotify,
        mechanism,
        needs,
        since: Since {
            release,
            series: None,
        },
        loss_signals: LOSS_SIGNALS,
        reach: Reach::System,
    }
}
