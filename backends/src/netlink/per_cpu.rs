//! `netlink-per-cpu`: a socket for each CPU, with a filter on the event's `cpu`, each read by a thread that is bound to
//! that CPU.
//!
//! One reader of a machine of many CPUs has to look up for all of them, and its socket has one lock that all of them
//! take. Here each CPU has its own reader: it works where the program runs, so that with `scheduling=fifo` the lookup
//! comes before the program runs on, on every CPU; and a storm on one CPU overflows that one socket. The last socket takes
//! what happens on CPUs that this process may not run on, or that come up later.
//!
//! No reader knows what the others have on their sockets: where a process calls exec on one CPU and soon again on
//! another, the first may be reported with the file of the second.
//!
//! Losses are counted in execs, for each socket. How it works otherwise, what it needs and what it cannot see stands with
//! the [family](super).
//!
//! # Cost
//!
//! The kernel offers every event to every socket, and each runs its filter, in the process that calls exec or forks:
//! dear with many CPUs. With one CPU it is `netlink-filter` with a thread more. That buys a reader for each CPU, which
//! works where the program runs. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default may be cheap because it
//! comes late: lookups find nobody, and in a burst the queue overflows. Tuned has real-time priority: on every CPU each
//! lookup is made before the program runs on, and costs. Where the reader came in time anyhow (5.10, 6.1) tuned is a
//! little dearer, by `recvmmsg` for messages that come one by one.

use std::sync::{Mutex, PoisonError};

use nix::{
    poll::PollTimeout,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    bpf,
    connector::{Connector, wait},
    drops::call_of,
    options::{self, CHANGES, OFFERS, SINCE_COUNTER, USUAL},
    priority::Priority,
    remains::OfConnector,
    socket::Filter,
};
use crate::{
    AttachError, Backend, Monitor, MonitorError, Offers, Portrait, Remains, Seam, Setting,
    Settings, Stop,
};

/// See the module.
#[derive(Debug)]
pub struct NetlinkPerCpu;

impl Backend for NetlinkPerCpu {
    fn name(&self) -> &'static str {
        "netlink-per-cpu"
    }

    fn about(&self) -> &'static str {
        "exec events of the proc connector, a socket and a thread for each CPU"
    }

    fn program(&self) -> &'static str {
        "netlink"
    }

    fn portrait(&self) -> Portrait {
        options::portrait(
            "a message of the proc connector for each exec, on the socket of its CPU, looked up in /proc by its thread",
            SINCE_COUNTER,
            &["ENOBUFS", "each socket's counter of drops"],
        )
    }

    fn settings(&self) -> &'static [Setting] {
        USUAL
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
        let allowed =
            sched_getaffinity(Pid::from_raw(0)).map_err(AttachError::call("sched_getaffinity"))?;
        let cpus: Vec<usize> = (0..CpuSet::count())
            .filter(|&cpu| allowed.is_set(cpu) == Ok(true))
            .collect();
        let numbers: Vec<u32> = cpus
            .iter()
            .map(|&cpu| u32::try_from(cpu).expect("a set has 1,024 bits"))
            .collect();
        let Some((_, bound)) = numbers.split_last() else {
            let none = std::io::Error::other("it has no CPU");
            return Err(AttachError::call("sched_getaffinity")(none));
        };
        let mut all = Vec::new();
        let mut evidence = Vec::new();
        for (index, &cpu) in cpus.iter().enumerate() {
            let own = bound.get(index).copied();
            let what = match own {
                Some(_) => "exec events of one CPU",
                None => "exec events of all other CPUs",
            };
            let filter = Filter::Socket(bpf::execs_on(own, bound), what);
            let socket = options::socket(settings, USUAL, filter);
            let connector = Connector::open(&socket, settings, false, false)?;
            evidence.push(format!("for CPU {cpu}:"));
            evidence.extend(connector.evidence());
            all.push(Reader { cpu, connector });
        }
        let fifo = options::fifo(settings);
        if fifo {
            // The readers are not there yet; whether they will be allowed to, this thread tells.
            drop(Priority::raise(1)?);
            evidence.push("readers scheduled SCHED_FIFO, priority 1".into());
        }
        Ok(Box::new(Readers {
            all,
            fifo,
            evidence,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

/// One CPU's.
#[derive(Debug)]
struct Reader {
    cpu: usize,
    connector: Connector,
}

#[derive(Debug)]
struct Readers {
    all: Vec<Reader>,
    fifo: bool,
    evidence: Vec<String>,
}

impl Reader {
    fn run(
        &mut self,
        fifo: bool,
        seam: &Mutex<&mut Seam>,
        stop: &Stop,
    ) -> Result<(), MonitorError> {
        let mut here = CpuSet::new();
        here.set(self.cpu)
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &here))
            .map_err(MonitorError::call(format!(
                "sched_setaffinity {}",
                self.cpu
            )))?;
        let _priority = fifo
            .then(|| Priority::raise(1))
            .transpose()
            .map_err(call_of)?;
        loop {
            self.drain(seam)?;
            if wait(&self.connector.listener, stop, PollTimeout::NONE)? {
                return self.drain(seam);
            }
        }
    }

    /// Reads until the queue is empty, and hands everything over.
    fn drain(&mut self, seam: &Mutex<&mut Seam>) -> Result<(), MonitorError> {
        loop {
            let empty = self.connector.gather()?;
            let mut seam = seam.lock().unwrap_or_else(PoisonError::into_inner);
            self.connector.hand_over(&mut seam, empty)?;
            if empty {
                if self.connector.lossy() {
                    self.connector.tell_losses(&mut seam)?;
                }
                return Ok(seam.flush()?);
            }
        }
    }
}

impl Monitor for Readers {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let (fifo, seam) = (self.fifo, &Mutex::new(seam));
        std::thread::scope(|scope| {
            let start = |reader| {
                scope.spawn(move || {
                    let ended = Reader::run(reader, fifo, seam, stop);
                    if ended.is_err() {
                        // All of them end where one cannot go on: the stop of this process is raised.
                        let _ = kill(Pid::this(), Signal::SIGTERM);
                    }
                    ended
                })
            };
            let threads: Vec<_> = self.all.iter_mut().map(start).collect();
            let mut ended = Ok(());
            for thread in threads {
                let this = thread.join().unwrap_or_else(|_| {
                    let panicked = std::io::Error::other("it panicked");
                    Err(MonitorError::call("a reading thread")(panicked))
                });
                ended = ended.and(this);
            }
            ended
        })
    }

    fn notes(&self) -> Vec<String> {
        let notes = |reader: &Reader| {
            let cpu = reader.cpu;
            let notes = reader.connector.notes();
            notes
                .into_iter()
                .map(move |note| format!("CPU {cpu}: {note}"))
        };
        self.all.iter().flat_map(notes).collect()
    }
}
