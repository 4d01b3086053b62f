//! Tracepoints, as tracefs describes them. It is mounted for the monitor alone: a machine without it gets none.

use crate::{
    AttachError,
    tracing_fs::{
        Tracefs,
        format::{Field, Format},
        mount::read,
    },
};

/// One tracepoint.
#[derive(Debug)]
pub struct Tracepoint {
    format: Format,
    name: &'static str,
}

impl Tracepoint {
    /// By its folder and name: `sched/sched_process_exec`.
    pub fn find(tracefs: &Tracefs, name: &'static str) -> Result<Self, AttachError> {
        let file = format!("events/{name}/format");
        let text = read(&tracefs.path(&file)).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => AttachError::Unsupported(format!("tracefs has no events/{name}")),
            _ => AttachError::call(format!("read of {file} of tracefs"))(error),
        })?;
        let format = Format::parse(&text)
            .ok_or_else(|| AttachError::Unsupported(format!("{file} is: {text}")))?;
        Ok(Self { format, name })
    }

    /// Its number on this kernel.
    pub fn id(&self) -> u16 {
        self.format.id
    }

    /// A field that the technique cannot do without.
    pub fn field(&self, name: &str) -> Result<Field, AttachError> {
        self.optional(name).ok_or_else(|| {
            AttachError::Unsupported(format!("the tracepoint {} has no field {name}", self.name))
        })
    }

    /// A field that only some kernels have.
    pub fn optional(&self, name: &str) -> Option<Field> {
        self.format.field(name)
    }

    /// For evidence.
    pub fn evidence(&self) -> String {
        format!("tracepoint {} is number {}", self.name, self.id())
    }
}
