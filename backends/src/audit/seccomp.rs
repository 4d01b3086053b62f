//! `audit-seccomp`: a seccomp filter that logs each exec call, read through audit.
//!
//! # How it works
//!
//! A filter with the action `SECCOMP_RET_LOG` (Linux 4.14) lets `execve` and `execveat` pass, and has the kernel write
//! one audit record for each of them (SECCOMP, 1326; `audit_seccomp` in `kernel/auditsc.c`). A process has its filters
//! from its parent and keeps them over an exec, so whoever is to be watched has to descend from a process that
//! took the filter: here the one that is launched. There is no way to give a filter to somebody who already
//! runs. The record goes the way of all records, so this monitor is audit's owner as in [`super`]; but
//! no rule is needed, no context of audit's, no `audit=1`, and audit may stay switched off.
//!
//! The filter asks for the architecture first, since numbers mean other calls elsewhere: 59 and 322 of x86-64,
//! their x32 twins (520 and 545 with bit 30), 11 and 358 of i386. So it sees `int 0x80` and x32, which audit's rules cannot
//! name. Root needs no `no_new_privs` for it, which would switch off set-user-ID programs.
//!
//! # What it cannot see
//!
//! - What is executed. The filter sees registers and no memory; the record has pid, user, `comm` and `exe` of the
//!   caller, as it was before the call. There is no path, and no arguments.
//! - Whether it succeeds: the record is written before the call. Every attempt is reported, failed ones
//!   and mere checks (`AT_EXECVE_CHECK`) too; and an attempt of a process that is then executed after all (a shell that
//!   goes through `PATH`) cannot be told from that exec.
//! - Everybody who does not descend from the launched process; programs that the kernel starts.
//! - Of two filters that both have something to say the stricter one wins: where a sandbox of the process's own
//!   refuses, kills or notifies, nothing is logged.
//! - Parent and container. The cgroup is looked up in `/proc` afterwards, as in [`super`].
//!
//! # Loss
//!
//! As for every owner of audit: `audit_status.lost`, in records, of which an exec has one. So it is reported in
//! records, since the counter is of all types. `kernel.seccomp.actions_logged` must name `log`; it does unless somebody took
//! it away, and is put back as it was.
//!
//! # Cost
//!
//! The cheapest of the family: one record an exec, an eighth of what rules write. It is cheap because it tells so
//! little: that there was a call, and whose, of its own process tree; neither path nor arguments nor success. But the
//! filter runs at *each* system call of the watched processes (since 5.11 the kernel remembers for each number that it
//! is always allowed: `seccomp_cache_check_allow`). Tuned costs less: the reader is woken once for many records, and no
//! cgroup is looked up in `/proc`. That gives up the container and early sightings.
//!
//! Sources: `kernel/seccomp.c` (`seccomp_log`), seccomp(2), `Documentation/userspace-api/seccomp_filter.rst`.

use std::{fmt::Debug, fs, io};

use super::{
    AuditRules,
    monitor::{AuditMonitor, Channel},
    record::{Stamp, fields},
    settings,
    source::{Single, Source, Told},
    wire::kind,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    remains::Remains, seccomp_filter,
};

/// See the module.
#[derive(Debug)]
pub struct SeccompLog;

/// Which actions may write records, as names with spaces between.
const LOGGED: &str = "/proc/sys/kernel/seccomp/actions_logged";

/// As the record has it in `code`.
const RET_LOG: u32 = libc::SECCOMP_RET_LOG;

impl Backend for SeccompLog {
    fn name(&self) -> &'static str {
        "audit-seccomp"
    }

    fn about(&self) -> &'static str {
        "a seccomp filter that logs exec calls, read as audit's own daemon"
    }

    fn program(&self) -> &'static str {
        AuditRules.program()
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Audit,
            mechanism: "a record that a seccomp filter (RET_LOG) has written before the call, sent to audit's owner",
            needs: &[
                "CONFIG_SECCOMP_FILTER and CONFIG_AUDIT",
                "CAP_AUDIT_CONTROL in the initial user and PID namespaces",
                "CAP_SYS_ADMIN where the watched are launched",
                "no other audit daemon",
                "`log` in kernel.seccomp.actions_logged",
            ],
            since: Since {
                release: "4.14 (SECCOMP_RET_LOG)",
                series: None,
            },
            loss_signals: &["audit_status.lost"],
            reach: Reach::Descendants,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        settings::OF_SINGLE_RECORDS
    }

    fn kernel_threads(&self) -> &'static [&'static str] {
        AuditRules.kernel_threads()
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "audit's limits are set while it runs, and put back; audit itself is not switched on",
            "kernel.seccomp.actions_logged gets `log` while it runs, where it has not",
            "the storm's processes have a seccomp filter until their end",
            "another owner of audit (auditd) is left alone: then the backend is unsupported",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&OfSeccomp)
    }

    fn launch(&self, _: &Settings) -> Result<(), AttachError> {
        seccomp_filter::install(RET_LOG, 0)
            .map(drop)
            .map_err(AttachError::call("seccomp(SECCOMP_SET_MODE_FILTER)"))
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            uid: true,
            container: true,
            time: true,
            loss: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        seccomp_filter::available(RET_LOG).map_err(|error| {
            AttachError::Unsupported(format!(
                "seccomp(SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_LOG): {error}"
            ))
        })?;
        let logged = Logged::with_log().map_err(AttachError::call(LOGGED))?;
        let mut kept: Vec<Box<dyn Debug>> = Vec::new();
        kept.extend(logged.map(|logged| Box::new(logged) as Box<dyn Debug>));
        let source = Source::Single(Single {
            kind: kind::SECCOMP,
            read,
        });
        let monitor = AuditMonitor::attach(settings, source, Channel::Owner, kept)?;
        Ok(Box::new(monitor))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        let mut findings = super::look::look(roots, Channel::Owner);
        findings.push(super::look::seccomp(roots));
        findings
    }
}

/// Reads a SECCOMP record: whose call it was, if it was an exec that a filter had logged.
pub(super) fn read(stamp: Stamp, text: &[u8]) -> Told {
    let (mut pid, mut uid, mut arch, mut call, mut code) = (None, None, None, None, None);
    for (name, value) in fields(text) {
        match name {
            b"pid" => pid = value.number(),
            b"uid" => uid = value.number(),
            b"arch" => arch = value.hex_number(),
            b"syscall" => call = value.number::<u32>(),
            b"code" => code = value.prefixed_hex_number(),
            _ => {}
        }
    }
    let (Some(pid), Some(arch), Some(call), Some(code)) = (pid, arch, call, code) else {
        return Told::Malformed;
    };
    if code != RET_LOG || !seccomp_filter::CALLS.contains(&(arch, call)) {
        return Told::Other;
    }
    Told::Exec(Box::new(super::event::Exec {
        uid,
        ..super::event::Exec::of(stamp, pid)
    }))
}

/// The list of logged actions, to which `log` was added. Dropping it puts the list back.
#[derive(Debug)]
struct Logged {
    before: String,
}

impl Logged {
    /// Adds `log`; `None` where it is there already.
    fn with_log() -> io::Result<Option<Self>> {
        let before = fs::read_to_string(LOGGED)?.trim().to_owned();
        if names_log(&before) {
            return Ok(None);
        }
        fs::write(LOGGED, as_list(before.split_whitespace().chain(["log"])))?;
        let logged = Self { before };
        // It takes what it knows, and says nothing of the rest.
        let now = fs::read_to_string(LOGGED)?;
        if names_log(&now) {
            Ok(Some(logged))
        } else {
            Err(io::Error::other(format!(
                "it takes no `log`, and reads `{}`",
                now.trim()
            )))
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let before = as_list(self.before.split_whitespace());
        if let Err(error) = fs::write(LOGGED, before) {
            eprintln!("execlab-monitor: {LOGGED} is not put back: {error}");
        }
    }
}

/// A list as the kernel takes it: it stops at an empty word (`seccomp_names_to_actions_logged`, kernel/seccomp.c), and a
/// write of no bytes changes nothing, so an empty list is an end of line.
fn as_list<'a>(actions: impl Iterator<Item = &'a str>) -> String {
    let actions: Vec<_> = actions.collect();
    format!("{}\n", actions.join(" "))
}

/// Whether a list of logged actions has that of our filter.
pub(super) fn names_log(list: &str) -> bool {
    list.split_whitespace().any(|action| action == "log")
}

/// What a killed monitor leaves: what [`super`] leaves, and `log` in the list of actions.
#[derive(Debug)]
struct OfSeccomp;

impl OfSeccomp {
    /// The note of audit comes behind this line.
    const LIST: &'static str = "actions_logged ";
}

impl Remains for OfSeccomp {
    fn note(&self) -> Result<Option<String>, String> {
        let Some(audit) = super::remains::OfAudit.note()? else {
            return Ok(None);
        };
        let list = fs::read_to_string(LOGGED).map_err(|error| format!("{LOGGED}: {error}"))?;
        Ok(Some(format!("{}{}\n{audit}", Self::LIST, list.trim())))
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let (list, audit) = noted
            .strip_prefix(Self::LIST)
            .and_then(|rest| rest.split_once('\n'))
            .ok_or("what was noted of seccomp cannot be read")?;
        let mut done = super::remains::OfAudit.put_back(audit)?;
        let said = |error| format!("{LOGGED}: {error}");
        let now = fs::read_to_string(LOGGED).map_err(said)?;
        if names_log(&now) && !names_log(list) {
            fs::write(LOGGED, as_list(list.split_whitespace())).map_err(said)?;
            done.push("seccomp: took `log` from the actions that are logged".into());
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{event::Exec, kernel_text::untrusted};

    const STAMP: Stamp = Stamp {
        millis: 1_000,
        serial: 7,
    };

    fn told(text: &str) -> Told {
        read(STAMP, text.as_bytes())
    }

    #[test]
    fn a_record_of_a_real_kernel_tells_whose_call_it_was() {
        let text = r#" auid=4294967295 uid=1000 gid=0 ses=4294967295 subj=unconfined pid=312 comm="sh" exe="/bin/dash" sig=0 arch=c000003e syscall=59 compat=0 ip=0x7f5d4ed40a47 code=0x7ffc0000"#;
        let exec = Exec {
            uid: Some(1000),
            ..Exec::of(STAMP, 312)
        };
        assert_eq!(told(text), Told::Exec(Box::new(exec)));
        // A filter of somebody else that kills, and one that logs another call.
        assert_eq!(told(&text.replace("7ffc", "8000")), Told::Other);
        assert_eq!(told(&text.replace("syscall=59", "syscall=60")), Told::Other);
        assert_eq!(told(&text.replace("pid=312", "pid=x")), Told::Malformed);
    }

    #[test]
    fn a_list_has_no_empty_word_and_is_never_no_bytes() {
        assert_eq!(as_list([].into_iter()), "\n");
        assert_eq!(as_list("".split_whitespace().chain(["log"])), "log\n");
        assert_eq!(as_list("trap  errno".split_whitespace()), "trap errno\n");
    }

    #[test]
    fn the_list_of_actions_is_words() {
        assert!(names_log("kill_process trace log"));
        assert!(!names_log("kill_process trace logs"));
    }

    proptest! {
        #[test]
        fn a_name_that_looks_like_fields_changes_nothing(
            comm in proptest::collection::vec(1u8.., 0..16),
            pid in 1u32.., call in 0..seccomp_filter::CALLS.len(),
        ) {
            let (arch, number) = seccomp_filter::CALLS[call];
            let mut text = format!(" auid=1 uid=5 gid=0 ses=1 pid={pid} comm=").into_bytes();
            text.extend_from_slice(&untrusted(&comm));
            text.extend_from_slice(
                format!(" exe=\"/x\" sig=0 arch={arch:x} syscall={number} compat=0 ip=0x0 code=0x7ffc0000").as_bytes(),
            );
            let exec = Exec { uid: Some(5), ..Exec::of(STAMP, pid) };
            prop_assert_eq!(read(STAMP, &text), Told::Exec(Box::new(exec)));
        }

        #[test]
        fn garbage_is_never_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(STAMP, &text);
        }
    }
}
