//! `seccomp-trace`: a filter stops each call of exec for a tracer, which then waits for its success.
//!
//! [`Backend::launch`] meets the monitor, which seizes the process (`PTRACE_SEIZE`, with the options that make its
//! children tracees and with `PTRACE_O_TRACESECCOMP`, Linux 3.5). Then the process puts a seccomp filter on itself that answers the six
//! calls of exec (x86-64, i386, x32) with `SECCOMP_RET_TRACE`. At such a call it stops with `PTRACE_EVENT_SECCOMP`: the tracer asks for
//! the registers (`PTRACE_GET_SYSCALL_INFO`, Linux 5.3) and reads the string that was passed. When the exec
//! succeeded the process stops again, with `PTRACE_EVENT_EXEC`: file, arguments and all else are read then, of the new image and
//! no other, and the string of the call is put beside it. A call that fails never gets there, and is not reported. There is
//! no queue, so nothing can be lost.
//!
//! The filter cannot be taken off, and each exec would fail from the tracer's end on (`__seccomp_filter`, kernel/seccomp.c). So the
//! tracer is a process of its own ([`apart`](super::apart)): when the monitor has ended, or was killed, it stays, lets
//! each call pass, and reports nothing, until the last launched process is gone. Only when it is killed itself do their execs fail; they
//! go on otherwise, and do not hang. strace kills them (`--seccomp-bpf` implies `--kill-on-exit`).
//!
//! What it cannot see: processes that were not launched under it; what others trace; programs that the kernel starts itself. No
//! kernel time comes with a stop. As for all tracers the path of a script is its interpreter's.
//!
//! Needs: `CAP_SYS_ADMIN` in the launched process; `CAP_SYS_PTRACE`, and Yama's `ptrace_scope` below 3, in the monitor.
//!
//! # Cost
//!
//! Against the row `ptrace` it buys the string as given, for one more stop of each call (tracers that want nothing but
//! the new image need no filter). Against `seccomp-notify`, the cheapest of the family, it buys to know of success, for
//! the stops at each birth: children must be tracees, as a call that nobody traces fails with ENOSYS. Default and tuned
//! are the same setting, and cost the same.
//!
//! Sources: ptrace(2), seccomp(2), strace(1), kernel/seccomp.c, kernel/ptrace.c.

use super::{
    launched::{Launched, Manner},
    rendezvous::Visit,
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    procfs_lookup::Depth, seccomp_filter,
};

/// See the module.
#[derive(Debug)]
pub struct SeccompTrace;

/// What can be set.
pub const SETTINGS: &[Setting] = &[Setting {
    name: "lookup",
    help: "full: every field; path: files and arguments only; nothing: the exec alone",
    kind: Kind::Word(&["full", "path", "nothing"]),
    default: "full",
    tuned: "full",
}];

impl Backend for SeccompTrace {
    fn name(&self) -> &'static str {
        "seccomp-trace"
    }

    fn about(&self) -> &'static str {
        "a filter stops each call of exec for a tracer, which waits for its success"
    }

    fn program(&self) -> &'static str {
        "ptrace"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ptrace,
            mechanism: "SECCOMP_RET_TRACE stops a tracee at each call of exec, PTRACE_EVENT_EXEC at its success",
            needs: &[
                "CAP_SYS_ADMIN in the launched process",
                "CAP_SYS_PTRACE",
                "Yama scope below 3",
                "processes that nobody traces yet",
            ],
            since: Since {
                release: "5.3 (PTRACE_GET_SYSCALL_INFO)",
                series: None,
            },
            loss_signals: &["none needed: each call waits until it is answered"],
            reach: Reach::Descendants,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "launched processes, and what they start, are traced",
            "they keep a seccomp filter for good",
            "a small process traces them on when the monitor has ended, until the last of them is gone",
        ]
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: false,
            loss: true,
        }
    }

    fn launch(&self, _: &Settings) -> Result<(), AttachError> {
        Visit::pay()?.wait()?;
        seccomp_filter::install(libc::SECCOMP_RET_TRACE, 0)
            .map(drop)
            .map_err(AttachError::call("seccomp(SET_MODE_FILTER)"))
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        seccomp_filter::available(libc::SECCOMP_RET_TRACE).map_err(|error| {
            AttachError::Unsupported(format!("SECCOMP_GET_ACTION_AVAIL of TRACE: {error}"))
        })?;
        let said = "the kernel has SECCOMP_RET_TRACE; PTRACE_SEIZE with O_TRACESECCOMP when somebody is launched";
        let depth = Depth::from_word(settings.word("lookup"));
        Ok(Box::new(Launched::open(
            Manner::Filtered,
            depth,
            said.to_owned(),
        )?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        let mut findings = super::look::seccomp(roots, "trace");
        findings.push(super::look::yama(roots));
        findings
    }
}
