//! A tracer of our own beside all others: buffers, options and events that nobody else sees.
//!
//! Folders below `instances/` are that since 3.10 (`instance_mkdir`, `kernel/trace/trace.c`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::{
    AttachError, MonitorError, Settings,
    tracing_fs::{Tracefs, mount::read},
};

/// What the names of ours begin with; the process id follows.
pub const PREFIX: &str = "execlab-";

/// How large sub-buffers are made where the kernel lets them be made larger, in KiB. An event has to fit into
/// one, and the longest path is 4 KiB.
const LARGER_KB: &str = "16";

/// An instance. Dropping it removes it, with all that was enabled in it; whatever reads from it has to be closed
/// before.
#[derive(Debug)]
pub struct Instance {
    dir: PathBuf,
    evidence: Vec<String>,
    tracefs: Rc<Tracefs>,
}

impl Instance {
    /// Makes one, with the options that [`super::BUFFERS`] describes.
    pub fn create(tracefs: &Rc<Tracefs>, settings: &Settings) -> Result<Self, AttachError> {
        let name = format!("{PREFIX}{}", std::process::id());
        let dir = tracefs.path("instances").join(&name);
        fs::create_dir(&dir).map_err(AttachError::call(format!(
            "mkdir of tracefs instances/{name}"
        )))?;
        let mut instance = Self {
            dir,
            evidence: Vec::new(),
            tracefs: Rc::clone(tracefs),
        };
        instance.set_up(settings)?;
        Ok(instance)
    }

    fn set_up(&mut self, settings: &Settings) -> Result<(), AttachError> {
        self.set("trace_clock", "mono")?;
        let subbuffers = self.subbuffers(settings.word("long-events") == "larger")?;
        self.set("buffer_size_kb", &settings.number("buffer-kb").to_string())?;
        let overflow = match settings.word("overflow") {
            "drop" => "nooverwrite",
            _ => "overwrite",
        };
        self.set("trace_options", overflow)?;
        // By default a reader is woken when half of a buffer is full (`buffer_percent`, 5.0).
        self.set("buffer_percent", "0")?;
        let names = if settings.word("record-cmd") == "off" {
            self.no_names()?
        } else {
            "record-cmd as it was"
        };
        let is = |name: &str| {
            let text = read(&self.dir.join(name)).unwrap_or_else(|error| error.to_string());
            // Of several values the one in brackets holds.
            let chosen = text
                .split_once('[')
                .and_then(|(_, rest)| rest.split_once(']'));
            chosen.map_or(text.trim(), |(word, _)| word).to_owned()
        };
        self.evidence = vec![
            format!("tracefs: {}", self.tracefs.how()),
            format!(
                "instance {}: trace_clock {}, {} KiB for each CPU, {overflow}, {subbuffers}, {names}",
                self.dir.file_name().unwrap_or_default().display(),
                is("trace_clock"),
                is("buffer_size_kb"),
            ),
        ];
        Ok(())
    }

    /// Larger sub-buffers, where they can be (6.8: `buffer_subbuf_size_kb`).
    fn subbuffers(&self, larger: bool) -> Result<String, AttachError> {
        const FILE: &str = "buffer_subbuf_size_kb";
        if !larger {
            return Ok("sub-buffers of a page".into());
        }
        match self.write(FILE, LARGER_KB) {
            Ok(()) => Ok(format!("sub-buffers of {LARGER_KB} KiB")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(format!("sub-buffers of a page: this kernel has no {FILE}"))
            }
            Err(error) => Err(AttachError::call(format!("write {LARGER_KB} to {FILE}"))(
                error,
            )),
        }
    }

    /// Does without the names of processes, which the kernel otherwise notes at each switch between two of them.
    /// The switch takes the names away from every event that is enabled at that moment, whoever enabled it
    /// (`trace_event_enable_cmd_record`), so it is left alone where another tracer has events.
    fn no_names(&self) -> Result<&'static str, AttachError> {
        if self.another_traces()? {
            return Ok("record-cmd left on: another tracer has events enabled");
        }
        self.set("trace_options", "norecord-cmd")?;
        Ok("norecord-cmd")
    }

    fn another_traces(&self) -> Result<bool, AttachError> {
        let enabled = |dir: &Path| read(&dir.join("set_event")).is_ok_and(|t| !t.trim().is_empty());
        if enabled(&self.tracefs.path("")) {
            return Ok(true);
        }
        let instances = fs::read_dir(self.tracefs.path("instances"))
            .map_err(AttachError::call("read of tracefs instances"))?;
        Ok(instances.flatten().any(|entry| enabled(&entry.path())))
    }

    /// Adds to what is told as evidence.
    pub fn tell(&mut self, line: String) {
        self.evidence.push(line);
    }

    /// What was set, read back.
    pub fn evidence(&self) -> &[String] {
        &self.evidence
    }

    /// The whole of tracefs, for what instances do not have of their own.
    pub fn tracefs(&self) -> &Tracefs {
        &self.tracefs
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        write(&self.dir.join(name), text)
    }

    /// Writes to one of its files.
    pub fn set(&self, name: &str, text: &str) -> Result<(), AttachError> {
        self.write(name, text)
            .map_err(AttachError::call(format!("write `{text}` to {name}")))
    }

    /// The text of a file of an event (`format`, `enable` …).
    pub fn event_file(&self, event: &str, name: &str) -> Result<String, AttachError> {
        let path = format!("events/{event}/{name}");
        read(&self.dir.join(&path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                AttachError::Unsupported(format!("this kernel has no {path} in tracefs"))
            }
            _ => AttachError::call(format!("read of {path}"))(error),
        })
    }

    /// Whether this kernel has an event.
    pub fn has_event(&self, event: &str) -> bool {
        self.dir.join("events").join(event).exists()
    }

    /// Lets an event be recorded here, and reads back that it is.
    pub fn enable(&mut self, event: &str) -> Result<(), AttachError> {
        self.set(&format!("events/{event}/enable"), "1")?;
        let enabled = self.event_file(event, "enable")?;
        let line = format!("events/{event}/enable is {}", enabled.trim());
        if !enabled.starts_with('1') {
            return Err(AttachError::Unsupported(line));
        }
        self.evidence.push(line);
        Ok(())
    }

    /// Opens one of its files for reading, so that no read waits.
    pub fn open(&self, name: &str) -> Result<File, AttachError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        options
            .open(self.dir.join(name))
            .map_err(AttachError::call(format!("open of {name}")))
    }

    /// Records nothing more; what is in the buffers stays.
    pub fn stop(&self) -> Result<(), MonitorError> {
        self.write("tracing_on", "0")
            .map_err(MonitorError::call("write `0` to tracing_on"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.dir) {
            let name = self.dir.file_name().unwrap_or_default().display();
            eprintln!("execlab-monitor: not put back: tracefs instances/{name}: {error}");
        }
    }
}

/// With one call: the kernel takes what comes in one as a whole.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}
