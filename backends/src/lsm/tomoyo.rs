//! `tomoyo`: TOMOYO in learning mode, with a log of every exec.
//!
//! # How it works
//!
//! TOMOYO (Linux 2.6.30; this log since 3.1) checks each exec in `security_bprm_check` against its policy. In learning
//! mode it refuses nothing, and writes what it checked to a log of its own (`tomoyo_write_log2`), which this
//! monitor reads from `tomoyo/audit` in securityfs: a record a `read`, woken by `poll`. A record has thread, process,
//! parent and user, the path of the file with its device and inode, and the arguments with all of the environment.
//!
//! Debian has TOMOYO among its active modules, without a policy and switched off. It switches itself on when
//! `/sbin/init` is executed while there is a `/sbin/tomoyo-init` that would load the policy (`tomoyo_load_policy`). So
//! this monitor writes a policy of its own first, then executes a program of that name in a root folder
//! where both are. The policy has one profile for everybody (`0`): learning for `file::execute`, nothing for anything else.
//!
//! # Learning
//!
//! With `learning=on`, as guides have it, each new pair of program and file is added to the policy and granted from then on, and
//! each chain of programs becomes a domain (`<kernel> /sbin/init /bin/sh …`), which is never freed. With `off`
//! nothing is learned (`max_learning_entry=0`), all processes stay in one domain (`keep_domain`), so every exec is a
//! violation of an empty policy, logged all the same, and counted.
//!
//! # What it cannot see
//!
//! - Whether the exec succeeds: the hook comes before the file's format is known (ENOEXEC is reported). A file
//!   that cannot be opened never gets that far, and a mere check (`AT_EXECVE_CHECK`) ends before.
//! - The interpreter of a script: it is checked as a file that is read. The path is the script's.
//! - The process, where another thread than its first calls exec: the record has that thread's id
//!   (`global-pid` is `task_pid_nr`), and the process's in its own namespace only. Parents likewise: one is told
//!   where both numbers are the same, so that the namespace is the initial one.
//! - The time, finer than a second. The string that was passed (it is made a full path). A container.
//! - Arguments beyond 8 KiB, together with the environment.
//!
//! The path is that from the root of the mount namespace (`d_absolute_path`), also of a chroot, without ` (deleted)`; on file systems
//! without `rename` it has their name before it (`proc:/self/exe`).
//!
//! # Loss
//!
//! The kernel keeps `audit-log` records (1,024 unless a profile says otherwise) and drops all that come while so many
//! wait, in silence (`tomoyo_get_audit`). But what the policy does not grant is counted as a violation
//! (`tomoyo/stat`), logged or not. So with `learning=off` the count of violations less that of records is exactly
//! what was lost, in execs. With `on` only those count that were not granted yet, and it is a part of it.
//!
//! # What it leaves behind
//!
//! Logging is switched off and `keep_domain` taken back. That TOMOYO was switched on, and what it learned, stays until the next
//! boot: that is why it is for guests alone.
//!
//! # Cost
//!
//! The process that calls exec pays for nearly all of it: it looks the path up once more, and writes out arguments,
//! environment and attributes before it goes on. That is the dearest of the family, dearer than `apparmor`'s one line,
//! and buys arguments, parent and user, and the whole system instead of one tree. With `learning=on` it also finds or
//! makes the domain of each program that it becomes, and searches the policy of that one. Tuned costs less: `off`
//! spares both, and makes losses countable; and with `linger` the reader is woken once for many records, for sightings
//! that come later.
//!
//! Sources: `security/tomoyo/` (`audit.c`, `common.c`, `domain.c`, `load_policy.c`); tomoyo.sourceforge.net,
//! "Policy specifications".

use std::path::Path;

use super::SECURITYFS;
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

mod monitor;
mod policy;
mod record;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use record::check as fuzz;

use monitor::TomoyoMonitor;

/// See the module.
#[derive(Debug)]
pub struct Tomoyo;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "audit-log",
        help: "records that the kernel keeps for the reader, and beyond which it drops \
               (max_audit_log; the kernel starts with 1024)",
        kind: Kind::Number(1, 1 << 20),
        default: "1024",
        tuned: "65536",
    },
    Setting {
        name: "learning",
        help: "whether what is seen is added to the policy (on), or nothing is, which makes losses countable (off)",
        kind: Kind::Word(&["on", "off"]),
        default: "on",
        tuned: "off",
    },
    Setting {
        name: "linger",
        help: "milliseconds to let records gather after the first wakes the reader: fewer \
               wake-ups, later sightings",
        kind: Kind::Number(0, 1000),
        default: "0",
        tuned: "10",
    },
];

impl Backend for Tomoyo {
    fn name(&self) -> &'static str {
        "tomoyo"
    }

    fn about(&self) -> &'static str {
        "TOMOYO in learning mode, with its log of every exec"
    }

    fn program(&self) -> &'static str {
        "lsm"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Lsm,
            mechanism: "a log of what TOMOYO checked before the exec, read from securityfs",
            needs: &[
                "TOMOYO among the active security modules, without a policy",
                "securityfs, and root",
                "CONFIG_SECURITY_TOMOYO_OMIT_USERSPACE_LOADER not set",
            ],
            since: Since {
                release: "3.1",
                series: None,
            },
            loss_signals: &["violations in tomoyo/stat that have no record"],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "TOMOYO is switched on, in learning mode for execs, and learns while it runs; it stays on until the next boot",
        ]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("TOMOYO cannot be switched off again before the next boot, and keeps what it learned")
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: false,
            time: true,
            loss: true,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let folder = Path::new(SECURITYFS).join("tomoyo");
        Ok(Box::new(TomoyoMonitor::attach(folder, settings)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        use crate::look::{Capability, Finding};
        let folder = roots.sys.join("kernel/security/tomoyo");
        let found = match std::fs::read_to_string(folder.join("profile")) {
            Ok(profile) if profile.lines().any(|line| line.starts_with("0-")) => Finding::bad(
                "TOMOYO",
                "it has a policy already",
                "boot without /sbin/tomoyo-init",
            ),
            Ok(_) => Finding::good("TOMOYO", "it is active, and has no policy"),
            Err(error) => Finding::bad(
                "TOMOYO",
                format!("/sys/kernel/security/tomoyo/profile cannot be read: {error}"),
                "boot with `tomoyo` among the modules of `lsm=`, and mount securityfs",
            ),
        };
        vec![found, Capability::SysAdmin.look(roots)]
    }
}
