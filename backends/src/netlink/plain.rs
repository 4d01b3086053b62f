//! `netlink-plain`: as most agents do it. No filter, one message at a time, a lookup at once that is believed.
//!
//! Every fork, exec, exit, change of ids and so on of every thread wakes the reader, which takes the message with one
//! `recv` and looks an exec up in `/proc` before it takes the next. What it read is handed over as it is: nobody asks
//! whether the process has the same image by now, or is the same. That costs a read of `stat` less, and is
//! wrong where a process calls exec twice in short order or a number is used again.
//!
//! - Losses: `ENOBUFS`, which has no number and comes once; then everything is dropped until the queue is empty. And,
//!   as nothing is filtered, gaps in the numbers that each CPU gives to its messages: that is a number of events, of
//!   which a short process has three and a thread two, so nobody knows how many execs it was. A gap shows with the
//!   next message of that CPU, which may be late, and not at all before its first one.
//! - The default buffer (`net.core.rmem_default`, 212,992 bytes) holds 277 messages up to 6.1 and 237 from 6.12 on, which
//!   is 80 to 90 short processes.
//!
//! What it needs and what it cannot see stands with the [family](super).
//!
//! # Cost
//!
//! Where lookups come in time it is the cheapest of the family: the check that it leaves out costs more than being
//! woken for forks and ends. All others buy with the difference that a path is of this exec or not there. From 6.6 on
//! (EEVDF scheduler; measured from 6.12 on) many lookups of default find nobody, which makes it cheaper than where they
//! find them; and rows that are not woken for forks and ends may be cheaper there. Tuned has real-time priority. It is
//! dearer, as on one CPU it runs at once for each single event, and makes each lookup in time: that buys path and
//! arguments there, and the larger buffer room for a burst.

use execlab_model::sighting::{LossReport, LossUnit, Sighting};

use super::{
    connector::wait,
    gaps::Gaps,
    options::{self, CHANGES, LOOKUP, OFFERS, RCVBUF},
    priority::{Priority, SCHEDULING},
    remains::OfConnector,
    socket::{Batch, Filter, Listener},
    wire::Event,
};
use crate::{
    AttachError, Backend, Monitor, MonitorError, Offers, Portrait, Remains, Seam, Setting,
    Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs, name_instead_of_path},
};

/// See the module.
#[derive(Debug)]
pub struct NetlinkPlain;

/// What can be set.
pub const SETTINGS: &[Setting] = &[RCVBUF, SCHEDULING, LOOKUP];

impl Backend for NetlinkPlain {
    fn name(&self) -> &'static str {
        "netlink-plain"
    }

    fn about(&self) -> &'static str {
        "every event of the proc connector one by one, execs looked up in /proc at once"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each process event, execs looked up in /proc at once",
            Since {
                release: "2.6.15",
                series: None,
            },
            &["ENOBUFS", "gaps in the numbers of each CPU's events"],
        )
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&OfConnector)
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let socket = options::socket(settings, SETTINGS, Filter::None);
        let (listener, mut evidence) = Listener::open(&socket)?;
        let proc = Procfs::open().map_err(AttachError::call("open /proc"))?;
        let priority = options::fifo(settings)
            .then(|| Priority::raise(1))
            .transpose()?;
        if priority.is_some() {
            evidence.push("scheduled SCHED_FIFO, priority 1".into());
        }
        Ok(Box::new(Plain {
            listener,
            lookup: Lookup {
                proc,
                depth: options::depth(settings),
                too_late: 0,
            },
            evidence,
            gaps: Gaps::default(),
            last_ns: monotonic_ns(),
            overflows: 0,
            _priority: priority,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

/// By so much the messages of several CPUs can be out of order: far more than it takes to queue one.
const DISORDER_NS: u64 = 10_000_000;

#[derive(Debug)]
struct Plain {
    listener: Listener,
    lookup: Lookup,
    evidence: Vec<String>,
    gaps: Gaps,
    /// When the last message came.
    last_ns: u64,
    overflows: u64,
    _priority: Option<Priority>,
}

#[derive(Debug)]
struct Lookup {
    proc: Procfs,
    depth: Depth,
    too_late: u64,
}

impl Lookup {
    /// What `/proc` says now of a process that called exec then.
    fn sighting(&mut self, pid: u32, time_ns: u64) -> Sighting {
        let mut sighting = Sighting {
            pid: Some(pid),
            time_ns: Some(time_ns),
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        if self.depth == Depth::Nothing {
            return sighting;
        }
        if let Some(process) = self.proc.process(pid) {
            process.perishable(&mut self.proc, self.depth, &mut sighting);
            if (sighting.path.is_none() || self.depth == Depth::Path)
                && let Some(stat) = process.stat(&mut self.proc)
            {
                sighting.ppid = Some(stat.ppid);
                name_instead_of_path(stat.comm, &mut sighting);
            }
            process.lasting(&mut self.proc, self.depth, &mut sighting);
        }
        self.too_late += u64::from(sighting.path.is_none());
        sighting
    }
}

impl Plain {
    /// Takes one message; whether there was one.
    fn take_one(&mut self, seam: &mut Seam) -> Result<bool, MonitorError> {
        match self
            .listener
            .read_batch()
            .map_err(MonitorError::call("recv of the connector"))?
        {
            Batch::Messages(_) => {
                let Some(event) = self.listener.event(0) else {
                    return Ok(true);
                };
                if let Some(place) = self.listener.place(0) {
                    self.last_ns = place.time_ns;
                    if let Some(report) = self.gaps.follow(place) {
                        seam.loss(report)?;
                    }
                }
                if let Event::Exec { pid, time_ns } = event {
                    seam.sighting(self.lookup.sighting(pid, time_ns))?;
                }
                Ok(true)
            }
            Batch::Overflowed => {
                self.overflows += 1;
                seam.loss(LossReport {
                    source: "ENOBUFS".into(),
                    unit: LossUnit::Unknown,
                    count: None,
                    window_ns: (self.last_ns, monotonic_ns()),
                })?;
                Ok(true)
            }
            Batch::Empty => Ok(false),
        }
    }
}

impl Monitor for Plain {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.take_one(seam)?;
            seam.flush()?;
            if wait(&self.listener, stop, nix::poll::PollTimeout::NONE)? {
                break;
            }
        }
        // What happens from now on is nobody's any more; without that a storm that goes on would have no end here.
        let until = monotonic_ns().saturating_add(DISORDER_NS);
        while self.last_ns <= until && self.take_one(seam)? {}
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        vec![
            format!(
                "{} processes ended before their file could be read",
                self.lookup.too_late
            ),
            format!(
                "the queue overflowed {} times (ENOBUFS); {} messages are missing between others",
                self.overflows, self.gaps.missing
            ),
        ]
    }
}
