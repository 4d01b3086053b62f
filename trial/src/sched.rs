//! What the scheduler does, recorded by the kernel's own tracer: for `execlab replay --sched` alone.
//!
//! In an instance of its own (`instances/`, since 3.10), with buffers and events that no other tracer sees, so that a
//! monitor which traces is not disturbed. Nothing here fails a trial: what does not work is told.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    plan::TrialPlan,
    sched::{CpuTrace, SCHED_EVENTS, SCHED_TRACE, SchedTrace},
};

use crate::cgroups::Cgroups;

/// Where guests have tracefs.
const TRACEFS: &str = "/sys/kernel/tracing";
const INSTANCE: &str = "execlab-sched";
/// More than any file or page of tracefs that is read here.
const PIECE: usize = 64 << 10;

/// A tracer that records.
#[derive(Debug)]
pub struct Tracer {
    dir: PathBuf,
    trace: SchedTrace,
}

impl Tracer {
    /// Starts it, where the plan asks for it.
    pub fn start(plan: &TrialPlan, cgroups: &Cgroups) -> Option<Self> {
        let buffer_kb = plan.settings.get(SCHED_TRACE)?;
        let mut tracer = Self {
            dir: Path::new(TRACEFS).join("instances").join(INSTANCE),
            trace: SchedTrace::default(),
        };
        tracer.note_monitor(cgroups);
        let begun = tracer.begin(buffer_kb);
        tracer.tell(begun);
        Some(tracer)
    }

    /// Ends it; what it recorded.
    pub fn stop(mut self, cgroups: &Cgroups) -> SchedTrace {
        if self.trace.problem.is_none() {
            self.note_monitor(cgroups);
            let ended = self.end();
            self.tell(ended);
        }
        // The guest ends soon; until then nothing of it is to be in anybody's way.
        let _ = fs::remove_dir(&self.dir);
        self.trace
    }

    fn begin(&mut self, buffer_kb: &str) -> Result<(), String> {
        fs::create_dir(&self.dir).map_err(|error| cannot("make", &self.dir, &error))?;
        self.set("tracing_on", "0")?;
        self.set("trace_clock", "mono")?;
        self.set("buffer_size_kb", buffer_kb)?;
        // What was recorded first is kept: a storm's begin with all its neighbours says more than shreds.
        self.set("trace_options", "nooverwrite")?;
        self.trace.header_page = self.header("header_page")?;
        self.trace.header_event = self.header("header_event")?;
        for event in SCHED_EVENTS {
            let format = text(&self.dir.join(format!("events/{event}/format")))?;
            self.trace.formats.push((event.to_owned(), format));
            self.set(&format!("events/{event}/enable"), "1")?;
        }
        self.set("tracing_on", "1")
    }

    fn end(&mut self) -> Result<(), String> {
        self.set("tracing_on", "0")?;
        for cpu in self.cpus()? {
            let dir = self.dir.join(format!("per_cpu/cpu{cpu}"));
            let stats = text(&dir.join("stats"))?;
            let pipe = dir.join("trace_pipe_raw");
            let pages = pages(&pipe).map_err(|error| cannot("read", &pipe, &error))?;
            self.trace.cpus.push(CpuTrace {
                cpu,
                stats,
                pages,
                left_out: 0,
            });
        }
        Ok(())
    }

    fn cpus(&self) -> Result<Vec<u32>, String> {
        let dir = self.dir.join("per_cpu");
        let entries = fs::read_dir(&dir).map_err(|error| cannot("list", &dir, &error))?;
        let number = |entry: fs::DirEntry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("cpu")?.parse().ok()
        };
        let mut cpus: Vec<u32> = entries.flatten().filter_map(number).collect();
        cpus.sort_unstable();
        Ok(cpus)
    }

    /// The threads that the monitor has now.
    fn note_monitor(&mut self, cgroups: &Cgroups) {
        let threads = fs::read_to_string(cgroups.monitor().join("cgroup.threads"));
        let threads = threads.unwrap_or_default();
        let known = &mut self.trace.monitor;
        known.extend(threads.lines().filter_map(|tid| tid.parse::<u32>().ok()));
        known.sort_unstable();
        known.dedup();
    }

    fn tell(&mut self, step: Result<(), String>) {
        if let Err(problem) = step {
            self.trace.problem.get_or_insert(problem);
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let file = self.dir.join(name);
        fs::write(&file, value).map_err(|error| cannot(&format!("write {value} to"), &file, &error))
    }

    /// An instance has a file of its own where its pages may be of another size.
    fn header(&self, name: &str) -> Result<String, String> {
        let own = self.dir.join("events").join(name);
        let everybodys = Path::new(TRACEFS).join("events").join(name);
        text(&own).or_else(|_| text(&everybodys))
    }
}

/// With reads that are large from the first on: some files of tracefs answer a single one.
fn text(file: &Path) -> Result<String, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut opened = File::open(file)?;
        let (mut text, mut piece) = (Vec::new(), vec![0; PIECE]);
        loop {
            match opened.read(&mut piece)? {
                0 => return Ok(text),
                length => text.extend_from_slice(&piece[..length]),
            }
        }
    };
    let text = read().map_err(|error| cannot("read", file, &error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Every page of a buffer in which nothing is recorded any more.
fn pages(pipe: &Path) -> io::Result<Vec<Bytes>> {
    let mut options = OpenOptions::new();
    let mut pipe = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(pipe)?;
    let (mut pages, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => return Ok(pages),
            Ok(length) => pages.push(piece[..length].into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(pages),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}
