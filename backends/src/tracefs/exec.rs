//! `tracefs-exec`: the tracepoint `sched_process_exec`, its pages read as the kernel wrote them.
//!
//! # How it works
//!
//! The kernel passes this tracepoint once for each exec that succeeded, by whatever system call, of whatever
//! architecture, by threads and by the kernel itself, after the process got its final pid (`exec_binprm`,
//! `fs/exec.c`; since 3.4). In an instance of our own (3.10) it leaves 20 bytes and the string that was passed to the call in the
//! ring buffer of its CPU. Each CPU's `trace_pipe_raw` gives a page of it with one `read`, and the reader finds its
//! way through the page by what `events/header_page` and the event's `format` say of this kernel. Times are
//! `CLOCK_MONOTONIC` (`trace_clock`, `mono` since 3.17).
//!
//! The event has no arguments, no parent, no user and no container. With `lookup=proc` each process is looked up at
//! once, and what `/proc` still has of it is added; where it came too late the string stays the path.
//!
//! # Needs
//!
//! root; `CONFIG_EVENT_TRACING` (every distribution). tracefs need not be mounted: it mounts one for itself that nobody
//! else sees (5.2).
//!
//! # What it cannot see
//!
//! - Where a relative path begins, what a symlink leads to, and what `/dev/fd/N` was: without a lookup the path is
//!   the string that was passed. `tracefs-cwd` follows the working directories.
//! - With a lookup: the script behind a `#!` in the path, which is then the interpreter (`given` names the script).
//! - Events longer than a sub-buffer: a path of more than some 4,030 bytes makes the kernel give up the event, and no
//!   counter says so (`rb_reserve_next_event`, `kernel/trace/ring_buffer.c`). `long-events=larger` makes room for
//!   every path, from 6.8 on.
//! - Execs while its buffer is full. They are counted, exactly: each page says that something was lost before it,
//!   and `per_cpu/cpuN/stats` how much.
//!
//! # Settings
//!
//! `record-cmd` is on by default, as in every instance; then the kernel also notes the name of each process that it
//! switches to, which nobody reads here. `buffer_percent` is set to 0 in any case: by default a reader sleeps until half
//! of the buffer is full.
//!
//! # Cost
//!
//! Of the defaults of the family this one is the cheapest: one short event an exec, of which the reader takes pages as
//! they are. It tells no more than a pid and a string. Rows whose tuned settings let events gather are cheaper then.
//! Tuned costs several times as much as default, as the lookup does, and must not linger: it buys arguments, parent,
//! user and container, of processes that live long enough. It has no real-time priority. From 6.6 on (EEVDF scheduler;
//! measured from 6.12 on) programs may have ended when it looks, which makes it cheaper, and buys less.
//!
//! Sources: `Documentation/trace/ftrace.rst`, `Documentation/trace/ring-buffer-design.rst`, `kernel/trace/trace.c`
//! (`tracing_buffers_read`).

use std::rc::Rc;

use execlab_model::sighting::{LossUnit, Sighting};

use super::{
    BUFFERS,
    instance::Instance,
    lookup::Lookup,
    start,
    watch::{Row, Watch},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Remains,
    Seam, Setting, Settings,
    tracing_fs::{
        Tracefs,
        format::{Field, Format, event_id},
    },
};

/// The tracepoint.
pub const EVENT: &str = "sched/sched_process_exec";

/// See the module.
#[derive(Debug)]
pub struct TracefsExec;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    BUFFERS[0],
    BUFFERS[1],
    BUFFERS[2],
    BUFFERS[3],
    // A lookup comes too late for what has lingered.
    super::linger("0"),
    Setting {
        name: "lookup",
        help: "none: the event alone; proc: each process is looked up in /proc at once",
        kind: Kind::Word(&["none", "proc"]),
        default: "none",
        tuned: "proc",
    },
];

impl Backend for TracefsExec {
    fn name(&self) -> &'static str {
        "tracefs-exec"
    }

    fn about(&self) -> &'static str {
        "ftrace event sched_process_exec, pages of the ring buffer read raw"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "the event sched_process_exec in a trace instance, read through trace_pipe_raw",
            needs: super::NEEDS,
            since: super::SINCE,
            loss_signals: super::RING_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        super::CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::OfTracefs)
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: true,
            loss: true,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let lookup = (settings.word("lookup") == "proc")
            .then(Lookup::open)
            .transpose()
            .map_err(AttachError::call("open /proc"))?;
        let tracefs = Rc::new(Tracefs::open()?);
        let (mut instance, rings) = start(&tracefs, settings, LossUnit::Exec)?;
        let event = Exec::of(&instance)?;
        instance.enable(EVENT)?;
        let row = Execs { event, lookup };
        let linger_ms = settings.number("linger-ms");
        Ok(Box::new(Watch::new(row, rings, instance, None, linger_ms)))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[EVENT])
    }
}

/// Where the fields of the event are.
#[derive(Debug, Clone, Copy)]
pub struct Exec {
    id: u16,
    filename: Field,
    pid: Field,
    old_pid: Field,
}

impl Exec {
    /// On this kernel.
    pub fn of(instance: &Instance) -> Result<Self, AttachError> {
        let text = instance.event_file(EVENT, "format")?;
        let format = Format::parse(&text);
        let found = format.as_ref().and_then(|format| {
            Some(Self {
                id: format.id,
                filename: format.field("filename")?,
                pid: format.field("pid")?,
                old_pid: format.field("old_pid")?,
            })
        });
        found.ok_or_else(|| AttachError::Unsupported(format!("the format of {EVENT} is: {text}")))
    }

    /// The event with its sighting, as yet without times; `None` where it is another event.
    pub fn decode(self, raw: &[u8]) -> Option<Sighting> {
        if event_id(raw) != Some(self.id) {
            return None;
        }
        let filename = self.filename.string(raw)?;
        Some(Sighting {
            pid: self.pid.word(raw),
            path: Some(filename.into()),
            given: Some(filename.into()),
            ..Sighting::default()
        })
    }

    /// Under which id the thread ran that called exec: its process's, unless it was not the first thread.
    pub fn caller(self, raw: &[u8]) -> Option<u32> {
        self.old_pid.word(raw)
    }
}

#[derive(Debug)]
struct Execs {
    event: Exec,
    lookup: Option<Lookup>,
}

impl Row for Execs {
    type Event = Sighting;

    fn decode(&mut self, raw: &[u8]) -> Option<Sighting> {
        self.event.decode(raw)
    }

    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Sighting)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        let timed = events.map(|(time_ns, sighting)| Sighting {
            time_ns: Some(time_ns),
            received_ns,
            ..sighting
        });
        match &mut self.lookup {
            Some(lookup) => lookup.take(timed.collect()),
            None => {
                for sighting in timed {
                    seam.sighting(sighting)?;
                }
            }
        }
        Ok(())
    }

    fn empty(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        match &mut self.lookup {
            Some(lookup) => lookup.hand_over(seam),
            None => Ok(()),
        }
    }

    fn notes(&self) -> Vec<String> {
        self.lookup.as_ref().map(Lookup::notes).unwrap_or_default()
    }
}
