//! `tracefs-exec-text`: the tracepoint `sched_process_exec`, read as the text of `trace_pipe`.
//!
//! # How it works
//!
//! The same event as [`super::exec`] in the same ring buffers; but the kernel merges those of all CPUs by time, writes
//! each event as a line, and `trace_pipe` gives the lines. It is what scripts do (`cat trace_pipe`), and what
//! perf-tools' `execsnoop` did.
//!
//! # Needs
//!
//! As [`super::exec`].
//!
//! # What it cannot see
//!
//! What [`super::exec`] cannot see. Besides:
//!
//! - Times are printed in microseconds, rounded.
//! - Names are printed as they are. A newline in one is made good; a name that holds the text of an event makes
//!   an exec that there was none of, and nothing tells it from another.
//! - Where events were overwritten, a line `CPU:0 [LOST 12 EVENTS]` says so; how many in all is read from
//!   `per_cpu/cpuN/stats`.
//! - A line of more than a page has no room up to 6.7: of a path within some hundred bytes of the longest that an event
//!   takes the kernel prints `[LINE TOO BIG]`, and the exec is reported as lost.
//!
//! # Cost
//!
//! More than the default of `tracefs-exec`, by the text itself, which the kernel prints and the reader takes apart
//! again. It buys that nothing has to be known of pages and formats, and nothing else. Default and tuned cost about the
//! same: this row has no time to gather in, so the reader is woken as often. Tuned buys room: a larger buffer, and from
//! 6.8 on longer events.
//!
//! Sources: `Documentation/trace/ftrace.rst`, `kernel/trace/trace.c` (`tracing_read_pipe`, `print_trace_line`).

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::fd::AsFd,
    path::PathBuf,
    rc::Rc,
};

use execlab_model::sighting::{LossReport, LossUnit, Sighting};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    BUFFERS,
    exec::EVENT,
    instance::Instance,
    losses::Losses,
    rings::{cpus, stats},
    text::{Item, Text},
};
use crate::{
    AttachError, Backend, Family, Monitor, MonitorError, Offers, Portrait, Reach, Remains, Seam,
    Setting, Settings, Stop, clock::monotonic_ns, tracing_fs::Tracefs,
};

/// See the module.
#[derive(Debug)]
pub struct TracefsExecText;

/// What can be set.
pub const SETTINGS: &[Setting] = &BUFFERS;

impl Backend for TracefsExecText {
    fn name(&self) -> &'static str {
        "tracefs-exec-text"
    }

    fn about(&self) -> &'static str {
        "ftrace event sched_process_exec, read as text from trace_pipe"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "the event sched_process_exec in a trace instance, printed by the kernel into trace_pipe",
            needs: super::NEEDS,
            since: super::SINCE,
            loss_signals: &[
                "lines `CPU:N [LOST K EVENTS]`, and lines that end in `[LINE TOO BIG]`",
                "overrun, commit overrun and dropped events in per_cpu/cpuN/stats",
            ],
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
            path: true,
            time: true,
            loss: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let tracefs = Rc::new(Tracefs::open()?);
        let mut instance = Instance::create(&tracefs, settings)?;
        let pipe = instance.open("trace_pipe")?;
        let now = monotonic_ns();
        let books = cpus(&instance)?.into_iter().map(|cpu| {
            let path = instance.path(&format!("per_cpu/cpu{cpu}/stats"));
            (path, Losses::new(cpu, LossUnit::Exec, now))
        });
        let books = books.collect();
        instance.enable(EVENT)?;
        Ok(Box::new(Pipe {
            file: pipe,
            text: Text::default(),
            books,
            bytes: 0,
            half: settings.number("buffer-kb") << 9,
            told: false,
            instance,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[EVENT])
    }
}

/// Half a microsecond: so far a rounded time is off.
const TOLERANCE_NS: u64 = 500;
/// An event takes more room as a line than in the ring buffer, but less than so many times as much.
const LINE_TO_EVENT: u64 = 4;

/// Closed before the instance is removed.
#[derive(Debug)]
struct Pipe {
    file: File,
    text: Text,
    books: Vec<(PathBuf, Losses)>,
    /// Read since the counters were last looked at.
    bytes: u64,
    /// Half of a buffer, in bytes.
    half: u64,
    /// A line told of a loss since then.
    told: bool,
    instance: Instance,
}

/// So often is read at most before somebody looks whether to stop.
const READS: usize = 64;

impl Pipe {
    /// Reads what is there, up to [`READS`] times; whether there may be more.
    fn drain(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let mut buffer = [0; 16 << 10];
        let mut more = true;
        for _ in 0..READS {
            let length = match self.file.read(&mut buffer) {
                Ok(0) => {
                    more = false;
                    break;
                }
                Ok(length) => length,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(MonitorError::call("read of trace_pipe")(e)),
            };
            self.bytes += length as u64;
            let received_ns = monotonic_ns();
            let (told, mut result) = (&mut self.told, Ok(()));
            self.text.push(&buffer[..length], |item| match item {
                Item::Exec {
                    time_us,
                    pid,
                    filename,
                } if result.is_ok() => {
                    result = seam.sighting(Sighting {
                        pid: Some(pid),
                        time_ns: Some(time_us.saturating_mul(1000)),
                        time_tolerance_ns: TOLERANCE_NS,
                        received_ns,
                        path: Some(filename.into()),
                        given: Some(filename.into()),
                        ..Sighting::default()
                    });
                }
                Item::TooBig { time_us } if result.is_ok() => result = seam.loss(too_big(time_us)),
                Item::Exec { .. } | Item::TooBig { .. } => {}
                Item::Lost(_) => *told = true,
            });
            result?;
        }
        self.report(seam, false)?;
        Ok(more)
    }

    /// Reads the counters where a line told of a loss, where a buffer can have been half full, and at the `end`.
    fn report(&mut self, seam: &mut Seam, end: bool) -> Result<(), MonitorError> {
        let bytes = std::mem::take(&mut self.bytes);
        let told = std::mem::take(&mut self.told);
        if !(end || told || bytes >= self.half / LINE_TO_EVENT) {
            return Ok(());
        }
        for (path, losses) in &mut self.books {
            let stats = stats(path).map_err(MonitorError::call("read of stats"))?;
            if let Some(report) = losses.update(stats, monotonic_ns()) {
                seam.loss(report)?;
            }
        }
        Ok(())
    }
}

/// What the text says of an exec whose line had no room.
fn too_big(time_us: u64) -> LossReport {
    let time_ns = time_us.saturating_mul(1000);
    LossReport {
        source: "trace_pipe: [LINE TOO BIG]".into(),
        unit: LossUnit::Exec,
        count: Some(1),
        window_ns: (
            time_ns.saturating_sub(TOLERANCE_NS),
            time_ns.saturating_add(TOLERANCE_NS),
        ),
    }
}

impl Monitor for Pipe {
    fn evidence(&self) -> Vec<String> {
        self.instance.evidence().to_vec()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.drain(seam)?;
            seam.flush()?;
            let mut fds = [
                PollFd::new(self.file.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            if fds[1].any().unwrap_or(false) {
                break;
            }
        }
        self.instance.stop()?;
        while self.drain(seam)? {}
        self.report(seam, true)?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        vec![format!("{} lines that are no event", self.text.odd)]
    }
}
