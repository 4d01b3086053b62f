//! `audit`: rules for `execve` and `execveat`, read by the one process that audit sends to.
//!
//! # How it works
//!
//! A rule on the exit list makes the kernel write a group of records each time a process leaves one
//! of these calls: SYSCALL (who, and `exe=`, the file that now runs), EXECVE (the arguments, read
//! from the new image), CWD, one PATH for each file that was looked up (the first has the string
//! that was passed, with device and inode), PROCTITLE, EOE. The kernel thread `kauditd` sends them one
//! by one to the process that registered as audit's daemon; time and serial tell which belong together.
//! That process is this monitor. It is a daemon of its own and not a reader of the multicast group,
//! because the group drops records without counting them when its reader is slow
//! (`audit_status.lost` stays zero), while for the owner records wait in the kernel and every lost
//! one is counted.
//!
//! Rules match on a system call's number, so there are two: for 64-bit callers (59 and 322) and
//! for 32-bit ones (11 and 358). They stand before everybody's and carry the key `execlab`.
//!
//! All of this exists since long before Linux 5.10. Needed are `CONFIG_AUDITSYSCALL`, root
//! (`CAP_AUDIT_CONTROL`), the initial PID and user namespaces, and that there is no other daemon.
//! `audit=1` on the kernel's command line makes all processes visible: without it those that were
//! forked before audit was first switched on stay invisible until their end, and only their later
//! children are seen (`audit_alloc` gives a task its context at fork).
//!
//! # What it cannot see
//!
//! - Programs that the kernel itself starts (`modprobe`, core dump handlers): no system call.
//! - The calls of the x32 table, whose numbers do not fit into a rule.
//! - A container: there is no field for a cgroup or a namespace in any kernel so far. `exe=` is
//!   relative to the process's own root. See `container-lookup`.
//! - The script behind `exe=`: that is the interpreter; the script is the first PATH and in argv.
//! - The `dirfd` of `execveat`: a relative name with one cannot be made absolute, but `exe=` is.
//! - Time finer than two ticks and a millisecond, 9 ms on Debian, of when the call began.
//!
//! A call that only checks (`AT_EXECVE_CHECK`, 6.14) looks like a successful `execveat` and differs by
//! its missing EXECVE record, which is why that record is asked for; it is counted, not reported.
//!
//! # Who waits
//!
//! When more than `backlog` records wait, processes sleep up to `backlog-wait` ticks before their record is lost: audit
//! would rather slow the machine down than lose. The kernel's own limit of 64 suits no storm; distributions ship 8,192
//! and 60,000 ticks in their base rules (`10-base-config.rules` of audit-userspace), and so does the default here.
//! osquery waits for nothing (0) and loses instead.
//!
//! # Loss
//!
//! The kernel counts every record that it gives up (`audit_status.lost`). Since it writes SYSCALL
//! first and stops there if that fails, an exec loses at least one record and mostly just that one.
//! The counter is read when attaching, when something looks like loss (ENOBUFS, an event with records
//! missing) and at the end; not on a timer, because the kernel starts a thread for each answer.
//! ENOBUFS alone is no loss: the kernel keeps the record and sends it again. At the end a
//! record of our own is put behind all others, and everything up to it is read.
//!
//! # What it leaves behind
//!
//! Rules, limits, `enabled` and the owner are put back as they were when the monitor is dropped, also
//! by a panic that unwinds. Three things cannot be: `audit_ever_enabled` stays set until the next
//! boot, and with it the context that each new process gets; the `lost` counter and the serial
//! number keep what was added to them. A monitor that is killed by SIGKILL leaves rules and limits behind, and itself
//! as an owner whom the kernel forgets only when it has a record for it: where the machine lives on,
//! [`remains`] puts them back.
//!
//! # Cost
//!
//! Six to nine records an exec are written as text by the process itself on its way out of the call, sent one by one by
//! `kauditd`, and taken apart again by the reader. Against `audit-seccomp`, the cheapest of the family, that buys path,
//! arguments, parent, user and success, of the whole system. Tuned costs less: two records that nobody reads here are
//! not made (`exclude=unused`), the reader is woken once for many, and no cgroup is looked up in `/proc`. It gives up
//! the container, early sightings, and the count of calls that fail, which the rule then drops.
//!
//! Sources: `kernel/audit.c`, `kernel/auditsc.c`, `kernel/auditfilter.c`; auditctl(8); osquery's
//! `auditdnetlink.cpp`; audit-userspace's rules; and what five kernels answered when tried.

use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    remains::Remains,
};

pub mod apparmor;
mod arguments;
mod assembler;
mod attach;
mod batch;
mod changes;
mod container;
mod control;
mod event;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
mod kernel_text;
#[cfg(feature = "look")]
mod look;
mod monitor;
pub mod multicast;
mod reader;
mod record;
mod remains;
mod rules;
pub mod seccomp;
mod settings;
pub mod sixty_four;
mod source;
mod stand_in;
mod when;
mod wire;

use monitor::{AuditMonitor, Channel};
use rules::ARCHITECTURES;
use source::Source;

/// See the module.
#[derive(Debug)]
pub struct AuditRules;

impl Backend for AuditRules {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn about(&self) -> &'static str {
        "audit rules for execve and execveat, read as audit's own daemon"
    }

    fn program(&self) -> &'static str {
        "audit"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Audit,
            mechanism: "records that the process writes as it leaves the call, sent to audit's one owner",
            needs: &[
                "CONFIG_AUDITSYSCALL",
                "CAP_AUDIT_CONTROL in the initial user and PID namespaces",
                "no other audit daemon",
                "audit=1 at boot, for processes that are older than audit's first use",
            ],
            since: Since {
                release: "3.17 (execveat: 3.19)",
                series: None,
            },
            loss_signals: &["audit_status.lost"],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        settings::OF_RULES
    }

    fn boot_options(&self) -> &'static [&'static str] {
        &["audit=1"]
    }

    /// `kauditd` sends what the processes queued (`kauditd_thread`, kernel/audit.c). It runs in the
    /// baseline too, where it has nothing to send.
    fn kernel_threads(&self) -> &'static [&'static str] {
        &["kauditd"]
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "audit is switched on, its limits are set and exec rules added while it runs; all of that is put back",
            "`audit_ever_enabled` stays set until the next boot: processes that start later pay a little for it",
            "another owner of audit (auditd) is left alone: then the backend is unsupported",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&remains::OfAudit)
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: true,
            loss: true,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let source = Source::Rules(&ARCHITECTURES);
        let monitor = AuditMonitor::attach(settings, source, Channel::Owner, Vec::new())?;
        Ok(Box::new(monitor))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        look::look(roots, Channel::Owner)
    }
}
