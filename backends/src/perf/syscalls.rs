//! `perf-syscalls`: the tracepoints of the system calls themselves, `sys_enter_` and `sys_exit_` of `execve`
//! and `execveat`, through perf's rings.
//!
//! The entry is under the thread that calls and carries the address of the path; the exit is under the
//! process's id of after and says how it ended. An exit with 0 is an exec; it is joined to the entry of its
//! thread, or where another thread than the first called, to the entry of its process. A successful
//! `execveat` exits as `execve`: the new image's registers begin anew (`start_thread`), and the exit looks
//! the number up in them. One that exits as `execveat` has failed, or only checked (`AT_EXECVE_CHECK`, 6.14), and
//! is none.
//!
//! The string behind the address is not in the event before 6.19, and is not read from the process here: its
//! page may not be resident, and the process may have changed it or be another image by then. So up to 6.18
//! the path is what `/proc` says, and the default is to ask. From 6.19 on the kernel copies the string, up to
//! `syscall_user_buf_size` (63) bytes (`trace_user_fault_read`, `kernel/trace/trace_syscalls.c`); one that
//! fills them is reported as cut.
//!
//! What is bought against `perf-exec` for four tracepoints instead of one, and a look-up for each exec: nothing of execs
//! that succeed. It is here because many tools watch these events, and to show what that costs; calls that fail come by as
//! well, and are put aside.
//!
//! What it cannot see, beside what the family cannot ([`super`]): calls of 32-bit programs, which these
//! tracepoints leave out (`arch_trace_is_compat_syscall`): seen is the exit of an exec that ends in a 64-bit
//! program, without a string. An exec of a 32-bit program has no exit, so it is never known to have
//! succeeded. Of a helper of the kernel there is the exit alone. What a 63-byte string leaves out.

use std::collections::BTreeMap;

use execlab_model::{
    Bytes,
    sighting::{ContainerHint, LossUnit, Sighting},
};

use super::{
    LOSS_SIGNALS, NEEDS, OFFERS, SETTINGS_OF_CALLS,
    format::Field,
    monitor::{Reader, Reading},
    record::{Record, What},
    resolver::Resolver,
    rings::Event,
    tracefs::{Tracefs, Tracepoint},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    clock::monotonic_ns,
};

const ENTRIES: [&str; 2] = ["syscalls/sys_enter_execve", "syscalls/sys_enter_execveat"];
const EXITS: [&str; 2] = ["syscalls/sys_exit_execve", "syscalls/sys_exit_execveat"];
/// So many entries without an exit are remembered; at this number all are forgotten together.
const MOST: usize = 4096;
/// `syscall_user_buf_size` as it comes: longer strings are cut there (6.19).
const LONGEST: usize = 63;

/// See the module.
#[derive(Debug)]
pub struct Calls;

impl Backend for Calls {
    fn name(&self) -> &'static str {
        "perf-syscalls"
    }

    fn about(&self) -> &'static str {
        "entry and exit of execve and execveat through perf's rings, joined; files from /proc"
    }

    fn program(&self) -> &'static str {
        "perf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Perf,
            mechanism: "samples of the system calls' entries and exits in a ring of each CPU, joined by thread",
            needs: NEEDS,
            since: Since {
                release: "5.7 (PERF_SAMPLE_CGROUP); with the string of the call: 6.19",
                series: None,
            },
            loss_signals: LOSS_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS_OF_CALLS
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let tracefs = Tracefs::mount()?;
        let find = |names: [&'static str; 2]| -> Result<Vec<Tracepoint>, AttachError> {
            names
                .into_iter()
                .map(|name| tracefs.tracepoint(name))
                .collect()
        };
        let (entries, exits) = (find(ENTRIES)?, find(EXITS)?);
        let mut kinds = BTreeMap::new();
        for entry in &entries {
            let string = entry.optional("__filename_val");
            kinds.insert(number(entry)?, Kind::Entry(string));
        }
        let [execve, execveat] = &exits[..] else {
            unreachable!("as many as there are names");
        };
        kinds.insert(number(execve)?, Kind::Exit(execve.field("ret")?));
        kinds.insert(number(execveat)?, Kind::NoExec);
        let strings = entries[0].optional("__filename_val").is_some();
        let all: Vec<_> = entries.iter().chain(&exits).collect();
        let events: Vec<_> = all.iter().map(|t| Event::Tracepoint(t.id)).collect();
        let mut evidence: Vec<_> = all.iter().map(|t| t.evidence()).collect();
        evidence.push(if strings {
            "entries carry the string of the call".into()
        } else {
            "entries carry the address of the string, not the string".into()
        });
        let reader = Joiner {
            kind: all[0].field("common_type")?,
            kinds,
            entered: BTreeMap::new(),
        };
        Reading::attach(&events, reader, LossUnit::Event, evidence, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[ENTRIES, EXITS].concat())
    }
}

/// A tracepoint's number as its records carry it.
fn number(tracepoint: &Tracepoint) -> Result<u16, AttachError> {
    u16::try_from(tracepoint.id)
        .map_err(|_| AttachError::Unsupported(format!("{}: too large", tracepoint.evidence())))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// With the field of its string, where there is one.
    Entry(Option<Field>),
    /// With the field of its result.
    Exit(Field),
    /// The exit of `execveat`: it failed, or only checked.
    NoExec,
}

/// A call that has not ended.
#[derive(Debug)]
struct Entered {
    pid: u32,
    given: Option<Bytes>,
}

/// See the module.
#[derive(Debug)]
struct Joiner {
    kind: Field,
    kinds: BTreeMap<u16, Kind>,
    /// By thread.
    entered: BTreeMap<u32, Entered>,
}

impl Reader for Joiner {
    fn take(&mut self, record: Record, out: &mut Resolver) {
        let What::Sample { raw, cgroup_id } = record.what else {
            return;
        };
        // The low half: the number is unsigned.
        let Some(number) = self.kind.number(&raw) else {
            return;
        };
        match self.kinds.get(&u16::from_ne_bytes(low(number))).copied() {
            Some(Kind::Entry(string)) => {
                if self.entered.len() >= MOST {
                    self.entered.clear();
                }
                let given = string.and_then(|string| string.string(&raw));
                let entered = Entered {
                    pid: record.pid,
                    given: given.map(Into::into),
                };
                self.entered.insert(record.tid, entered);
            }
            Some(Kind::Exit(result)) => {
                let given = self.left(record.pid, record.tid).and_then(|e| e.given);
                if result.number(&raw) != Some(0) {
                    return;
                }
                out.push(Sighting {
                    pid: Some(record.pid),
                    time_ns: Some(record.time_ns),
                    received_ns: monotonic_ns(),
                    truncated: given
                        .as_ref()
                        .is_some_and(|given| given.as_slice().len() >= LONGEST),
                    // Empty where the file is a descriptor's.
                    path: given.clone().filter(|given| !given.as_slice().is_empty()),
                    given,
                    container: ContainerHint {
                        cgroup_id: Some(cgroup_id),
                        ..ContainerHint::default()
                    },
                    ..Sighting::default()
                });
            }
            Some(Kind::NoExec) => drop(self.left(record.pid, record.tid)),
            None => {}
        }
    }

    fn finish(&mut self, _: &mut Resolver) {}
}

impl Joiner {
    /// The entry of a call that ended.
    fn left(&mut self, pid: u32, tid: u32) -> Option<Entered> {
        self.entered.remove(&tid).or_else(|| {
            // Another thread than the first called, and has the first one's id now.
            let mut all = self.entered.iter();
            let caller = all.find_map(|(tid, entered)| (entered.pid == pid).then_some(*tid));
            self.entered.remove(&caller?)
        })
    }
}

fn low(number: i64) -> [u8; 2] {
    let [a, b, ..] = number.to_le_bytes();
    u16::from_le_bytes([a, b]).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joiner(calls: &[(u32, u32)]) -> Joiner {
        let entered = calls.iter().map(|&(pid, tid)| {
            let given = Some(tid.to_string().as_str().into());
            (tid, Entered { pid, given })
        });
        let common = "field:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;";
        Joiner {
            kind: Field::find(common, "common_type").unwrap(),
            kinds: BTreeMap::new(),
            entered: entered.collect(),
        }
    }

    #[test]
    fn an_exit_is_of_its_thread_or_of_its_process() {
        let mut joiner = joiner(&[(7, 7), (8, 9), (5, 6)]);
        let left = joiner.left(7, 7).unwrap();
        assert_eq!(left.given, Some("7".into()));
        // The thread 9 of process 8 is its first one now.
        let left = joiner.left(8, 8).unwrap();
        assert_eq!(left.given, Some("9".into()));
        // A helper of the kernel.
        assert!(joiner.left(77, 77).is_none());
        assert_eq!(joiner.entered.len(), 1);
    }
}
