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
//! What it cannot see, beside what the family cannot ([`super`]): calls of 32-bit programs, which these
//! tracepoints leave out (`arch_trace_is_compat_syscall`): seen is the exit of an exec that ends in a 64-bit
//! program, without a string. An exec of a 32-bit program has no exit, so it is never known to have
//! succeeded. Of a helper of the kernel there is the exit alone. What a 63-byte string leaves out.
//!
//! # Cost
//!
//! What is bought against `perf-exec` for four tracepoints instead of one, and a look-up for each exec: nothing of
//! execs that succeed. It is here because many tools watch these events, and to show what that costs; calls that fail
//! come by as well, and are put aside. From 6.6 on (EEVDF scheduler; measured from 6.12 on) default is cheaper where
//! its lookups come late and find nobody. Tuned has real-time priority: on one CPU each lookup is made before the
//! program runs on, and costs. That buys path and arguments of every exec. Where they came in time anyhow (5.10, 6.1)
//! both cost the same.

use std::collections::BTreeMap;

use execlab_model::{
    Bytes,
    sighting::{ContainerHint, LossUnit, Sighting},
};

use super::{
    LOSS_SIGNALS, NEEDS, OFFERS, SETTINGS_OF_CALLS,
    monitor::{Reader, Reading},
    record::{Record, What},
    resolver::Resolver,
    rings::Event,
    tracepoint::Tracepoint,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    clock::monotonic_ns,
    tracing_fs::{
        Tracefs,
        format::{Field, event_id},
        pending::Pending,
    },
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
        let tracefs = Tracefs::alone()?;
        let find = |names: [&'static str; 2]| -> Result<Vec<Tracepoint>, AttachError> {
            names
                .into_iter()
                .map(|name| Tracepoint::find(&tracefs, name))
                .collect()
        };
        let (entries, exits) = (find(ENTRIES)?, find(EXITS)?);
        let mut kinds = BTreeMap::new();
        for entry in &entries {
            let string = entry.optional("__filename_val");
            kinds.insert(entry.id(), Kind::Entry(string));
        }
        let [execve, execveat] = &exits[..] else {
            unreachable!("as many as there are names");
        };
        kinds.insert(execve.id(), Kind::Exit(execve.field("ret")?));
        kinds.insert(execveat.id(), Kind::NoExec);
        let strings = entries[0].optional("__filename_val").is_some();
        let all: Vec<_> = entries.iter().chain(&exits).collect();
        let events: Vec<_> = all.iter().map(|t| Event::Tracepoint(t.id())).collect();
        let mut evidence: Vec<_> = all.iter().map(|t| t.evidence()).collect();
        evidence.push(if strings {
            "entries carry the string of the call".into()
        } else {
            "entries carry the address of the string, not the string".into()
        });
        let reader = Joiner {
            kinds,
            entered: Pending::new(MOST),
        };
        Reading::attach(&events, reader, LossUnit::Event, evidence, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[ENTRIES, EXITS].concat())
    }
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
    kinds: BTreeMap<u16, Kind>,
    entered: Pending<Entered>,
}

impl Reader for Joiner {
    fn take(&mut self, record: Record, out: &mut Resolver) {
        let What::Sample { raw, cgroup_id } = record.what else {
            return;
        };
        let kind = event_id(&raw).and_then(|id| self.kinds.get(&id));
        match kind.copied() {
            Some(Kind::Entry(string)) => {
                let given = string.and_then(|string| string.string(&raw));
                let entered = Entered {
                    pid: record.pid,
                    given: given.map(Into::into),
                };
                self.entered.begin(record.tid, entered);
            }
            Some(Kind::Exit(result)) => {
                if result.number(&raw) != Some(0) {
                    self.entered.forget(record.tid);
                    return;
                }
                // Where another thread than the first called, it has the first one's id now.
                let entered = self.entered.end_of(record.tid, |e| e.pid == record.pid);
                let given = entered.and_then(|entered| entered.given);
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
            Some(Kind::NoExec) => self.entered.forget(record.tid),
            None => {}
        }
    }

    fn finish(&mut self, _: &mut Resolver) {}
}
