//! `tracefs-syscalls`: the tracepoints at the begin and at the end of `execve` and `execveat`.
//!
//! # How it works
//!
//! `syscalls/sys_enter_execve` has the call's arguments, `sys_exit_execve` its result; both have the thread that made
//! it. The reader keeps the enter of each thread until its exit comes, and reports an exec where that is 0. An
//! `execveat` that succeeds leaves as `execve`, as the new image is given registers that say so (`set_personality_64bit`,
//! `arch/x86/kernel/process_64.c`). So `sys_exit_execveat` with 0 is a call that only checked (`AT_EXECVE_CHECK`), and no
//! exec.
//!
//! Up to 6.18 the path is a pointer into the memory of a process that has another memory by now, and no path is
//! reported. From 6.19 on the event has the string too (`__filename_val`), as it may fault now: 63 bytes of it, or as
//! many as `syscall_user_buf_size` says (165 at most, `string-bytes`), and what is not printable as a dot.
//!
//! # Needs
//!
//! root; `CONFIG_FTRACE_SYSCALLS`.
//!
//! # What it cannot see
//!
//! - Calls that are not native 64-bit ones: these events pass over compat calls on purpose
//!   (`trace_get_syscall_nr`, `arch_trace_is_compat_syscall`). A 32-bit program that calls a 64-bit one leaves an exit
//!   without an enter, which is reported without a path; a 64-bit program that calls a 32-bit one enters and
//!   never leaves, and is not reported. Where one process does both, the enter that was left over is taken for that of the
//!   later exit, and the path is another exec's.
//! - The enter of an exec by a thread that is not the first: it entered under its own id and leaves under its
//!   process's. It is reported without a path.
//! - Execs of the kernel itself (usermode helpers): an exit without an enter.
//! - What the string was when the kernel took it: it is read before the call begins, and can be changed meanwhile.
//! - Where a relative path begins, and everything that is not in the call's arguments.
//!
//! Every exec makes two events, and every call that fails makes two as well: what is lost is counted in events.
//!
//! # Cost
//!
//! Two events an exec, each of which may wake the reader: default costs more than that of [`super::exec`], which has
//! the whole string on every kernel. This row is here because many tools watch these events. Tuned is the cheapest of
//! the family, because events gather (`linger-ms`) and one wake-up takes many; sightings come later for it. And because
//! it tells so little: up to 6.18 it has no path at all. Longer strings (`string-bytes`) cost nothing where paths are
//! short.
//!
//! Sources: `kernel/trace/trace_syscalls.c`, `Documentation/trace/events.rst`.

use std::rc::Rc;

use execlab_model::{
    Bytes,
    sighting::{LossUnit, Sighting},
};

use super::{
    BUFFERS,
    instance::Instance,
    start,
    watch::{Row, Watch},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Remains,
    Seam, Setting, Settings,
    tracing_fs::{
        Tracefs,
        format::{Field, Format, event_id},
        pending::{MOST, Pending},
    },
};

const EVENTS: [&str; 4] = [
    "syscalls/sys_enter_execve",
    "syscalls/sys_enter_execveat",
    "syscalls/sys_exit_execve",
    "syscalls/sys_exit_execveat",
];

/// See the module.
#[derive(Debug)]
pub struct TracefsSyscalls;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    BUFFERS[0],
    BUFFERS[1],
    BUFFERS[2],
    BUFFERS[3],
    super::linger("10"),
    Setting {
        name: "string-bytes",
        help: "how many bytes of a string the kernel copies into an event, where it does (6.19)",
        kind: Kind::Number(1, 165),
        default: "63",
        tuned: "165",
    },
];

impl Backend for TracefsSyscalls {
    fn name(&self) -> &'static str {
        "tracefs-syscalls"
    }

    fn about(&self) -> &'static str {
        "ftrace events at the enter and exit of execve and execveat, paired"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "events at the enter and the exit of the system calls in a trace instance, paired by thread",
            needs: &["CONFIG_FTRACE_SYSCALLS", "root"],
            since: super::SINCE,
            loss_signals: super::RING_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        super::CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::OfTracefs)
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            path: true,
            time: true,
            loss: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let tracefs = Rc::new(Tracefs::open()?);
        let (mut instance, rings) = start(&tracefs, settings, LossUnit::Event)?;
        let [execve, execveat] = [EVENTS[0], EVENTS[1]].map(|event| Enter::of(&instance, event));
        let exit = Exit::of(&instance, EVENTS[2])?;
        let row = Calls {
            enters: [execve?, execveat?],
            exit,
            longest: strings(&instance, settings.number("string-bytes"))?,
            entered: Pending::new(MOST),
        };
        for event in EVENTS {
            instance.enable(event)?;
        }
        let linger_ms = settings.number("linger-ms");
        Ok(Box::new(Watch::new(row, rings, instance, None, linger_ms)))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &EVENTS)
    }
}

/// Says how many bytes of a string the kernel is to copy; where it copies none there is no such file.
pub fn strings(instance: &Instance, bytes: u64) -> Result<usize, AttachError> {
    const FILE: &str = "syscall_user_buf_size";
    if instance.path(FILE).exists() {
        instance.set(FILE, &bytes.to_string())?;
    }
    Ok(usize::try_from(bytes).expect("bounded"))
}

/// Where the fields of an event at the begin of a call are.
#[derive(Debug, Clone, Copy)]
pub struct Enter {
    id: u16,
    tid: Field,
    /// The string itself, from 6.19 on.
    string: Option<Field>,
}

impl Enter {
    /// On this kernel.
    pub fn of(instance: &Instance, event: &str) -> Result<Self, AttachError> {
        let (format, tid) = format_of(instance, event)?;
        Ok(Self {
            id: format.id,
            tid,
            string: format.field("__filename_val"),
        })
    }

    /// Whether its events have strings.
    pub fn has_strings(self) -> bool {
        self.string.is_some()
    }

    /// The thread, and the string where there is one; `None` where it is another event.
    pub fn decode(self, raw: &[u8]) -> Option<(u32, Option<Bytes>)> {
        if event_id(raw) != Some(self.id) {
            return None;
        }
        let string = self.string.and_then(|field| field.string(raw));
        // An execveat by descriptor alone has an empty one.
        let string = string.filter(|string| !string.is_empty());
        Some((self.tid.word(raw)?, string.map(Bytes::from)))
    }
}

/// Where the fields of an event at the end of a call are.
#[derive(Debug, Clone, Copy)]
pub struct Exit {
    id: u16,
    tid: Field,
    result: Field,
}

impl Exit {
    /// On this kernel.
    pub fn of(instance: &Instance, event: &str) -> Result<Self, AttachError> {
        let (format, tid) = format_of(instance, event)?;
        let result = format.field("ret").ok_or_else(|| {
            AttachError::Unsupported(format!("the event {event} has no field `ret`"))
        })?;
        Ok(Self {
            id: format.id,
            tid,
            result,
        })
    }

    /// The thread, and whether its call succeeded; `None` where it is another event.
    pub fn decode(self, raw: &[u8]) -> Option<(u32, bool)> {
        if event_id(raw) != Some(self.id) {
            return None;
        }
        Some((self.tid.word(raw)?, self.result.number(raw)? == 0))
    }
}

fn format_of(instance: &Instance, event: &str) -> Result<(Format, Field), AttachError> {
    let text = instance.event_file(event, "format")?;
    let format = Format::parse(&text);
    format
        .and_then(|format| Some((format.field("common_pid")?, format)))
        .map(|(tid, format)| (format, tid))
        .ok_or_else(|| AttachError::Unsupported(format!("the format of {event} is: {text}")))
}

#[derive(Debug)]
enum Call {
    Enter(u32, Option<Bytes>),
    /// Of an `execve`.
    Exit(u32, bool),
    /// Of an `execveat`, which never succeeded: then it had left as the other.
    NoExec(u32),
}

#[derive(Debug)]
struct Calls {
    enters: [Enter; 2],
    exit: Exit,
    /// Longer strings are cut.
    longest: usize,
    entered: Pending<Option<Bytes>>,
}

impl Row for Calls {
    type Event = Call;

    fn decode(&mut self, raw: &[u8]) -> Option<Call> {
        if let Some((tid, done)) = self.exit.decode(raw) {
            return Some(Call::Exit(tid, done));
        }
        let entered = self.enters.iter().find_map(|enter| enter.decode(raw));
        if let Some((tid, string)) = entered {
            return Some(Call::Enter(tid, string));
        }
        // The fourth event; all have the thread at the same place.
        Some(Call::NoExec(self.exit.tid.word(raw)?))
    }

    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Call)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        for (time_ns, call) in events {
            match call {
                Call::Enter(tid, string) => {
                    self.entered.begin(tid, string);
                }
                Call::NoExec(tid) | Call::Exit(tid, false) => {
                    self.entered.forget(tid);
                }
                Call::Exit(tid, true) => {
                    let string = self.entered.end(tid).flatten();
                    seam.sighting(Sighting {
                        // After an exec the thread is its process's first.
                        pid: Some(tid),
                        time_ns: Some(time_ns),
                        received_ns,
                        truncated: string.as_ref().is_some_and(|s| s.0.len() >= self.longest),
                        path: string.clone(),
                        given: string,
                        ..Sighting::default()
                    })?;
                }
            }
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        vec![self.entered.note()]
    }
}
