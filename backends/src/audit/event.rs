//! One event while its records come in, and what it was in the end.

use execlab_model::Bytes;

use super::{
    arguments::Arguments,
    record::{self, Stamp, fields},
    rules::ARCHITECTURES,
    wire::kind,
};

/// What a SYSCALL record says, of what we need.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Syscall {
    call: Call,
    success: bool,
    pid: u32,
    ppid: Option<u32>,
    uid: Option<u32>,
    items: u32,
    exe: Option<Bytes>,
    /// The kernel says that it could not write out `exe`.
    unwritten: bool,
}

/// Which call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Execve,
    /// May be a mere check (`AT_EXECVE_CHECK`), which its record does not show.
    Execveat,
    /// Somebody else's rule.
    Other,
}

/// What a PATH record says of the file that was to be executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Item {
    name: Option<Bytes>,
    file: Option<(u64, u64)>,
}

/// An exec as audit tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    pub stamp: Stamp,
    pub pid: u32,
    pub ppid: Option<u32>,
    pub uid: Option<u32>,
    pub path: Option<Bytes>,
    pub given: Option<Bytes>,
    pub file: Option<(u64, u64)>,
    pub argv: Option<Vec<Bytes>>,
    /// The kernel cut the path, or records with arguments are missing.
    pub truncated: bool,
    /// Records of it are missing.
    pub incomplete: bool,
}

/// What an event was, once it is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An exec.
    Exec(Box<Exec>),
    /// A call that failed.
    Failed,
    /// A call that succeeded without executing anything (`AT_EXECVE_CHECK`).
    Check,
    /// Certainly an exec, but nobody knows whose: its SYSCALL record is missing.
    LostExec(Stamp),
    /// Of an unknown kind: both SYSCALL and EXECVE are missing.
    LostEvent(Stamp),
    /// Not about execs.
    Other,
}

/// An event of which at least one record came.
#[derive(Debug)]
pub struct Event {
    pub stamp: Stamp,
    /// When the last of its records came.
    pub touched_ns: u64,
    syscall: Option<Syscall>,
    item: Option<Item>,
    arguments: Option<Arguments>,
    ended: bool,
}

impl Event {
    pub fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            touched_ns: 0,
            syscall: None,
            item: None,
            arguments: None,
            ended: false,
        }
    }

    /// Takes in a record, of PATH records that of item 0 alone; whether it could be read.
    pub fn take(&mut self, kind: u16, text: &[u8]) -> bool {
        match kind {
            kind::SYSCALL => {
                self.syscall = syscall(text);
                self.syscall.is_some()
            }
            kind::EXECVE => self
                .arguments
                .get_or_insert_with(Arguments::default)
                .take(text),
            kind::PATH => {
                self.item = Some(first_item(text));
                true
            }
            kind::EOE => {
                // With SYSCALL there all others have come that will: the kernel writes it first
                // and EOE last. Otherwise the records were swapped on their way (they went through
                // the kernel's hold queue), and the front half is still to come.
                self.ended = true;
                true
            }
            _ => true,
        }
    }

    /// Whether nothing more is to come. `last` is the record that was just taken in.
    pub fn is_over(&self, last: u16, paths: bool) -> bool {
        let Some(syscall) = self.syscall.as_ref().filter(|_| self.ended) else {
            return false;
        };
        last == kind::EOE || !syscall.success || syscall.call == Call::Other || self.is_whole(paths)
    }

    /// Whether all records that an exec has have come.
    fn is_whole(&self, paths: bool) -> bool {
        let needs_item = paths && self.syscall.as_ref().is_none_or(|s| s.items > 0);
        self.syscall.is_some()
            && self.arguments.as_ref().is_some_and(Arguments::is_whole)
            && (self.item.is_some() || !needs_item)
    }

    /// What it was. `paths` tells whether PATH records are made at all.
    pub fn close(self, paths: bool) -> Outcome {
        let whole = self.is_whole(paths);
        let Some(syscall) = self.syscall else {
            return if self.arguments.is_some() {
                Outcome::LostExec(self.stamp)
            } else {
                Outcome::LostEvent(self.stamp)
            };
        };
        match syscall.call {
            Call::Other => return Outcome::Other,
            _ if !syscall.success => return Outcome::Failed,
            Call::Execveat if self.arguments.is_none() => return Outcome::Check,
            // An `execve` that succeeded has executed something, whether or not its arguments
            // came through.
            Call::Execve | Call::Execveat => {}
        }
        let (argv, argv_whole) = self.arguments.map_or((None, false), Arguments::join);
        let item = self.item.unwrap_or_default();
        Outcome::Exec(Box::new(Exec {
            stamp: self.stamp,
            pid: syscall.pid,
            ppid: syscall.ppid,
            uid: syscall.uid,
            path: syscall.exe,
            given: item.name,
            file: item.file,
            argv,
            truncated: syscall.unwritten || !argv_whole,
            incomplete: !whole,
        }))
    }
}

/// Reads a SYSCALL record as far as `exe`, after which nothing comes that we need.
fn syscall(text: &[u8]) -> Option<Syscall> {
    let mut arch = None;
    let mut number = None;
    let mut success = false;
    let (mut pid, mut ppid, mut uid, mut items) = (None, None, None, 0);
    let (mut exe, mut unwritten) = (None, false);
    for (name, value) in fields(text) {
        match name {
            b"arch" => arch = value.hex_number(),
            b"syscall" => number = value.number::<u32>(),
            b"success" => success = value == record::Value::Bare(b"yes"),
            b"items" => items = value.number()?,
            b"ppid" => ppid = value.number(),
            b"pid" => pid = value.number(),
            b"uid" => uid = value.number(),
            b"exe" => {
                match value.path() {
                    Ok(path) => exe = path,
                    Err(record::Unwritten) => unwritten = true,
                }
                break;
            }
            _ => {}
        }
    }
    let (arch, number) = (arch?, number?);
    let call =
        ARCHITECTURES
            .iter()
            .find(|a| a.number == arch)
            .map_or(Call::Other, |a| match number {
                n if n == a.execve => Call::Execve,
                n if n == a.execveat => Call::Execveat,
                _ => Call::Other,
            });
    Some(Syscall {
        call,
        success,
        pid: pid?,
        ppid,
        uid,
        items,
        exe,
        unwritten,
    })
}

/// Reads the PATH record of the file that was to be executed, item 0.
fn first_item(text: &[u8]) -> Item {
    let (mut name, mut inode, mut device) = (None, None, None);
    for (field, value) in fields(text) {
        match field {
            b"name" => name = value.string(),
            b"inode" => inode = value.number::<u64>(),
            b"dev" => {
                device = value.device();
                break;
            }
            _ => {}
        }
    }
    Item {
        name,
        file: device.zip(inode),
    }
}
