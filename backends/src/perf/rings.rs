//! The rings: one for each CPU, into which all events of a row write.

use std::{
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
};

use perf_event::{
    Builder, Clock, Counter, ReadFormat, SampleFlag, Sampler,
    events::{Software, Tracepoint},
};

use super::record::{Record, What, parse};
use crate::{AttachError, Settings};

/// What a ring is filled by.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A tracepoint, by its number.
    Tracepoint(u16),
    /// No event at all, and what the kernel tells beside: names, mappings, forks, ends, namespaces.
    Sideband,
}

/// See the module.
pub struct Rings {
    of_cpus: Vec<Ring>,
    /// Whether the kernel counts what it lost (`PERF_FORMAT_LOST`); otherwise only LOST records tell.
    counted: bool,
    size: usize,
    wakeup: usize,
    /// Records that are none.
    malformed: u64,
}

/// One CPU's.
struct Ring {
    sampler: Sampler,
    /// The events that write into it beside the sampler's own.
    others: Vec<Counter>,
    losses: Losses,
    /// It was half full at the last look, or more, or something had no room in it.
    pressed: bool,
}

/// What one ring lost.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    /// As LOST records say: of what had no room.
    recorded: u64,
    /// The same as `read(2)` says, where it does: of what no record could tell of yet, too.
    counted: u64,
    /// As `LOST_SAMPLES` records say: what never came as far as the ring, and is in neither of the others.
    before: u64,
    /// Lost and told already.
    told: u64,
}

impl Losses {
    /// How many are new.
    fn take(&mut self) -> u64 {
        let now = self.recorded.max(self.counted) + self.before;
        now.saturating_sub(std::mem::replace(&mut self.told, now))
    }
}

impl std::fmt::Debug for Rings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rings")
            .field("rings", &self.of_cpus.len())
            .field("counted", &self.counted)
            .finish_non_exhaustive()
    }
}

impl Ring {
    /// The events that write into it.
    fn counters(&mut self) -> impl Iterator<Item = &mut Counter> {
        let sampler: &mut Counter = self.sampler.as_counter_mut();
        [sampler].into_iter().chain(&mut self.others)
    }
}

impl Rings {
    /// Opens the events on every CPU that is online; each begins at once.
    pub fn open(events: &[Event], settings: &Settings) -> Result<Self, AttachError> {
        let pages = usize::try_from(settings.number("pages")).expect("bounded");
        let wakeup = usize::try_from(settings.number("wakeup-bytes")).expect("bounded");
        let mut rings = Self {
            of_cpus: Vec::new(),
            counted: true,
            size: pages * 4096,
            wakeup,
            malformed: 0,
        };
        for cpu in online()? {
            let ring = rings.ring(events, cpu)?;
            rings.of_cpus.push(ring);
        }
        for ring in &mut rings.of_cpus {
            for counter in ring.counters() {
                counter
                    .enable()
                    .map_err(AttachError::call("ioctl PERF_EVENT_IOC_ENABLE"))?;
            }
        }
        Ok(rings)
    }

    /// Nothing more comes; what is in the rings stays.
    pub fn stop(&mut self) -> io::Result<()> {
        let mut counters = self.of_cpus.iter_mut().flat_map(Ring::counters);
        counters.try_for_each(Counter::disable)
    }

    fn ring(&mut self, events: &[Event], cpu: usize) -> Result<Ring, AttachError> {
        let (first, others) = events.split_first().expect("a row has events");
        let sampler = self
            .event(*first, cpu)?
            .sampled(self.size)
            .map_err(AttachError::call(format!(
                "mmap of {} bytes of a ring",
                self.size
            )))?;
        let others = others.iter().map(|event| {
            let counter = self.event(*event, cpu)?;
            share(&counter, sampler.as_raw_fd())
                .map_err(AttachError::call("ioctl PERF_EVENT_IOC_SET_OUTPUT"))?;
            Ok(counter)
        });
        Ok(Ring {
            others: others.collect::<Result<_, AttachError>>()?,
            sampler,
            losses: Losses::default(),
            pressed: false,
        })
    }

    fn event(&mut self, event: Event, cpu: usize) -> Result<Counter, AttachError> {
        let call = format!("perf_event_open({event:?}, CPU {cpu})");
        let mut opened = self.builder(event, cpu).build();
        if self.counted
            && opened
                .as_ref()
                .is_err_and(|e| e.raw_os_error() == Some(libc::EINVAL))
        {
            self.counted = false;
            opened = self.builder(event, cpu).build();
        }
        opened.map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP | libc::ENOSYS) => {
                AttachError::Unsupported(format!("{call}: {error}"))
            }
            _ => AttachError::call(call)(error),
        })
    }

    fn builder(&self, event: Event, cpu: usize) -> Builder<'static> {
        let mut builder = match event {
            Event::Tracepoint(id) => {
                let mut builder = Builder::new(Tracepoint::with_id(id.into()));
                builder
                    .sample(SampleFlag::RAW | SampleFlag::CGROUP)
                    .sample_period(1);
                builder
            }
            Event::Sideband => {
                let mut builder = Builder::new(Software::DUMMY);
                builder.comm(true).comm_exec(true).mmap(true).mmap2(true);
                builder.task(true).namespaces(true);
                builder
            }
        };
        builder
            .any_pid()
            .one_cpu(cpu)
            .include_kernel()
            .sample(SampleFlag::TID | SampleFlag::TIME)
            .sample_id_all(true)
            .clockid(Clock::MONOTONIC);
        if self.counted {
            builder.read_format(ReadFormat::LOST);
        }
        // In bytes, as `wakeup_events` counts samples alone (`__perf_output_sample`).
        builder.wakeup_watermark(self.wakeup.clamp(1, self.size / 2));
        builder
    }

    /// Takes what is in the rings, a ring full of each at most; whether there was anything. Records of several CPUs come
    /// in the order of their times.
    pub fn drain(&mut self, into: &mut Vec<Record>) -> bool {
        let before = into.len();
        let mut sources = 0;
        for ring in &mut self.of_cpus {
            let mut taken = 0;
            // A ring that is filled as fast as it is read must not keep the others waiting.
            while taken < self.size
                && let Some(record) = ring.sampler.next_record()
            {
                taken += record.len();
                let Some(parsed) = parse(record.ty(), record.misc(), &record.to_contiguous())
                else {
                    self.malformed += 1;
                    continue;
                };
                match parsed.what {
                    What::Lost(number) => {
                        ring.losses.recorded += number;
                        ring.pressed = true;
                    }
                    What::LostSamples(number) => {
                        ring.losses.before += number;
                        ring.pressed = true;
                    }
                    _ => into.push(parsed),
                }
            }
            ring.pressed |= taken >= self.size / 2;
            sources += usize::from(taken > 0);
        }
        if sources > 1 {
            into[before..].sort_by_key(|record| record.time_ns);
        }
        sources > 0
    }

    /// How many records were lost since the last call. The kernel is asked only where a ring was at least half full or
    /// has told of losses itself, or `always`.
    pub fn lost(&mut self, always: bool) -> io::Result<u64> {
        let mut lost = 0;
        for ring in &mut self.of_cpus {
            if !(always || std::mem::take(&mut ring.pressed)) {
                continue;
            }
            if self.counted {
                let mut counted = 0;
                for counter in ring.counters() {
                    counted += counter.read_full()?.lost().unwrap_or(0);
                }
                ring.losses.counted = counted;
            }
            lost += ring.losses.take();
        }
        Ok(lost)
    }

    /// How many records were none.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// What is to be polled.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.of_cpus.iter().map(|ring| {
            // SAFETY: the descriptor belongs to the sampler, which lives as long as the borrow.
            unsafe { BorrowedFd::borrow_raw(ring.sampler.as_raw_fd()) }
        })
    }

    /// Whether the kernel wakes the reader for single records.
    pub fn wakes_for_each(&self) -> bool {
        self.wakeup == 0
    }

    /// For people.
    pub fn evidence(&self) -> String {
        let lost = if self.counted {
            "what is lost is counted by read(2) (PERF_FORMAT_LOST)"
        } else {
            "what is lost is told by LOST records alone"
        };
        format!(
            "{} rings of {} bytes; {lost}",
            self.of_cpus.len(),
            self.size
        )
    }
}

/// Lets an event write into another one's ring.
fn share(counter: &Counter, ring: RawFd) -> io::Result<()> {
    /// `_IO('$', 5)`, `linux/perf_event.h`.
    const PERF_EVENT_IOC_SET_OUTPUT: libc::Ioctl = 0x2405;
    // SAFETY: both are descriptors of perf events that live through the call; there are no pointers.
    let answer = unsafe { libc::ioctl(counter.as_raw_fd(), PERF_EVENT_IOC_SET_OUTPUT, ring) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The CPUs that are online: `0-3,8`.
fn online() -> Result<Vec<usize>, AttachError> {
    const FILE: &str = "/sys/devices/system/cpu/online";
    let text = fs::read_to_string(FILE).map_err(AttachError::call(format!("read of {FILE}")))?;
    cpus(text.trim()).ok_or_else(|| AttachError::Unsupported(format!("{FILE} says `{text}`")))
}

fn cpus(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        all.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_ways_tell_of_is_counted_once_and_nothing_twice() {
        let mut losses = Losses {
            recorded: 3,
            ..Losses::default()
        };
        assert_eq!(losses.take(), 3);
        losses.counted = 5;
        assert_eq!(losses.take(), 2);
        losses.recorded = 5;
        assert_eq!(losses.take(), 0);
        losses.before = 4;
        assert_eq!((losses.take(), losses.take()), (4, 0));
    }

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpus("0"), Some(vec![0]));
        assert_eq!(cpus("0-2,5,7-8"), Some(vec![0, 1, 2, 5, 7, 8]));
        assert_eq!(cpus(""), None);
        assert_eq!(cpus("0-x"), None);
    }
}
