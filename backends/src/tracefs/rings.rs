//! The buffers of all CPUs, page by page: one `trace_pipe_raw` each.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    os::fd::{AsFd, BorrowedFd},
};

use execlab_model::sighting::{LossReport, LossUnit};

use super::{
    instance::Instance,
    losses::{Losses, Stats},
    page::{Layout, Page, is_known_encoding},
};
use crate::{AttachError, MonitorError, Seam, clock::monotonic_ns, tracing_fs::mount::read};

/// The reader of one CPU's buffer.
#[derive(Debug)]
struct Ring {
    pipe: File,
    stats: std::path::PathBuf,
    losses: Losses,
    /// When the last event happened that was read from it.
    last_ns: u64,
    /// Pages that were read since the counters were last looked at.
    pages: usize,
}

/// All of them.
#[derive(Debug)]
pub struct Rings {
    all: Vec<Ring>,
    layout: Layout,
    page: Vec<u8>,
    /// So many pages are half of a buffer.
    half: usize,
    unit: LossUnit,
    malformed: u64,
    since_ns: u64,
    reads: u64,
}

/// The CPUs that an instance has buffers for.
pub fn cpus(instance: &Instance) -> Result<Vec<u32>, AttachError> {
    let entries =
        fs::read_dir(instance.path("per_cpu")).map_err(AttachError::call("read of per_cpu"))?;
    let number = |entry: fs::DirEntry| {
        entry
            .file_name()
            .to_str()?
            .strip_prefix("cpu")?
            .parse()
            .ok()
    };
    let mut cpus: Vec<u32> = entries.flatten().filter_map(number).collect();
    cpus.sort_unstable();
    Ok(cpus)
}

/// The counters of one CPU.
pub fn stats(path: &std::path::Path) -> std::io::Result<Stats> {
    let text = read(path)?;
    Stats::parse(&text).ok_or_else(|| std::io::Error::other(format!("no stats: {text}")))
}

impl Rings {
    /// Opens them; `unit` is what one lost event is.
    pub fn open(instance: &Instance, unit: LossUnit) -> Result<Self, AttachError> {
        // An instance has a file of its own where its sub-buffers may be of another size.
        let header = |name: &str| {
            let own = instance.path("events").join(name);
            read(&own).or_else(|_| read(&instance.tracefs().path("events").join(name)))
        };
        let page = header("header_page").map_err(AttachError::call("read of header_page"))?;
        let event = header("header_event").map_err(AttachError::call("read of header_event"))?;
        let layout = Layout::parse(&page)
            .ok_or_else(|| AttachError::Unsupported(format!("header_page is: {page}")))?;
        if !is_known_encoding(&event) {
            return Err(AttachError::Unsupported(format!(
                "header_event is: {event}"
            )));
        }
        let kilobytes = read(&instance.path("buffer_size_kb"))
            .map_err(AttachError::call("read of buffer_size_kb"))?;
        let kilobytes: usize = kilobytes.trim().parse().map_err(|_| {
            AttachError::Unsupported(format!("buffer_size_kb is: {}", kilobytes.trim()))
        })?;
        let now = monotonic_ns();
        let ring = |cpu: u32| {
            Ok(Ring {
                pipe: instance.open(&format!("per_cpu/cpu{cpu}/trace_pipe_raw"))?,
                stats: instance.path(&format!("per_cpu/cpu{cpu}/stats")),
                losses: Losses::new(cpu, unit, now),
                last_ns: now,
                pages: 0,
            })
        };
        Ok(Self {
            all: cpus(instance)?
                .into_iter()
                .map(ring)
                .collect::<Result<_, AttachError>>()?,
            layout,
            page: vec![0; layout.size()],
            half: (kilobytes << 10) / layout.size() / 2,
            unit,
            malformed: 0,
            since_ns: now,
            reads: 0,
        })
    }

    /// For waiting: readable as soon as there is an event.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all.iter().map(|ring| ring.pipe.as_fd())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// What one read gives.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Reads every buffer until it is empty and calls `take` with the time and the bytes of each event, in the
    /// order of their CPUs and not of their times. How many pages there were.
    pub fn drain(&mut self, mut take: impl FnMut(u64, &[u8])) -> Result<usize, MonitorError> {
        let mut pages = 0;
        for ring in &mut self.all {
            // While events come as fast as they are read, the other buffers have their turn as well.
            for _ in 0..2 * self.half.max(1) {
                let length = match ring.pipe.read(&mut self.page) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(e) => return Err(MonitorError::call("read of trace_pipe_raw")(e)),
                };
                self.reads += 1;
                pages += 1;
                ring.pages += 1;
                let Ok(page) = Page::parse(self.layout, &self.page[..length]) else {
                    self.malformed += 1;
                    continue;
                };
                if page.missed {
                    ring.losses.between(ring.last_ns, page.time_ns);
                }
                let last = &mut ring.last_ns;
                let read = page.events(|time, event| {
                    *last = time;
                    take(time, event);
                });
                self.malformed += u64::from(read.is_err());
            }
        }
        Ok(pages)
    }

    /// Reports losses. The counters are read where something was lost or can have been: where a page says
    /// so, and where a buffer was half full; and all of them at the `end`. Whether there were any.
    pub fn report(&mut self, seam: &mut Seam, end: bool) -> Result<bool, MonitorError> {
        let mut any = false;
        for ring in &mut self.all {
            let pages = std::mem::take(&mut ring.pages);
            if !(end || ring.losses.is_told() || pages >= self.half) {
                continue;
            }
            let stats = stats(&ring.stats).map_err(MonitorError::call("read of stats"))?;
            if let Some(report) = ring.losses.update(stats, monotonic_ns()) {
                seam.loss(report)?;
                any = true;
            }
        }
        if end && self.malformed > 0 {
            seam.loss(LossReport {
                source: "pages that are none".into(),
                unit: LossUnit::Unknown,
                count: None,
                window_ns: (self.since_ns, monotonic_ns()),
            })?;
        }
        Ok(any)
    }

    /// What one lost event is.
    pub fn unit(&self) -> LossUnit {
        self.unit
    }

    /// How often something was read.
    pub fn notes(&self) -> Vec<String> {
        vec![format!(
            "{} reads of trace_pipe_raw, {} pages that are none",
            self.reads, self.malformed
        )]
    }
}
