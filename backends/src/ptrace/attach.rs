//! Finding and seizing everything that runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
};

use nix::errno::Errno;
use procfs::process::{Process, StatFlags, all_processes};

use super::sys;
use crate::procfs_lookup::parse::cgroup;

/// A pass that finds nobody new ends the search. Children of tracees are tracees already, so only
/// what an untraced process forks meanwhile makes another pass worthwhile.
const PASSES: usize = 16;

/// What became of the search.
#[derive(Debug, Default)]
pub struct Attached {
    /// Threads seized.
    pub seized: BTreeSet<i32>,
    /// Threads that could not be seized, with the answer.
    pub refused: BTreeMap<i32, Errno>,
    /// Processes left out because the monitor descends from them.
    pub ancestors: Vec<i32>,
    pub kernel_threads: usize,
    pub passes: usize,
}

impl Attached {
    /// For people.
    pub fn evidence(&self) -> Vec<String> {
        let mut out = vec![
            format!(
                "PTRACE_SEIZE of {} threads in {} passes; {} kernel threads left out",
                self.seized.len(),
                self.passes,
                self.kernel_threads
            ),
            format!(
                "not traced, nor what they fork later: {}",
                if self.ancestors.is_empty() {
                    "the monitor itself".to_owned()
                } else {
                    let list: Vec<_> = self.ancestors.iter().map(ToString::to_string).collect();
                    format!("the monitor itself and its ancestors {}", list.join(", "))
                }
            ),
        ];
        if let Some((tid, error)) = self.refused.first_key_value() {
            out.push(format!(
                "{} threads could not be seized, the first {tid}: {error}",
                self.refused.len()
            ));
        }
        out
    }
}

/// Seizes every thread of every process but this one, those that `leave_ancestors` leaves out, those
/// outside of `scope`, and kernel threads.
pub fn seize_everything(
    leave_ancestors: bool,
    scope: Option<&OsStr>,
) -> procfs::ProcResult<Attached> {
    let me = std::process::id().cast_signed();
    let mut out = Attached {
        ancestors: if leave_ancestors {
            ancestors(me)?
        } else {
            Vec::new()
        },
        ..Attached::default()
    };
    for _ in 0..PASSES {
        out.passes += 1;
        out.kernel_threads = 0;
        let mut news = false;
        for process in all_processes()?.flatten() {
            if process.pid == me || out.ancestors.contains(&process.pid) {
                continue;
            }
            if scope.is_some_and(|scope| !is_in(process.pid, scope.as_bytes())) {
                continue;
            }
            // Gone in between where this cannot be read.
            let Ok(stat) = process.stat() else { continue };
            if stat.flags & StatFlags::PF_KTHREAD.bits() != 0 {
                out.kernel_threads += 1;
                continue;
            }
            let Ok(tasks) = process.tasks() else { continue };
            for task in tasks.flatten() {
                news |= out.seize(task.tid);
            }
        }
        if !news {
            break;
        }
    }
    Ok(out)
}

/// Whether a process is in a cgroup or below it.
fn is_in(pid: i32, scope: &[u8]) -> bool {
    let text = std::fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let below = cgroup(&text).and_then(|own| own.strip_prefix(scope));
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

impl Attached {
    /// Whether it was new.
    fn seize(&mut self, tid: i32) -> bool {
        if self.seized.contains(&tid) || self.refused.contains_key(&tid) {
            return false;
        }
        match sys::seize(tid) {
            Ok(()) => self.seized.insert(tid),
            Err(Errno::ESRCH) => false,
            // EPERM is also the answer for a zombie and for one that is a tracee of ours since its
            // parent forked it.
            Err(_) if is_no_loss(tid) => false,
            Err(error) => self.refused.insert(tid, error).is_none(),
        }
    }
}

/// Whether nobody needs to be told that a thread could not be seized.
fn is_no_loss(tid: i32) -> bool {
    /// `PF_IO_WORKER` and `PF_USER_WORKER`: threads that the kernel adds to a process, for `io_uring`
    /// and vhost. They never run a program and nobody may trace them.
    const WORKER: u32 = 0x10 | 0x4000;
    let me = std::process::id().cast_signed();
    let look = || {
        let thread = Process::new(tid)?;
        let status = thread.status()?;
        let worker = thread.stat()?.flags & WORKER != 0;
        let ended = status.state.starts_with(['Z', 'X']);
        Ok::<_, procfs::ProcError>(status.tracerpid == me || worker || ended)
    };
    // Gone in between where this cannot be read.
    look().unwrap_or(true)
}

fn ancestors(of: i32) -> procfs::ProcResult<Vec<i32>> {
    let mut out = Vec::new();
    let mut pid = of;
    loop {
        pid = Process::new(pid)?.stat()?.ppid;
        // 0 is outside this PID namespace.
        if pid == 0 {
            return Ok(out);
        }
        out.push(pid);
    }
}

/// Interrupts every thread there is: tracees stop, others refuse. No list of tracees is kept, which
/// would cost something at every fork.
pub fn interrupt_everything() -> procfs::ProcResult<()> {
    for process in all_processes()?.flatten() {
        let Ok(tasks) = process.tasks() else { continue };
        for task in tasks.flatten() {
            // ESRCH: not ours, or gone.
            let _ = sys::interrupt(task.tid);
        }
    }
    Ok(())
}

/// Sends a signal to every thread that this process traces.
pub fn signal_tracees(signal: i32) -> procfs::ProcResult<()> {
    let me = std::process::id().cast_signed();
    for process in all_processes()?.flatten() {
        let Ok(tasks) = process.tasks() else { continue };
        for task in tasks.flatten() {
            if task.status().is_ok_and(|status| status.tracerpid == me) {
                // SAFETY: a call with three numbers. A tracee keeps its id until its tracer has waited for it.
                unsafe { libc::syscall(libc::SYS_tgkill, task.pid, task.tid, signal) };
            }
        }
    }
    Ok(())
}

/// Whether a signal was sent to this thread and has not come there yet.
pub fn awaits(tid: i32, signal: i32) -> bool {
    let status = Process::new(tid).and_then(|thread| thread.status());
    // Gone in between where this cannot be read.
    status.is_ok_and(|status| status.sigpnd & 1 << (signal - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_cgroup_and_what_is_below_it() {
        let me = std::process::id().cast_signed();
        let own = std::fs::read("/proc/self/cgroup").unwrap();
        let own = cgroup(&own).unwrap().to_owned();
        assert!(is_in(me, &own));
        assert!(!is_in(me, &[own.as_slice(), b"x"].concat()));
    }

    #[test]
    fn ancestors_lead_to_the_first_process() {
        let me = std::process::id().cast_signed();
        let list = ancestors(me).unwrap();
        assert_eq!(list[0], nix::unistd::getppid().as_raw());
        assert!(!list.contains(&me));
        let first = *list.last().unwrap();
        assert_eq!(Process::new(first).unwrap().stat().unwrap().ppid, 0);
    }
}
