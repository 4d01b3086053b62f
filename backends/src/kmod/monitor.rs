//! Reads what a module recorded: the same for all rows.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
};

use execlab_model::sighting::LossUnit;
use nix::sys::epoll::EpollTimeout;

use super::{
    module::Module,
    record::{HEADER, Record},
};
use crate::{
    AttachError, BadSetting, Kind, Monitor, MonitorError, Seam, Setting, Settings, Stop, clock,
    waiter::{Waiter, Wakes},
};

const PAGE: u64 = 4096;

/// So many bytes are read at once, and one record of the longest texts at least.
const BATCH: usize = 64 << 10;

/// The longest path and the longest string passed to a call (`kmod/report.c`).
const TEXTS: usize = 8192 + 4096;

/// How large the ring is.
pub(super) const BUFFER_PAGES: Setting = Setting {
    name: "buffer-pages",
    help: "size of the module's ring in pages, a power of two",
    kind: Kind::Number(2, 1 << 16),
    default: "64",
    tuned: "1024",
};

/// How long records may gather.
pub(super) const LINGER: Setting = Setting {
    name: "linger-ms",
    help: "how long the reader, once woken, lets more records gather before it takes them all",
    kind: Kind::Number(0, 10_000),
    default: "0",
    tuned: "10",
};

/// How much of the arguments is wanted.
pub(super) const ARGV_BYTES: Setting = Setting {
    name: "argv-bytes",
    help: "how many bytes of arguments are copied at most; 0 copies none",
    kind: Kind::Number(0, 32_767),
    default: "4096",
    tuned: "4096",
};

/// A counter of a module's own, beside that of its ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    /// The module's parameter.
    pub(super) parameter: &'static str,
    /// What it counts, for loss reports.
    pub(super) source: &'static str,
}

/// A loaded module and its open device. The device is closed before the module goes, or it would not go.
#[derive(Debug)]
pub(super) struct Attached {
    device: File,
    module: Module,
    counter: Option<Counter>,
    linger_ms: u16,
    ring_bytes: u64,
    /// A read that leaves this much of its buffer empty found no more.
    longest: usize,
    buffer: Vec<u8>,
    evidence: Vec<String>,
    since_ns: u64,
    /// Of the last record.
    last_ns: u64,
    /// As far as it was reported.
    lost: u64,
    malformed: u64,
    reads: u64,
    notes: Vec<String>,
}

/// Loads a module with the settings that all have, and opens its device: from then on it records.
pub(super) fn attach(
    name: &'static str,
    settings: &Settings,
    parameters: &str,
    counter: Option<Counter>,
) -> Result<Attached, AttachError> {
    let pages = settings.number(BUFFER_PAGES.name);
    if !pages.is_power_of_two() {
        return Err(AttachError::Setting(BadSetting::Value {
            name: BUFFER_PAGES.name,
            value: pages.to_string(),
            takes: "a power of two from 2 to 65536".into(),
        }));
    }
    let ring_bytes = pages * PAGE;
    let argv_bytes = settings.number(ARGV_BYTES.name);
    let longest = HEADER + TEXTS + usize::try_from(argv_bytes).expect("bounded");
    let parameters = format!("ring_bytes={ring_bytes} argv_bytes={argv_bytes} {parameters}");
    let module = Module::load(name, parameters.trim_end())?;
    let since_ns = clock::monotonic_ns();
    let path = module.device();
    let device = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .map_err(AttachError::call(format!("open {}", path.display())))?;
    Ok(Attached {
        evidence: vec![
            format!("module {name} is loaded ({})", parameters.trim_end()),
            format!("{} is open, and records since then", path.display()),
        ],
        device,
        module,
        counter,
        linger_ms: u16::try_from(settings.number(LINGER.name)).unwrap_or(u16::MAX),
        ring_bytes,
        longest,
        buffer: vec![0; BATCH.max(longest)],
        since_ns,
        last_ns: since_ns,
        lost: 0,
        malformed: 0,
        reads: 0,
        notes: Vec::new(),
    })
}

impl Attached {
    /// A number that the module tells.
    pub(super) fn parameter(&self, name: &str) -> Result<u64, AttachError> {
        let call = format!("read the module's parameter {name}");
        self.module.parameter(name).map_err(AttachError::call(call))
    }

    /// What is worth telling at the end as well.
    pub(super) fn add_note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// More that proves that it is attached.
    pub(super) fn add_evidence(&mut self, more: String) {
        self.evidence.push(more);
    }

    /// Takes what is there, a ring full at most: so a storm that goes on keeps nobody here. Whether more may be there.
    fn drain(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        let mut taken = 0;
        while taken < self.ring_bytes {
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = self.device.read(&mut buffer);
            self.reads += 1;
            let size = match read {
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(MonitorError::call("read of the module's device")(error)),
            };
            let entered = self.enter(&buffer[..size], seam);
            self.buffer = buffer;
            entered?;
            // Only whoever waits for the next wake-up must have seen the ring empty. Who polls need not.
            let spare = self.buffer.len() - size;
            if size == 0 || (self.linger_ms == 0 && spare >= self.longest) {
                return Ok(false);
            }
            taken += size as u64;
        }
        Ok(true)
    }

    fn enter(&mut self, mut bytes: &[u8], seam: &mut Seam) -> Result<(), MonitorError> {
        let received_ns = clock::monotonic_ns();
        while !bytes.is_empty() {
            let Ok((record, rest)) = Record::split(bytes) else {
                // Where the next one would begin is not known either.
                self.malformed += 1;
                return Ok(());
            };
            bytes = rest;
            self.settle(record.lost, record.time_ns, seam)?;
            seam.sighting(record.sighting(received_ns))?;
        }
        Ok(())
    }

    /// The ring's count at a time: what is new was lost since the record before.
    fn settle(&mut self, lost: u64, now_ns: u64, seam: &mut Seam) -> Result<(), MonitorError> {
        let began = self.last_ns.min(now_ns);
        self.last_ns = now_ns;
        let count = lost.saturating_sub(self.lost);
        self.lost = self.lost.max(lost);
        Ok(seam.lost(
            "records that found no room in the module's ring",
            LossUnit::Exec,
            count,
            (began, now_ns),
        )?)
    }

    /// What no later record tells any more.
    fn close_the_books(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = clock::monotonic_ns();
        let lost = self
            .module
            .parameter("lost")
            .map_err(MonitorError::call("read the module's parameter lost"))?;
        self.settle(lost, now, seam)?;
        let window_ns = (self.since_ns, now);
        seam.lost(
            "batches that end in no record",
            LossUnit::Record,
            self.malformed,
            window_ns,
        )?;
        if let Some(counter) = self.counter {
            let count = self
                .module
                .parameter(counter.parameter)
                .map_err(MonitorError::call("read a counter of the module"))?;
            // A call that was missed may have failed: not every one is an exec.
            seam.lost(counter.source, LossUnit::Event, count, window_ns)?;
        }
        Ok(())
    }
}

impl Monitor for Attached {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let waiter = Waiter::new(stop)?;
        // Where it lingers, for news: while the reader has not taken all, the module wakes it only once more, when the ring
        // is half full.
        let wakes = if self.linger_ms > 0 {
            Wakes::ForNews
        } else {
            Wakes::WhileReadable
        };
        waiter.add(&self.device, "the module's device", wakes)?;
        loop {
            let more = self.drain(seam)?;
            seam.flush()?;
            let patience = if more {
                EpollTimeout::ZERO
            } else {
                EpollTimeout::NONE
            };
            let mut stopped = waiter.wait(patience)?;
            if !stopped && self.linger_ms > 0 {
                stopped = waiter.wait(self.linger_ms)?;
            }
            if stopped {
                break;
            }
        }
        self.drain(seam)?;
        self.close_the_books(seam)?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        notes.push(format!("{} reads", self.reads));
        notes
    }
}
