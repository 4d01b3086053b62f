//! A library in each process, which tells the monitor of execs: the rows [`environment`] (`preload`) and [`file`](mod@file)
//! (`preload-file`), which differ in how it gets there.
//!
//! The dynamic linker loads our shared object (`preload/*.c`) into each program that it starts, beside the libraries that the program
//! asks for (ld.so(8)). It needs none of them, and can do two things (setting `report`):
//!
//! * `constructor`: before the program's first line it reports the new image: `/proc/self/exe`, the string that was passed to the
//!   call (`AT_EXECFN`), arguments, cgroup and namespaces. It sees each exec of a dynamically linked program that got
//!   this far, whoever called it and how, and nothing else. Of a script it sees the interpreter.
//! * `calls`: it stands in front of the C library's functions for exec (`execve`, `execv`, `execvp`, `execvpe`, `execl`, `execlp`, `execle`,
//!   `execveat`, `fexecve`, `posix_spawn`, `posix_spawnp`) and reports a call just before it makes it. So it sees static programs that a
//!   dynamic one starts by name, and scripts as such; but neither raw system calls nor what the library does inside of itself
//!   (`system`, `popen`), and not whether the exec succeeds: what `faccessat` refuses is left out, other failures are
//!   reported as execs. `posix_spawn` says so itself, and is reported after it.
//! * `both`: an exec of which both sides report is one sighting, that of the image. A call is held back for 50 ms until then; one that the
//!   same process follows by another had failed (a search through `PATH`), and is not reported.
//!
//! The report is one datagram to a unix socket. The kernel adds who sent it (`SO_PASSCRED`, unix(7)): process id and user of
//! the monitor's own namespaces; the parent is known where the process has the monitor's numbers. A socket with a path is
//! tried first: who could load the object can mostly see its neighbour. Where not (after chroot, in another mount namespace), there is an
//! abstract name, which needs the same network namespace. While its queue is full (`net.unix.max_dgram_qlen`, 10 by default; `queue`
//! raises it while the sockets are made) processes wait, for a second at most; then, or where memory or descriptors are short, they count themselves in a file beside the
//! socket. That is all that can be known of losses: of what never loaded the object nobody knows, and who has another root, or no
//! descriptor left for that file, cannot count himself. A loss is a report: an exec, but where calls are reported a call or
//! an image.
//!
//! What it cannot see, and why: static programs (no linker), also Go's; set-user-ID programs (`AT_SECURE`: `LD_PRELOAD` is ignored where it has a slash;
//! `/etc/ld.so.preload` is not); programs of other architectures (the object is of x86-64; glibc's loader complains of it on
//! their standard error); processes with another root that has no such object; those whose environment was cleaned; programs
//! that end in their linker. Anybody can send a report of himself: it is no means against an enemy.
//!
//! A monitor that is gone is no harm: the object is told that nobody listens, and goes on.

use crate::{
    AttachError, Family, Kind, Offers, Portrait, Reach, Setting, Settings, Since,
    preload::place::Wanted,
};

pub mod environment;
pub mod file;
mod list;
#[cfg(feature = "look")]
mod look;
mod monitor;
mod object;
mod pairs;
mod place;
mod remains;
mod wire;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use wire::check as fuzz;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "report",
        help: "constructor: each new image; calls: each call of a library's function; both: either, told once",
        kind: Kind::Word(&["constructor", "calls", "both"]),
        default: "constructor",
        tuned: "both",
    },
    Setting {
        name: "lookup",
        help: "full: every field; path: no cgroup and no namespaces",
        kind: Kind::Word(&["full", "path"]),
        default: "full",
        tuned: "full",
    },
    Setting {
        name: "queue",
        help: "reports that may wait to be read: net.unix.max_dgram_qlen while the sockets are made; 0 leaves it",
        kind: Kind::Number(0, 65_536),
        default: "0",
        tuned: "4096",
    },
];

const LOSS_SIGNALS: &[&str] = &["reports that found no room within a second, or no memory"];

fn offers() -> Offers {
    Offers {
        pid: true,
        parent: true,
        uid: true,
        path: true,
        argv: true,
        container: true,
        time: false,
        loss: true,
    }
}

fn portrait(mechanism: &'static str, needs: &'static [&'static str], reach: Reach) -> Portrait {
    Portrait {
        family: Family::Libc,
        mechanism,
        needs,
        since: Since {
            release: "2.6 (any; it is the C library's)",
            series: None,
        },
        loss_signals: LOSS_SIGNALS,
        reach,
    }
}

fn wanted(settings: &Settings) -> Wanted {
    let report = settings.word("report");
    Wanted {
        images: report != "calls",
        calls: report != "constructor",
        full: settings.word("lookup") == "full",
        queue: settings.number("queue"),
    }
}

fn open(
    settings: &Settings,
    place: place::Place,
    more: Vec<String>,
) -> Result<monitor::Reader, AttachError> {
    monitor::Reader::new(place, settings.word("report"), more)
}
