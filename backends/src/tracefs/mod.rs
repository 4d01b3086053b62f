//! Events of ftrace, read through tracefs.
//!
//! Every row has an instance of its own, `instances/execlab-PID`: buffers, options and enabled events that no other
//! tracer sees or disturbs. It goes when the monitor is dropped; `remains` finds what a killed one left.
//!
//! | row | events |
//! |---|---|
//! | [`exec`] | `sched_process_exec`, raw pages |
//! | [`exec_text`] | the same, as text |
//! | [`syscalls`] | enter and exit of `execve` and `execveat`, paired |
//! | [`cwd`] | `sched_process_exec`, with `task_newtask` and `chdir` followed to make relative paths full |
//! | [`kprobe`] | a probe on `proc_exec_connector` that follows the kernel's own structures |
//! | [`kretprobe`] | a return probe on `bprm_execve` |

use std::rc::Rc;

use execlab_model::sighting::LossUnit;

use self::{instance::Instance, rings::Rings};
use crate::{AttachError, Kind, Setting, Settings, Since, tracing_fs::Tracefs};

mod btf;
mod chain;
pub mod cwd;
mod dynamic;
pub mod exec;
pub mod exec_text;
mod folders;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod instance;
pub mod kprobe;
pub mod kretprobe;
#[cfg(feature = "look")]
mod look;
mod lookup;
pub mod losses;
pub mod page;
mod remains;
mod rings;
pub mod syscalls;
mod task;
mod text;
mod walk;
mod watch;

/// Settings of the buffers, for every row.
pub const BUFFERS: [Setting; 4] = [
    Setting {
        name: "buffer-kb",
        help: "size of each CPU's ring buffer in KiB",
        kind: Kind::Number(8, 1 << 20),
        default: "1408",
        tuned: "8192",
    },
    Setting {
        name: "overflow",
        help: "overwrite: a full buffer loses its oldest page; drop: it loses what comes, event by event",
        kind: Kind::Word(&["overwrite", "drop"]),
        default: "overwrite",
        tuned: "drop",
    },
    Setting {
        name: "long-events",
        help: "page: events of up to a page; larger: of up to 16 KiB, where the kernel can (6.8)",
        kind: Kind::Word(&["page", "larger"]),
        default: "page",
        tuned: "larger",
    },
    Setting {
        name: "record-cmd",
        help: "off: the kernel need not note names of processes at each switch, unless another tracer has events",
        kind: Kind::Word(&["on", "off"]),
        default: "on",
        tuned: "off",
    },
];

/// What rows with events of the kernel's own need.
const NEEDS: &[&str] = &["CONFIG_EVENT_TRACING", "root"];

/// Since when the buffers are as these rows want them.
const SINCE: Since = Since {
    release: "3.17 (trace_clock mono; instances: 3.10); 5.2 where tracefs is not mounted",
    series: None,
};

/// How long the reader waits once it was woken; `tuned` where no lookup has to be in time.
const fn linger(tuned: &'static str) -> Setting {
    Setting {
        name: "linger-ms",
        help: "how long the reader, once woken, lets more events gather before it takes them all",
        kind: Kind::Number(0, 10_000),
        default: "0",
        tuned,
    }
}

/// By what a ring buffer says that it lost something.
const RING_SIGNALS: &[&str] = &[
    "the missed-events flag of a page",
    "overrun, commit overrun and dropped events in per_cpu/cpuN/stats",
];

/// What every row changes.
const CHANGES: &[&str] =
    &["makes an instance of its own in tracefs, with a ring buffer for each CPU"];

/// An instance with its readers, in which nothing is enabled yet; `unit` is what one lost event is.
fn start(
    tracefs: &Rc<Tracefs>,
    settings: &Settings,
    unit: LossUnit,
) -> Result<(Instance, Rings), AttachError> {
    let instance = Instance::create(tracefs, settings)?;
    let rings = Rings::open(&instance, unit)?;
    Ok((instance, rings))
}
