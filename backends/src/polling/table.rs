//! The processes that are known, and how each of them is watched for its next exec.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use execlab_model::sighting::Sighting;
use nix::errno::Errno;

use super::ends::{Ends, reaped};
use crate::{
    AttachError,
    clock::monotonic_ns,
    procfs_lookup::{
        Depth, Procfs, name_instead_of_path,
        parse::{Image, Stat},
    },
};

/// How long a process that only forked is looked at in every scan.
const YOUNG_NS: u64 = 1_000_000_000;
/// An address that no process has mapped: the first that user space cannot have with four levels
/// of page tables, and a bad guess for anybody's mapping with five.
const NOWHERE: i64 = 0x7fff_ffff_f000;

#[derive(Debug)]
struct Known {
    /// Inode of its directory: another process with the same number has another.
    inode: u64,
    start_ticks: u64,
    watch: Watch,
    /// Its pidfd, while it lives and where there is one: it is in the set of [`Ends`], and leaves it
    /// when it is closed.
    end: Option<OwnedFd>,
}

#[derive(Debug)]
enum Watch {
    /// Forked, no exec yet: its `stat`, open, until the time.
    Young(OwnedFd, u64),
    /// Its `mem`, open: tells when this address space is gone.
    Mem(OwnedFd),
    /// What its `stat` said, where `mem` could not be opened.
    Layout(Image),
    /// Nothing more can come of it: a zombie or a kernel thread.
    Ended,
}

/// What is to be done about a process after a look at it.
enum Verdict {
    Keep,
    Gone,
    LookAgain,
}

#[derive(Debug)]
pub struct Table {
    proc: Procfs,
    depth: Depth,
    known: BTreeMap<u32, Known>,
    ends: Option<Ends>,
    without_mem: u64,
    retried: u64,
}

impl Table {
    /// With `ends` each process is watched for its end too.
    pub fn open(depth: Depth, ends: Option<Ends>) -> io::Result<Self> {
        Ok(Self {
            proc: Procfs::open()?,
            depth,
            known: BTreeMap::new(),
            ends,
            without_mem: 0,
            retried: 0,
        })
    }

    /// Takes in what was there before the monitor: known, not reported.
    pub fn begin(&mut self, found: &[(u32, u64)]) {
        let now = monotonic_ns();
        for &(pid, inode) in found {
            self.look(pid, Some(inode), now, false, &mut |_| ());
        }
    }

    /// Looks at those of `found` that are not known, and reports the ones that called exec.
    pub fn add(&mut self, found: &[(u32, u64)], now: u64, report: &mut dyn FnMut(Sighting)) {
        for &(pid, inode) in found {
            if self.known.get(&pid).is_none_or(|k| k.inode != inode) {
                self.look(pid, Some(inode), now, true, report);
            }
        }
    }

    /// Looks whether known processes called exec (again), and reports those that did.
    pub fn check_known(&mut self, now: u64, report: &mut dyn FnMut(Sighting)) {
        // Allocates nothing as long as nothing happened.
        let mut changed = Vec::new();
        for (&pid, known) in &mut self.known {
            match verdict(&mut self.proc, pid, known, now) {
                Verdict::Keep => {}
                verdict => changed.push((pid, matches!(verdict, Verdict::Gone))),
            }
        }
        for (pid, gone) in changed {
            if gone {
                self.known.remove(&pid);
            } else {
                self.look(pid, None, now, true, report);
            }
        }
    }

    /// Readable when a known process has ended; `None` where nobody watches for that.
    pub fn ends(&self) -> Option<BorrowedFd<'_>> {
        self.ends.as_ref().map(Ends::fd)
    }

    /// Looks at known processes that ended: the last chance for those that had only forked when they
    /// were looked at before.
    pub fn check_ended(&mut self, now: u64, report: &mut dyn FnMut(Sighting)) {
        for pid in self.ends.as_mut().map(Ends::take).unwrap_or_default() {
            self.look(pid, None, now, true, report);
        }
    }

    /// Forgets those that a full listing, in ascending order of ids, did not find.
    pub fn forget_unlisted(&mut self, found: &[(u32, u64)]) {
        self.known.retain(|pid, _| {
            found
                .binary_search_by_key(pid, |&(listed, _)| listed)
                .is_ok()
        });
    }

    /// Reads a process and decides how it is watched from now on. `inode` is `None` where it was
    /// known by its number and something about it changed.
    fn look(
        &mut self,
        pid: u32,
        inode: Option<u64>,
        now: u64,
        reported: bool,
        report: &mut dyn FnMut(Sighting),
    ) {
        let mut before = self.known.remove(&pid);
        let mut end = before.as_mut().and_then(|known| known.end.take());
        if end.as_ref().is_some_and(reaped) {
            // The number may have been given to another process.
            (before, end) = (None, None);
        }
        if end.is_none() {
            end = self.ends.as_ref().and_then(|ends| ends.watch(pid));
        }
        let Some(process) = self.proc.process(pid) else {
            return;
        };
        // Twice at most: a process that calls exec while it is read is read once more.
        for last in [false, true] {
            // Opened before anything is read, so that an exec after this is noticed.
            let mem = process.open(c"mem").ok();
            let Some(stat) = process.stat(&mut self.proc) else {
                return;
            };
            let old = before
                .as_ref()
                .filter(|k| k.start_ticks == stat.start_ticks);
            // Where only the number is known and it is another process's by now, or was when the
            // pidfd was opened: the listing tells of that one.
            let Some(inode) = inode.or_else(|| old.map(|k| k.inode)) else {
                return;
            };
            if end.as_ref().is_some_and(reaped) {
                return;
            }
            let mut known = Known {
                inode,
                start_ticks: stat.start_ticks,
                watch: Watch::Ended,
                end: None,
            };
            // Of one that is in the middle of its exec the next scan knows more.
            if stat.forked_only() || stat.unfinished() {
                if let (false, Ok(file)) = (stat.ended(), process.open(c"stat")) {
                    // Kernel threads that were there at attach stay what they are; a younger one
                    // may be a helper that the kernel is about to start a program with.
                    if reported || !stat.kernel_thread() {
                        known.watch = Watch::Young(file, now + YOUNG_NS);
                        known.end = end;
                    }
                }
                self.known.insert(pid, known);
                return;
            }
            // The same process as before, ending: what it ran is reported already.
            let again = old.is_some_and(|k| !matches!(k.watch, Watch::Young(..)));
            if stat.ended() && again {
                self.known.insert(pid, known);
                return;
            }
            let (image, ended, ppid) = (stat.image, stat.ended(), stat.ppid);
            // Copied, because what is read next goes into the same buffer.
            let mut comm = [0; 16];
            let length = stat.comm.len().min(comm.len());
            comm[..length].copy_from_slice(&stat.comm[..length]);
            let sighting = reported.then(|| {
                let mut sighting = Sighting {
                    pid: Some(pid),
                    ppid: Some(ppid),
                    ..Sighting::default()
                };
                process.perishable(&mut self.proc, self.depth, &mut sighting);
                process.lasting(&mut self.proc, self.depth, &mut sighting);
                name_instead_of_path(&comm[..length], &mut sighting);
                sighting.received_ns = monotonic_ns();
                sighting
            });
            if ended {
                // A zombie: it stays in the table so that it is not taken for a new one.
            } else if !last && mem.as_ref().is_some_and(address_space_gone) {
                // It ended or called exec while it was read.
                let ended = process.stat(&mut self.proc).is_none_or(|s| s.ended());
                if !ended {
                    self.retried += 1;
                    continue;
                }
            } else {
                known.watch = mem.map_or_else(
                    || {
                        self.without_mem += 1;
                        Watch::Layout(image)
                    },
                    Watch::Mem,
                );
                known.end = end;
            }
            self.known.insert(pid, known);
            if let Some(sighting) = sighting {
                report(sighting);
            }
            return;
        }
    }

    /// For the end of a run.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.without_mem > 0 {
            notes.push(format!(
                "{} processes were watched by their layout only: /proc/PID/mem could not be opened",
                self.without_mem
            ));
        }
        if self.retried > 0 {
            notes.push(format!(
                "{} processes called exec while they were read",
                self.retried
            ));
        }
        notes
    }
}

/// The cheapest look that tells whether something happened to a known process.
fn verdict(proc: &mut Procfs, pid: u32, known: &mut Known, now: u64) -> Verdict {
    match &known.watch {
        Watch::Mem(mem) if address_space_gone(mem) => Verdict::LookAgain,
        Watch::Ended | Watch::Mem(_) => Verdict::Keep,
        Watch::Layout(image) => {
            let Some(process) = proc.process(pid) else {
                return Verdict::Gone;
            };
            match process.stat(proc) {
                None => Verdict::Gone,
                Some(s) if s.image == *image && s.start_ticks == known.start_ticks => Verdict::Keep,
                Some(_) => Verdict::LookAgain,
            }
        }
        Watch::Young(file, until) => {
            let Some(stat) = proc
                .read_from_start(file.as_fd())
                .ok()
                .and_then(Stat::parse)
            else {
                return Verdict::Gone;
            };
            if !stat.forked_only() {
                return Verdict::LookAgain;
            }
            if stat.ended() {
                known.watch = Watch::Ended;
            } else if now > *until {
                let mem = if stat.kernel_thread() {
                    None
                } else {
                    proc.process(pid).and_then(|p| p.open(c"mem").ok())
                };
                known.watch = mem.map_or(Watch::Ended, Watch::Mem);
            }
            Verdict::Keep
        }
    }
}

/// Whether the process that this `mem` was opened of has left that address space.
fn address_space_gone(mem: &OwnedFd) -> bool {
    // End of file without users, EIO for an address that nobody maps (mem_rw, fs/proc/base.c).
    match nix::sys::uio::pread(mem, &mut [0], NOWHERE) {
        Ok(read) => read == 0,
        Err(error) => error != Errno::EIO,
    }
}

/// Proves that this kernel says of a process that it forked and did not call exec.
pub fn prove_fork_flag() -> Result<String, AttachError> {
    use nix::{
        sys::{signal, wait},
        unistd::{ForkResult, fork, pause},
    };
    let mut proc = Procfs::open().map_err(AttachError::call("open /proc"))?;
    let mut flag = |pid| {
        let process = proc.process(pid)?;
        Some(process.stat(&mut proc)?.forked_only())
    };
    let this = flag(std::process::id());
    // SAFETY: the child calls nothing but pause, which is async-signal-safe.
    let child = match unsafe { fork() }.map_err(AttachError::call("fork"))? {
        ForkResult::Child => loop {
            pause();
        },
        ForkResult::Parent { child } => child,
    };
    let forked = flag(child.as_raw().cast_unsigned());
    signal::kill(child, signal::Signal::SIGKILL).map_err(AttachError::call("kill of own child"))?;
    wait::waitpid(child, None).map_err(AttachError::call("waitpid of own child"))?;
    if (this, forked) == (Some(false), Some(true)) {
        Ok("PF_FORKNOEXEC in /proc/PID/stat tells a forked child from this process".into())
    } else {
        Err(AttachError::Unsupported(format!(
            "PF_FORKNOEXEC in /proc/PID/stat: {this:?} for this process, {forked:?} for a child"
        )))
    }
}

#[cfg(test)]
mod tests;
