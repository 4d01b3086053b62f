//! `tracefs-cwd`: `sched_process_exec`, and every working directory followed, to make relative paths full.
//!
//! # How it works
//!
//! The string in `sched_process_exec` is the one that was passed to the call. Where it is relative it begins in the working
//! directory of the process, which no event has. So this row keeps the directory of every thread: it reads them all
//! from `/proc` when it attaches, copies a parent's to its child (`task_newtask`, which has the flags of `clone` that
//! `sched_process_fork` lacks: `CLONE_FS` says that both share one), and asks `/proc/TID/cwd` again after each `chdir` and
//! `fchdir` that succeeded (`syscalls/sys_exit_chdir`). It is what agents without BPF do. From 6.19 on the string of a
//! `chdir` is in its event; it is used where the process is gone by the time `/proc` is asked.
//!
//! # Needs
//!
//! root; `CONFIG_EVENT_TRACING`, `CONFIG_FTRACE_SYSCALLS`.
//!
//! # What it cannot see
//!
//! - What a symlink leads to, what `/dev/fd/N` was, and the interpreter of a script.
//! - A directory that its process left again, or that ended, before `/proc` was asked: then the path stays relative (up to
//!   6.18), or is made of strings that may hold symlinks. On 6.12 and 6.18, with one CPU, the reader
//!   mostly runs after a program that ends at once has ended; on 5.10 before (a scheduler's choice, as far as is known).
//! - `chdir` by 32-bit calls, and what changes a directory without it: `setns`, `pivot_root`, `chroot` and `unshare(CLONE_FS)`.
//!   Whoever calls those mostly calls `chdir` right after.
//! - The root of a process in a `chroot`: a full path is given as it was passed, a relative one is made full as
//!   the reader sees it.
//! - After a loss the directories may be wrong; so all are read anew.
//!
//! What is lost is counted in events.
//!
//! # Cost
//!
//! Every process makes an event, and every `chdir`, whether it calls exec or not: that is the price of full paths
//! without a lookup at each exec; [`super::exec`] has neither. Tuned does not gather events, as a directory has
//! to be asked for at once; so it is not cheaper. From 6.8 on it is a little dearer (`long-events=larger`): each read
//! hands over a sub-buffer of 16 KiB in the place of a page, however little is in it. That buys paths up to the
//! longest.
//!
//! Sources: `include/trace/events/task.h`, `include/trace/events/sched.h`, `kernel/trace/trace_syscalls.c`.

use std::{collections::BTreeMap, path::Path, rc::Rc};

use execlab_model::{
    Bytes,
    sighting::{LossUnit, Sighting},
};

use super::{
    BUFFERS,
    exec::{EVENT, Exec},
    folders::Folders,
    instance::Instance,
    start,
    syscalls::{Enter, Exit, strings},
    watch::{Row, Watch},
};
use crate::{
    AttachError, Backend, Family, Monitor, MonitorError, Offers, Portrait, Reach, Remains, Seam,
    Setting, Settings,
    tracing_fs::{
        Tracefs,
        format::{Field, Format, event_id},
        pending::{MOST, Pending},
    },
};

const FORK: &str = "task/task_newtask";
const EXITS: [&str; 2] = ["syscalls/sys_exit_chdir", "syscalls/sys_exit_fchdir"];
const ENTER: &str = "syscalls/sys_enter_chdir";
/// As long a string as the kernel copies (`SYSCALL_FAULT_USER_MAX`).
const LONGEST_STRING: u64 = 165;

/// See the module.
#[derive(Debug)]
pub struct TracefsCwd;

/// What can be set.
pub const SETTINGS: &[Setting] = &BUFFERS;

impl Backend for TracefsCwd {
    fn name(&self) -> &'static str {
        "tracefs-cwd"
    }

    fn about(&self) -> &'static str {
        "ftrace event sched_process_exec, with working directories followed through fork and chdir"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "events of exec, fork and chdir in a trace instance; relative paths are made full from them",
            needs: &["CONFIG_EVENT_TRACING", "CONFIG_FTRACE_SYSCALLS", "root"],
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
        let [chdir, fchdir] = EXITS.map(|event| Exit::of(&instance, event));
        let enter = Enter::of(&instance, ENTER)?;
        let enter = enter.has_strings().then_some(enter);
        let longest = strings(&instance, LONGEST_STRING)?;
        let mut row = Cwd {
            fork: Fork::of(&instance)?,
            exec: Exec::of(&instance)?,
            exits: [chdir?, fchdir?],
            enter,
            longest,
            entered: Pending::new(MOST),
            folders: Folders::new(Path::new("/proc")),
            relative: 0,
            resolved: 0,
        };
        for event in [FORK, EXITS[0], EXITS[1]] {
            instance.enable(event)?;
        }
        if row.enter.is_some() {
            instance.enable(ENTER)?;
        }
        // After the events that change them, so that no change is between the two.
        let known = row.folders.snapshot();
        instance.tell(format!("working directories of {known} threads known"));
        instance.enable(EVENT)?;
        Ok(Box::new(Watch::new(row, rings, instance, None, 0)))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[EVENT, FORK, EXITS[0], EXITS[1]])
    }
}

/// Where the fields of the event of a new thread are.
#[derive(Debug)]
struct Fork {
    id: u16,
    parent: Field,
    child: Field,
    flags: Field,
}

impl Fork {
    fn of(instance: &Instance) -> Result<Self, AttachError> {
        let text = instance.event_file(FORK, "format")?;
        let found = Format::parse(&text).and_then(|format| {
            Some(Self {
                id: format.id,
                parent: format.field("common_pid")?,
                child: format.field("pid")?,
                flags: format.field("clone_flags")?,
            })
        });
        found.ok_or_else(|| AttachError::Unsupported(format!("the format of {FORK} is: {text}")))
    }
}

#[derive(Debug)]
enum Step {
    Fork { parent: u32, child: u32, flags: u64 },
    Enter(u32, Option<Bytes>),
    Changed(u32),
    Stayed(u32),
    Exec(u32, Box<Sighting>),
}

#[derive(Debug)]
struct Cwd {
    fork: Fork,
    exec: Exec,
    exits: [Exit; 2],
    /// Where its events have strings.
    enter: Option<Enter>,
    longest: usize,
    /// Strings of calls that are under way.
    entered: Pending<Bytes>,
    folders: Folders,
    relative: u64,
    resolved: u64,
}

impl Cwd {
    fn exec(&mut self, tid: u32, sighting: Sighting, seam: &mut Seam) -> Result<(), MonitorError> {
        let mut sighting = sighting;
        if let (Some(pid), Some(given)) = (sighting.pid, &sighting.given) {
            let path = self.folders.executed(tid, pid, given);
            self.relative += u64::from(!given.0.starts_with(b"/"));
            self.resolved += u64::from(path.is_some());
            sighting.path = path.or(sighting.path);
        }
        Ok(seam.sighting(sighting)?)
    }
}

impl Row for Cwd {
    type Event = Step;

    fn decode(&mut self, raw: &[u8]) -> Option<Step> {
        if event_id(raw) == Some(self.fork.id) {
            return Some(Step::Fork {
                parent: self.fork.parent.word(raw)?,
                child: self.fork.child.word(raw)?,
                flags: self.fork.flags.number(raw)?,
            });
        }
        if let Some(sighting) = self.exec.decode(raw) {
            return Some(Step::Exec(self.exec.caller(raw)?, Box::new(sighting)));
        }
        if let Some((tid, string)) = self.enter.and_then(|enter| enter.decode(raw)) {
            // One that was cut is none.
            let whole = string.filter(|string| string.0.len() < self.longest);
            return Some(Step::Enter(tid, whole));
        }
        let (tid, done) = self.exits.iter().find_map(|exit| exit.decode(raw))?;
        Some(if done {
            Step::Changed(tid)
        } else {
            Step::Stayed(tid)
        })
    }

    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Step)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        let steps: Vec<_> = events.collect();
        let mut last = BTreeMap::new();
        for (index, (_, step)) in steps.iter().enumerate() {
            if let Step::Changed(tid) = step {
                last.insert(*tid, index);
            }
        }
        for (index, (time_ns, step)) in steps.into_iter().enumerate() {
            match step {
                Step::Fork {
                    parent,
                    child,
                    flags,
                } => self.folders.forked(parent, child, flags),
                Step::Enter(tid, Some(string)) => {
                    self.entered.begin(tid, string);
                }
                Step::Enter(tid, None) | Step::Stayed(tid) => {
                    self.entered.forget(tid);
                }
                Step::Changed(tid) => {
                    let string = self.entered.end(tid);
                    let further = last.get(&tid) != Some(&index);
                    self.folders.changed(tid, string.as_ref(), further);
                }
                Step::Exec(tid, sighting) => {
                    let timed = Sighting {
                        time_ns: Some(time_ns),
                        received_ns,
                        ..*sighting
                    };
                    self.exec(tid, timed, seam)?;
                }
            }
        }
        self.folders.prune_if_large();
        Ok(())
    }

    fn lost(&mut self) {
        self.entered.clear();
        self.folders.snapshot();
    }

    fn notes(&self) -> Vec<String> {
        vec![format!(
            "{} relative paths, {} of them made full",
            self.relative, self.resolved
        )]
    }
}
