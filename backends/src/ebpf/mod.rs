//! `ebpf`: a program of our own in the kernel, on the raw tracepoint `sched_process_exec`.
//!
//! The raw tracepoint in its typed form (`tp_btf`, 5.5): the verifier knows the types of the arguments, so
//! members are read by plain loads and not through a helper call each, which halves the program's cost.
//!
//! # How it works
//!
//! The kernel passes this tracepoint once for each exec that succeeded, by whatever system call, of
//! whatever architecture, by threads and by the kernel itself, after the process got its final pid
//! and before the new image runs. The program (`bpf/exec.bpf.c`) collects everything there and then:
//! pids in both namespaces, parent, user, time, cgroup id, namespaces, device and inode, the string
//! passed to the call (the kernel's own copy), the arguments (from the new stack) and the path. It
//! copies just the bytes that it used into a ring buffer or a perf buffer, which this side reads.
//!
//! The path comes from walking the file's directory entries up through the mounts, as no helper
//! gives a path at this place: `bpf_d_path` is refused in raw tracepoints, and gives no more than
//! 4,096 bytes. The walk goes up to the root of the mount namespace (past a `chroot`), through at
//! most 2,048 names and mounts and 8,192 bytes; what is longer loses its beginning, and says so.
//!
//! # Needs
//!
//! Linux 5.8 (ring buffer; CO-RE needs `/sys/kernel/btf/vmlinux`, `CONFIG_DEBUG_INFO_BTF`, 5.2), and
//! `CAP_BPF` and `CAP_PERFMON` or root. `lockdown=integrity` lets it be, `lockdown=confidentiality`
//! does not (it takes `bpf_probe_read_kernel` away). Neither kprobes nor tracefs are used.
//!
//! # What it cannot see
//!
//! - Calls that failed or only checked: no image, no event.
//! - The script behind a `#!` or `binfmt_misc`: the file is the interpreter's by then; `given` and the
//!   arguments still name the script.
//! - The path by which the host reaches a file in a container: a mount namespace has its own root,
//!   and every walk ends there. The mount namespace and cgroup that come with it tell containers apart.
//! - A rename during the walk: no lock may be taken, so a path can mix old and new names.
//! - Devices where `stat` and the file system itself disagree (btrfs subvolumes, overlayfs over
//!   several file systems): it reports the file system's own.
//! - Execs while its buffer is full. It counts them, exactly: each record carries its CPU's count,
//!   so a loss is known, and known to lie between two records, with the next record that arrives,
//!   and what was lost last is read at the stop. Where a tracepoint can be preempted the kernel starts
//!   no program on a CPU on which it already runs; that too is counted (`recursion_misses`).
//!
//! Sources: `kernel/bpf/ringbuf.c`, `fs/exec.c` (`exec_binprm`), `fs/d_path.c`, `kernel/trace/bpf_trace.c`
//! of Linux; the same tracepoint and walk stand in Tetragon and Falco's modern probe.

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod load;
#[cfg(feature = "look")]
mod look;
mod losses;
mod record;

use std::{os::fd::AsFd, time::Duration};

use aya::{
    Ebpf,
    maps::{Array, MapData, RingBuf, perf::PerfEvent, perf::PerfEventArrayBuffer},
    programs::tp_btf::BtfTracePointLinkId,
};
use execlab_model::sighting::{LossReport, LossUnit};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use self::{losses::Losses, record::Record};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop, clock,
};

/// See the module.
#[derive(Debug)]
pub struct EbpfProgram;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "buffer",
        help: "through which buffer records come: one ring for all CPUs, or a perf buffer for each",
        kind: Kind::Word(&["ring", "perf"]),
        default: "ring",
        tuned: "ring",
    },
    Setting {
        name: "buffer-pages",
        help: "size of that buffer in pages, a power of two (perf: for each CPU)",
        kind: Kind::Number(1, 1 << 16),
        default: "64",
        tuned: "1024",
    },
    Setting {
        name: "linger-ms",
        help: "how long the reader, once woken, lets more records gather before it takes them all",
        kind: Kind::Number(0, 10_000),
        default: "0",
        tuned: "10",
    },
    Setting {
        name: "argv-bytes",
        help: "how many bytes of arguments are copied at most; 0 copies none",
        kind: Kind::Number(0, 32_767),
        default: "4096",
        tuned: "4096",
    },
];

impl Backend for EbpfProgram {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the raw tracepoint sched_process_exec, paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a raw tracepoint program walks the path and fills a ring buffer",
            needs: &["CONFIG_DEBUG_INFO_BTF", "root (CAP_BPF and CAP_PERFMON)"],
            since: Since {
                release: "5.8 (ring buffer)",
                series: None,
            },
            loss_signals: &[
                "the program's own counter of records that did not fit",
                "recursion_misses (5.12)",
            ],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
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
        Ok(Box::new(load::attach(settings)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        look::look(roots)
    }
}

/// Where the records come from.
enum Source {
    Ring(RingBuf<MapData>),
    Perf(Vec<PerfEventArrayBuffer<MapData>>),
}

/// An element of the map `cpus`: `struct cpu` in `bpf/exec.bpf.c`, its count of losses first.
type Cpu = [u64; 8];

/// The attached program. Dropping it closes the last descriptors of the program, its link and its
/// maps, and with them the kernel lets everything go.
struct Attached {
    ebpf: Ebpf,
    /// `None` once it is detached.
    link: Option<BtfTracePointLinkId>,
    cpus: Array<MapData, Cpu>,
    source: Source,
    linger_ms: u16,
    evidence: Vec<String>,
    since_ns: u64,
    losses: Losses,
    malformed: u64,
    perf_lost: u64,
    drains: u64,
    notes: Vec<String>,
}

impl Monitor for Attached {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let epoll = self.epoll(stop)?;
        loop {
            // Before the first wait as well: asking a perf buffer whether it can be read takes its
            // signal away, so records from before the epoll would wait for the next one.
            self.drain(seam, stop)?;
            seam.flush()?;
            let mut stopped = wait(&epoll, EpollTimeout::NONE)?;
            // While the reader lingers it has taken nothing, so the kernel's half wakes it no more:
            // one wake-up for all that comes. Only a buffer that is half full wakes it early.
            // A perf buffer signals each record, so there only the stop is waited for.
            if !stopped && self.linger_ms > 0 {
                stopped = match self.source {
                    Source::Ring(_) => wait(&epoll, self.linger_ms.into())?,
                    Source::Perf(_) => stop.wait(Duration::from_millis(self.linger_ms.into())),
                };
            }
            if stopped {
                break;
            }
        }
        self.detach();
        self.drain(seam, stop)?;
        self.close_the_books(seam)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// Waits until something is there; whether that is the stop.
fn wait(epoll: &Epoll, timeout: EpollTimeout) -> Result<bool, MonitorError> {
    let mut events = [EpollEvent::empty(); 8];
    match epoll.wait(&mut events, timeout) {
        Ok(ready) => Ok(events[..ready].iter().any(|event| event.data() == STOP)),
        Err(nix::Error::EINTR) => Ok(false),
        Err(error) => Err(MonitorError::call("epoll_wait")(error)),
    }
}

const STOP: u64 = 0;
const RECORDS: u64 = 1;

impl Attached {
    /// The buffers edge-triggered, so that lingering is not cut short by what is there already.
    fn epoll(&self, stop: &Stop) -> Result<Epoll, MonitorError> {
        let failed = |call: &'static str| MonitorError::call::<nix::Error>(call);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        epoll
            .add(stop.fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP))
            .map_err(failed("epoll_ctl(ADD, signalfd)"))?;
        let readable = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, RECORDS);
        match &self.source {
            Source::Ring(ring) => epoll
                .add(ring.as_fd(), readable)
                .map_err(failed("epoll_ctl(ADD, ring buffer)"))?,
            Source::Perf(buffers) => {
                for buffer in buffers {
                    epoll
                        .add(buffer.as_fd(), readable)
                        .map_err(failed("epoll_ctl(ADD, perf buffer)"))?;
                }
            }
        }
        Ok(epoll)
    }

    /// Takes everything that is there.
    fn drain(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        self.drains += 1;
        let attached = self.link.is_some();
        let mut books = Books {
            seam,
            losses: &mut self.losses,
            malformed: &mut self.malformed,
        };
        match &mut self.source {
            Source::Ring(ring) => {
                let mut taken = 0u32;
                while let Some(item) = ring.next() {
                    books.enter(&item)?;
                    taken = taken.wrapping_add(1);
                    // Other CPUs can fill the ring as fast as this one empties it.
                    if attached && taken.is_multiple_of(4096) && stop.raised() {
                        return Ok(());
                    }
                }
            }
            Source::Perf(buffers) => {
                let mut joined = Vec::new();
                let mut result = Ok(());
                for buffer in buffers {
                    buffer.for_each(|event| match event {
                        PerfEvent::Sample { head, tail } if result.is_ok() => {
                            let bytes = if tail.is_empty() {
                                head
                            } else {
                                joined.clear();
                                joined.extend_from_slice(head);
                                joined.extend_from_slice(tail);
                                &joined
                            };
                            result = books.enter(bytes);
                        }
                        PerfEvent::Sample { .. } => {}
                        // The program's own count has these already, and sooner.
                        PerfEvent::Lost { count } => self.perf_lost += count,
                    });
                }
                result?;
            }
        }
        Ok(())
    }

    fn detach(&mut self) {
        if let Some(link) = self.link.take()
            && let Err(error) = load::program(&mut self.ebpf).and_then(|p| p.detach(link))
        {
            self.notes.push(format!("cannot detach: {error}"));
        }
    }

    /// What no later record tells any more, once nothing is added.
    fn close_the_books(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = clock::monotonic_ns();
        for index in 0..self.cpus.len() {
            let cpu = self.cpus.get(&index, 0).map_err(|error| {
                MonitorError::call("bpf(MAP_LOOKUP_ELEM, cpus)")(std::io::Error::other(error))
            })?;
            if let Some(report) = self.losses.update(index as usize, cpu[0], now) {
                seam.loss(report)?;
            }
        }
        let window_ns = (self.since_ns, now);
        let mut report = |source: &str, count| {
            if count == 0 {
                return Ok(());
            }
            seam.loss(LossReport {
                source: source.to_owned(),
                unit: LossUnit::Exec,
                count: Some(count),
                window_ns,
            })
        };
        report("records that are none", self.malformed)?;
        match load::statistics(&mut self.ebpf) {
            Ok(statistics) => {
                report("recursion_misses of the program", statistics.misses)?;
                self.notes.extend(statistics.cost());
            }
            Err(error) => self.notes.push(format!("no statistics: {error}")),
        }
        if self.perf_lost > 0 {
            self.notes.push(format!(
                "PERF_RECORD_LOST counted {} records, the program {}",
                self.perf_lost,
                self.losses.total()
            ));
        }
        self.notes.push(format!("{} drains", self.drains));
        Ok(())
    }
}

/// Where a record goes.
struct Books<'a> {
    seam: &'a mut Seam,
    losses: &'a mut Losses,
    malformed: &'a mut u64,
}

impl Books<'_> {
    fn enter(&mut self, bytes: &[u8]) -> Result<(), MonitorError> {
        let received_ns = clock::monotonic_ns();
        let Ok(record) = Record::decode(bytes) else {
            *self.malformed += 1;
            return Ok(());
        };
        if let Some(report) = self
            .losses
            .update(record.cpu as usize, record.lost, record.time_ns)
        {
            self.seam.loss(report)?;
        }
        self.seam.sighting(record.sighting(received_ns))?;
        Ok(())
    }
}
