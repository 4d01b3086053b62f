//! `acct`: BSD process accounting, the oldest record of what ran.
//!
//! `acct(2)` names a file, and from then on the kernel appends a record of 64 bytes for each process that ends
//! (`do_acct_process`, kernel/acct.c; the call is in Linux since 1.x, records with a process number, version 3,
//! since 2.6.10). It has number, parent, real user and name, and the flag `AFORK` where the process forked and called no
//! exec. The file is on a tmpfs of the monitor's own ([`ledger`]) and is read as it grows: told by inotify, or
//! after an interval. Whoever ends writes the record himself, so there is no queue and nothing is dropped
//! until the tmpfs is full.
//!
//! Needs: root in the initial user and PID namespaces (`CAP_SYS_PACCT`), Linux 5.2 (`fsmount`),
//! `CONFIG_BSD_PROCESS_ACCT_V3` (Debian and most others).
//!
//! **The machine has one accounting only, and nobody can ask the kernel for it.** If one of the files that
//! distributions use grows by a record of a child of ours, accounting is on, and the monitor refuses. One
//! that goes to another file is ended for good by `acct(2)`, and it ends in silence. What was on before cannot be
//! put back otherwise; where nothing was on, nothing is on again when the monitor has ended, also by `SIGKILL`,
//! because its file's mount ends with it.
//!
//! What it cannot see: any process before it ends. All execs of a process but the last: one record. The path:
//! there is the name of the last image alone, cut at 15 bytes, and the process can give itself another.
//! Arguments, executed file, cgroup, namespaces, the time of the exec (there is the second in which the process
//! began). A parent that ended first: whoever took the child over is told. A process whose first thread forked
//! and called no exec and whose other thread did: that thread takes the leader's place, but the flags are the
//! process's, and the old leader has set `AFORK` (`acct_collect`); it is taken for a fork and missed. Failed
//! execs are no execs. A process that was there before and ends while it is watched is reported, though its exec
//! was earlier.
//!
//! Losses: when less than 2 % of the tmpfs are free the kernel pauses (it looks every 30 seconds,
//! `kernel.acct`), and a full one takes no record; there is no counter. So scarce space is reported as a loss of
//! an unknown number. At the end a child of the monitor has to leave its record: if it does not, somebody
//! else has taken the accounting over, or it is paused.
//!
//! # Cost
//!
//! The cheapest of the family: the process that ends writes its record itself, into memory, and one read takes many.
//! Beside rows that look up it is cheap because it tells so little: a name, when all is over. Default is woken by
//! inotify when the file grows. Tuned reads it at an interval: that saves the wake-ups, for sightings that come later,
//! and for looks where nothing happened. The larger file costs memory only while records wait.

use std::time::Duration;

use execlab_model::sighting::{LossReport, LossUnit};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

use super::{OFFERS, ended_child};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop, clock::monotonic_ns,
};

mod ledger;
mod other;
pub(super) mod record;

use ledger::Ledger;

/// See the module.
#[derive(Debug)]
pub struct Acct;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "interval-ms",
        help: "milliseconds between two reads of the file; 0: read when inotify says that it grew",
        kind: Kind::Number(0, 60_000),
        default: "0",
        tuned: "10",
    },
    Setting {
        name: "size-kib",
        help: "room for records that were not read yet, in KiB of 16 records each",
        kind: Kind::Number(256, 16 << 20),
        default: "16384",
        tuned: "65536",
    },
];

impl Backend for Acct {
    fn name(&self) -> &'static str {
        "acct"
    }

    fn about(&self) -> &'static str {
        "BSD process accounting: a record of each process that ends and had called exec"
    }

    fn program(&self) -> &'static str {
        "accounting"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Accounting,
            mechanism: "the kernel appends a record of each process that ends to a file on a tmpfs",
            needs: &[
                "CONFIG_BSD_PROCESS_ACCT_V3",
                "root in the initial user and PID namespaces",
                "no other process accounting",
            ],
            since: Since {
                release: "5.2 (fsmount; records with a process id: 2.6.10)",
                series: None,
            },
            loss_signals: &[
                "scarce space on the tmpfs",
                "the record of an own child that does not come",
            ],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "process accounting is on while it runs, and off afterwards; where it is on already, to a file that \
             distributions do not use, that one is ended and cannot be put back",
        ]
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        if let Some(path) = other::known()? {
            return Err(AttachError::Unsupported(format!(
                "process accounting is on already: {path} grew by a record of a child of this monitor. A \
                 machine has one only, and this would take it away"
            )));
        }
        let mut ledger = Ledger::open(settings.number("size-kib"))?;
        let child = ended_child()?;
        prove(&mut ledger, child)?;
        let mut evidence = vec![format!(
            "the record of child {child} came, version 3, in a tmpfs of {} KiB",
            settings.number("size-kib")
        )];
        let interval = Duration::from_millis(settings.number("interval-ms"));
        let grown = interval.is_zero().then(|| watch(&ledger)).transpose()?;
        if grown.is_some() {
            evidence.push("inotify watches the file for writes".into());
        }
        Ok(Box::new(Accounting {
            ledger,
            grown,
            interval,
            evidence,
            read_ns: monotonic_ns(),
            records: 0,
            forks: 0,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::of_acct(roots)
    }
}

/// Reads up to the record of a child that has ended.
fn prove(ledger: &mut Ledger, child: u32) -> Result<(), AttachError> {
    loop {
        let records = ledger
            .take()
            .map_err(AttachError::call("pread of the accounting file"))?;
        if records.is_empty() {
            return Err(AttachError::Unsupported(format!(
                "acct(2) took the file, but no record of child {child} came"
            )));
        }
        for raw in records {
            match record::parse(raw) {
                Ok(ended) if ended.pid == child => return Ok(()),
                Ok(_) => {}
                Err(record::OtherVersion(version)) => {
                    return Err(AttachError::Unsupported(format!(
                        "records are of version {version}, which has no process id (CONFIG_BSD_PROCESS_ACCT_V3)"
                    )));
                }
            }
        }
    }
}

fn watch(ledger: &Ledger) -> Result<Inotify, AttachError> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
        .map_err(AttachError::call("inotify_init1"))?;
    let path = ledger.path();
    inotify
        .add_watch(path.as_str(), AddWatchFlags::IN_MODIFY)
        .map_err(AttachError::call(format!("inotify_add_watch {path}")))?;
    Ok(inotify)
}

/// So often is read at most before somebody looks whether to stop.
const READS: usize = 64;

/// How far the file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// As far as the record that was awaited.
    Awaited,
    /// To its end.
    All,
    /// There may be more.
    More,
}

#[derive(Debug)]
struct Accounting {
    ledger: Ledger,
    grown: Option<Inotify>,
    interval: Duration,
    evidence: Vec<String>,
    /// When the file was last read to its end.
    read_ns: u64,
    records: u64,
    forks: u64,
}

impl Accounting {
    /// Reads what is new, as far as a record of `awaited`; at most [`READS`] times, so that somebody looks whether to stop.
    fn read(&mut self, seam: &mut Seam, awaited: Option<u32>) -> Result<Read, MonitorError> {
        let mut came = Read::More;
        let begun = monotonic_ns();
        for _ in 0..READS {
            let records = self
                .ledger
                .take()
                .map_err(MonitorError::call("pread of the accounting file"))?;
            if records.is_empty() {
                came = Read::All;
                break;
            }
            let now = monotonic_ns();
            let mut is_it = false;
            // The version was looked at when it was attached; the kernel has one only.
            for ended in records.iter().flat_map(record::parse) {
                self.records += 1;
                is_it |= Some(ended.pid) == awaited;
                if ended.called_exec() {
                    seam.sighting(ended.sighting(now))?;
                } else {
                    self.forks += 1;
                }
            }
            if is_it {
                came = Read::Awaited;
                break;
            }
        }
        // Before the space is given back: that is how little there was.
        let scarce = self.ledger.scarce();
        if scarce.map_err(MonitorError::call("fstatvfs of the accounting file"))? {
            self.lost(seam, "the accounting file system is nearly full")?;
        }
        self.ledger
            .give_back()
            .map_err(MonitorError::call("fallocate of the accounting file"))?;
        self.read_ns = begun;
        Ok(came)
    }

    fn lost(&self, seam: &mut Seam, source: &str) -> Result<(), MonitorError> {
        Ok(seam.loss(LossReport {
            source: source.into(),
            unit: LossUnit::Unknown,
            count: None,
            window_ns: (self.read_ns, monotonic_ns()),
        })?)
    }

    /// Waits for something to read. Whether the monitor is to stop.
    fn wait(&self, stop: &Stop) -> Result<bool, MonitorError> {
        let Some(grown) = &self.grown else {
            return Ok(stop.wait(self.interval));
        };
        let mut fds = [
            PollFd::new(std::os::fd::AsFd::as_fd(grown), PollFlags::POLLIN),
            PollFd::new(stop.fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(MonitorError::call("poll")(error)),
        }
        if fds[1].any().unwrap_or(false) {
            return Ok(true);
        }
        // Taken before the file is read, so that what is written after that is told again. Equal events
        // are queued as one.
        match grown.read_events() {
            Ok(_) | Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(MonitorError::call("read of inotify")(error)),
        }
    }
}

impl Monitor for Accounting {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            let read = self.read(seam, None)?;
            seam.flush()?;
            // Of what is there still nobody is told again.
            let stopped = match read {
                Read::More => stop.raised(),
                _ => self.wait(stop)?,
            };
            if stopped {
                break;
            }
        }
        let child = ended_child().map_err(|error| {
            MonitorError::call("a child of the monitor")(std::io::Error::other(error.to_string()))
        })?;
        let since = self.read_ns;
        let read = loop {
            match self.read(seam, Some(child))? {
                Read::More => seam.flush()?,
                read => break read,
            }
        };
        if read != Read::Awaited {
            self.read_ns = since;
            self.lost(seam, "the record of the monitor's child did not come")?;
        }
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        vec![format!(
            "{} records were read, {} of them of processes that called no exec",
            self.records, self.forks
        )]
    }
}
