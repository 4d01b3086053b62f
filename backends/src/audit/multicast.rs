//! `audit-multicast`: the same records, read from the multicast group beside another owner.
//!
//! # How it works
//!
//! Audit sends each record to its one owner, and a copy of it to the netlink group
//! `AUDIT_NLGRP_READLOG` (Linux 3.16; `kauditd_send_multicast_skb`, `kernel/audit.c`). Any number of processes may
//! read that group, with `CAP_AUDIT_READ` and in the initial network namespace: journald does, and agents that have
//! to live with an auditd. Records, rules and limits are those of [`super`], and so is what cannot be seen.
//! Only the rules are this monitor's own; where a machine has an owner, that one stays.
//!
//! Where it has none, a process of ours registers, takes every record and does nothing with it (setting
//! `owner`). Without anybody the kernel writes each record to its own log too (`kauditd_hold_skb`), with
//! `audit=1` keeps it for an owner that may come, and counts it as lost when it has kept `backlog` of them,
//! though the group had them all.
//!
//! # Loss
//!
//! The kernel never waits for readers of the group. A record for which the socket has no room is dropped; the reader
//! gets ENOBUFS once, and nothing more is put into the socket until it was read empty
//! (`NETLINK_S_CONGESTED`, `netlink_broadcast_deliver`). `audit_status.lost` knows nothing of that. How many
//! records went is in the socket's own counter (`SO_MEMINFO`, 4.12), which is read when something looks
//! like loss and at the end; how many execs they were is not known, since an exec has six to nine. The
//! counter `lost` is read too where audit has an owner: what the kernel gave up before it sent it is lost to
//! everybody; but what it could not give to the owner counts there as well, so it may tell of
//! more than was lost here.
//!
//! With the buffer that a socket is born with, 212,992 bytes, some 240 records fit, or 35 execs: a `default` as whoever
//! opens a socket has it. A larger one is all that there is against loss, and `tuned` takes it.
//!
//! # Cost
//!
//! What [`super`] costs, one copy of each record (`skb_copy`), and the owner, who reads everything too: that makes it
//! the dearest of the family. It buys a place beside another owner (auditd). Tuned saves what it saves in [`super`],
//! and gives up the same, but does not linger: while a reader waits its buffer fills, and what a full one cannot take
//! is lost. So it is woken more often than the others. The larger buffer costs memory.
//!
//! Sources: `kernel/audit.c`, `net/netlink/af_netlink.c`; systemd's `journald-audit.c`.

use std::fmt::Debug;

use super::{
    AuditRules,
    monitor::{AuditMonitor, Channel},
    rules::ARCHITECTURES,
    settings,
    source::Source,
    stand_in::StandIn,
};
use crate::{
    AttachError, Backend, Kind, Monitor, Offers, Portrait, Setting, Settings, Since,
    remains::Remains,
};

/// See the module.
#[derive(Debug)]
pub struct Multicast;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "owner",
        help: "who owns audit where nobody does: a process of ours that drops all records (stand-in), or \
               nobody (none)",
        kind: Kind::Word(&["stand-in", "none"]),
        default: "stand-in",
        tuned: "stand-in",
    },
    settings::BACKLOG,
    settings::BACKLOG_WAIT,
    Setting {
        help: "bytes of the socket's receive buffer (0: as the kernel gives it); what a full one cannot \
               take is lost",
        default: "0",
        ..settings::RCVBUF
    },
    settings::EXCLUDE,
    settings::ATTEMPTS,
    settings::BATCH,
    Setting {
        // A reader that waits has its buffer filled meanwhile.
        tuned: "0",
        ..settings::LINGER
    },
    settings::CONTAINER_LOOKUP,
];

impl Backend for Multicast {
    fn name(&self) -> &'static str {
        "audit-multicast"
    }

    fn about(&self) -> &'static str {
        "audit rules for execve and execveat, read from the multicast group beside another owner"
    }

    fn program(&self) -> &'static str {
        AuditRules.program()
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            mechanism: "records that the process writes as it leaves the call, copied to a netlink group",
            needs: &[
                "CONFIG_AUDITSYSCALL",
                "CAP_AUDIT_READ, and CAP_AUDIT_CONTROL for the rules, in the initial user and PID namespaces",
                "the initial network namespace",
                "audit=1 at boot, for processes that are older than audit's first use",
            ],
            since: Since {
                release: "3.17 (group: 3.16; execveat: 3.19)",
                series: None,
            },
            loss_signals: &[
                "ENOBUFS",
                "drops of the socket (SO_MEMINFO)",
                "audit_status.lost",
            ],
            ..AuditRules.portrait()
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn boot_options(&self) -> &'static [&'static str] {
        AuditRules.boot_options()
    }

    fn kernel_threads(&self) -> &'static [&'static str] {
        AuditRules.kernel_threads()
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "audit is switched on, its limits are set and exec rules added while it runs; all of that is put back",
            "`audit_ever_enabled` stays set until the next boot: processes that start later pay a little for it",
            "where audit has no owner, a process of execlab is it while it runs; another one (auditd) stays, and gets \
             the records too",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        AuditRules.remains()
    }

    fn offers(&self) -> Offers {
        AuditRules.offers()
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let mut kept: Vec<Box<dyn Debug>> = Vec::new();
        if settings.word("owner") == "stand-in" {
            let started = StandIn::start();
            let started = started.map_err(AttachError::call("AUDIT_SET pid of a stand-in"))?;
            kept.extend(started.map(|stand_in| Box::new(stand_in) as Box<dyn Debug>));
        }
        let source = Source::Rules(&ARCHITECTURES);
        let monitor = AuditMonitor::attach(settings, source, Channel::Group, kept)?;
        Ok(Box::new(monitor))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, Channel::Group)
    }
}
