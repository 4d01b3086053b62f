//! Attaching: what a row asks of audit, and what is changed for it.

use std::{fmt::Debug, time::Duration};

use netlink_sys::Socket;
use nix::sys::socket::{
    getsockopt, setsockopt,
    sockopt::{RcvBuf, RcvBufForce},
};

use super::{
    changes::Changes,
    control::{self, Control, Refused},
    monitor::{AuditMonitor, Channel},
    reader::Reader,
    rules::Rule,
    source::{Parser, Source},
    wire::{Status, kind},
};
use crate::{AttachError, Settings, clock};

/// What rules the technique out on this machine is told apart from what should have worked.
pub fn refused(error: Refused) -> AttachError {
    match error.errno() {
        Some(libc::EPROTONOSUPPORT) => {
            AttachError::Unsupported(format!("{error}: this kernel is built without audit"))
        }
        Some(libc::ECONNREFUSED) => AttachError::Unsupported(format!(
            "{error}: audit takes orders from the initial PID and user namespaces only"
        )),
        Some(libc::EPERM) => {
            AttachError::Unsupported(format!("{error}: it takes CAP_AUDIT_CONTROL"))
        }
        _ => AttachError::Call {
            call: format!("{} on the audit socket", error.request),
            source: error.source,
        },
    }
}

/// A process as people know it.
fn process(pid: u32) -> String {
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("process {pid} ({})", name.trim_end()),
        Err(_) => format!("process {pid}"),
    }
}

/// The record types that a value of the setting `exclude` names.
fn excluded(word: &str) -> &'static [u16] {
    match word {
        "proctitle" => &[kind::PROCTITLE],
        "unused" => &[kind::PROCTITLE, kind::CWD],
        "paths" => &[kind::PROCTITLE, kind::CWD, kind::PATH],
        _ => &[],
    }
}

fn small(settings: &Settings, name: &str) -> u32 {
    u32::try_from(settings.number(name)).expect("the table of settings bounds it")
}

/// The rules that a source needs, by their names in the evidence: the excludes first, so that there is no event
/// with and one without.
fn rules(source: Source, settings: &Settings) -> Vec<(String, Rule)> {
    let Source::Rules(architectures) = source else {
        return Vec::new();
    };
    let successful = settings.word("attempts") == "drop";
    let watches = architectures
        .iter()
        .map(|a| (a.name.to_owned(), Rule::execs(*a, successful)));
    excluded(settings.word("exclude"))
        .iter()
        .map(|number| (format!("exclude {number}"), Rule::exclude(*number)))
        .chain(watches)
        .collect()
}

/// Why nothing could be heard beside a rule of somebody else.
fn blinded(source: Source, existing: &[Rule]) -> Option<String> {
    match source {
        Source::Rules(_) => existing.iter().find_map(Rule::blinds),
        Source::Single(single) => existing
            .iter()
            .any(|rule| rule.excludes(single.kind))
            .then(|| format!("an exclude rule drops every record of type {}", single.kind)),
    }
}

/// Whether PATH records are made at all.
fn has_paths(source: Source, settings: &Settings) -> bool {
    matches!(source, Source::Rules(_)) && !excluded(settings.word("exclude")).contains(&kind::PATH)
}

/// How long the rest of an event may keep its reader waiting.
fn patience(channel: Channel) -> Duration {
    match channel {
        // The kernel retries a record for half a second (5 times 100 ms) before it puts it on hold.
        Channel::Owner => Duration::from_secs(2),
        // Nothing comes a second time; but kauditd may have to wait for a processor between two records.
        Channel::Group => Duration::from_millis(500),
    }
}

/// Sets the size of the receive buffer (0: leaves it), and says how large it is.
fn size_buffer(socket: &Socket, wanted: u64) -> Result<usize, AttachError> {
    let wanted = usize::try_from(wanted).expect("at most a gigabyte");
    if wanted > 0 {
        setsockopt(socket, RcvBufForce, &wanted).map_err(AttachError::call(format!(
            "setsockopt(SO_RCVBUFFORCE, {wanted})"
        )))?;
    }
    getsockopt(socket, RcvBuf).map_err(AttachError::call("getsockopt(SO_RCVBUF)"))
}

fn become_owner(
    reader: &mut Reader,
    changes: &mut Changes,
    before: u32,
) -> Result<(), AttachError> {
    reader.become_owner().map_err(|error| {
        if error.errno() != Some(libc::EEXIST) {
            return refused(error);
        }
        let owner = changes.control().status().map_or(before, |s| s.pid);
        AttachError::Unsupported(format!(
            "audit has one owner at a time, and it is {}",
            process(owner)
        ))
    })?;
    changes.owned();
    Ok(())
}

impl AuditMonitor {
    /// Attaches to audit for `source`. What is in `kept` was done for it before, and is dropped with the monitor.
    pub fn attach(
        settings: &Settings,
        source: Source,
        channel: Channel,
        kept: Vec<Box<dyn Debug>>,
    ) -> Result<Self, AttachError> {
        let mut control = Control::open().map_err(refused)?;
        let before = control.status().map_err(refused)?;
        let existing = control.rules().map_err(refused)?;
        if before.enabled > 1 {
            return Err(AttachError::Unsupported(
                "audit's configuration is locked until the next boot (enabled 2)".into(),
            ));
        }
        if let Some(reason) = blinded(source, &existing) {
            return Err(AttachError::Unsupported(reason));
        }

        let socket = match channel {
            Channel::Owner => control::open(),
            Channel::Group => control::join_readers(),
        };
        let socket = socket.map_err(refused)?;
        let buffer = size_buffer(&socket, settings.number("rcvbuf"))?;
        let mut reader = Reader::new(
            socket,
            small(settings, "batch") as usize,
            Parser::new(source, has_paths(source, settings)),
            Duration::from_millis(settings.number("linger")),
            patience(channel),
            settings.word("container-lookup") == "on",
        );
        let mut changes = Changes::new(control, before);
        if channel == Channel::Owner {
            become_owner(&mut reader, &mut changes, before.pid)?;
        }

        let switched_on = Status {
            enabled: 1,
            // A machine that is set to panic on a lost record must not do so for a measurement.
            failure: before.failure.min(1),
            rate_limit: 0,
            backlog_limit: small(settings, "backlog"),
            backlog_wait_time: small(settings, "backlog-wait"),
            ..Status::default()
        };
        let limits = Status::FAILURE
            | Status::RATE_LIMIT
            | Status::BACKLOG_LIMIT
            | Status::BACKLOG_WAIT_TIME;
        // Only what the exit of a call records needs audit to be switched on.
        let mask = match source {
            Source::Rules(_) => Status::ENABLED | limits,
            Source::Single(_) => limits,
        };
        changes.set(switched_on, mask).map_err(refused)?;

        reader.starts_now();
        let mut added = Vec::new();
        let mut existed = Vec::new();
        for (name, rule) in rules(source, settings) {
            let new = changes.add(rule, &existing).map_err(refused)?;
            let which = if new { &mut added } else { &mut existed };
            which.push(name);
        }

        let attached = changes.control().status().map_err(refused)?;
        let mut evidence = vec![
            match channel {
                Channel::Owner => format!(
                    "owner is pid {}, enabled {} (was {})",
                    attached.pid, attached.enabled, before.enabled
                ),
                Channel::Group => format!(
                    "reads multicast group 1; owner is {}, enabled {} (was {})",
                    if attached.pid == 0 {
                        "nobody".to_owned()
                    } else {
                        process(attached.pid)
                    },
                    attached.enabled,
                    before.enabled
                ),
            },
            format!(
                "backlog limit {} (was {}), backlog wait {} ticks (was {}), rate limit {} (was {})",
                attached.backlog_limit,
                before.backlog_limit,
                attached.backlog_wait_time,
                before.backlog_wait_time,
                attached.rate_limit,
                before.rate_limit
            ),
            format!(
                "receive buffer {buffer} bytes, tick {} ns",
                reader.tick_ns()
            ),
        ];
        if !added.is_empty() {
            evidence.insert(2, format!("rules added: {}", added.join(", ")));
        }
        if !existed.is_empty() {
            evidence.push(format!(
                "rules that were there before, and stay: {}",
                existed.join(", ")
            ));
        }
        if before.enabled == 0 && attached.enabled == 1 {
            evidence.push("audit was off: processes older than this are not seen".into());
        }
        Ok(Self {
            malformed: reader.malformed(),
            dropped: reader
                .drops()
                .map_err(AttachError::call("getsockopt(SO_MEMINFO)"))?,
            changes,
            reader,
            channel,
            _kept: kept,
            evidence,
            attached,
            counted: attached,
            counted_ns: clock::monotonic_ns(),
            problems: Vec::new(),
        })
    }
}
