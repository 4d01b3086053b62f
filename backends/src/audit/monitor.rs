//! The monitor: attaches, reads until it is told to stop, counts what was lost, puts back.

use std::time::Duration;

use execlab_model::sighting::{LossReport, LossUnit};
use nix::sys::socket::{
    getsockopt, setsockopt,
    sockopt::{RcvBuf, RcvBufForce},
};

use super::{
    changes::Changes,
    control::{self, Control, Refused},
    reader::{Reader, Woken},
    rules::{ARCHITECTURES, Rule},
    wire::{Status, kind},
};
use crate::{AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock};

/// After so much silence the record that ends the drain is not going to come.
const SILENCE: Duration = Duration::from_secs(2);

/// Audit, owned.
#[derive(Debug)]
pub struct AuditMonitor {
    /// First, so that it is dropped first: rules go before the socket that their records come to.
    changes: Changes,
    reader: Reader,
    evidence: Vec<String>,
    /// The kernel's own counters when this was attached, and when they were last read.
    attached: Status,
    counted: Status,
    counted_ns: u64,
    problems: Vec<String>,
}

/// What rules the technique out on this machine is told apart from what should have worked.
fn refused(error: Refused) -> AttachError {
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

fn broken(error: Refused) -> MonitorError {
    MonitorError::Call {
        call: format!("{} on the audit socket", error.request),
        source: error.source,
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

impl AuditMonitor {
    pub fn attach(settings: &Settings) -> Result<Self, AttachError> {
        let mut control = Control::open().map_err(refused)?;
        let before = control.status().map_err(refused)?;
        let existing = control.rules().map_err(refused)?;
        if before.enabled > 1 {
            return Err(AttachError::Unsupported(
                "audit's configuration is locked until the next boot (enabled 2)".into(),
            ));
        }
        if let Some(reason) = existing.iter().find_map(Rule::blinds) {
            return Err(AttachError::Unsupported(reason));
        }

        let socket = control::open().map_err(refused)?;
        let wanted = usize::try_from(settings.number("rcvbuf")).expect("at most a gigabyte");
        if wanted > 0 {
            setsockopt(&socket, RcvBufForce, &wanted).map_err(AttachError::call(format!(
                "setsockopt(SO_RCVBUFFORCE, {wanted})"
            )))?;
        }
        let buffer =
            getsockopt(&socket, RcvBuf).map_err(AttachError::call("getsockopt(SO_RCVBUF)"))?;

        let exclude = excluded(settings.word("exclude"));
        let mut reader = Reader::new(
            socket,
            small(settings, "batch") as usize,
            !exclude.contains(&kind::PATH),
            Duration::from_millis(settings.number("linger")),
            settings.word("container-lookup") == "on",
        );
        let mut changes = Changes::new(control, before);
        reader.become_owner().map_err(|error| {
            if error.errno() != Some(libc::EEXIST) {
                return refused(error);
            }
            let owner = changes.control().status().map_or(before.pid, |s| s.pid);
            AttachError::Unsupported(format!(
                "audit has one owner at a time, and it is {}",
                process(owner)
            ))
        })?;
        changes.owned();

        let backlog = small(settings, "backlog");
        let wait = small(settings, "backlog-wait");
        let switched_on = Status {
            enabled: 1,
            // A machine that is set to panic on a lost record must not do so for a measurement.
            failure: before.failure.min(1),
            rate_limit: 0,
            backlog_limit: backlog,
            backlog_wait_time: wait,
            ..Status::default()
        };
        let all = Status::ENABLED
            | Status::FAILURE
            | Status::RATE_LIMIT
            | Status::BACKLOG_LIMIT
            | Status::BACKLOG_WAIT_TIME;
        changes.set(switched_on, all).map_err(refused)?;

        reader.starts_now();
        let mut added = Vec::new();
        let mut existed = Vec::new();
        let successful = settings.word("attempts") == "drop";
        let watches = ARCHITECTURES.map(|a| (a.name.to_owned(), Rule::execs(a, successful)));
        let excludes = exclude
            .iter()
            .map(|number| (format!("exclude {number}"), Rule::exclude(*number)));
        // The excludes first, so that there is no event with and one without.
        for (name, rule) in excludes.chain(watches) {
            let new = changes.add(rule, &existing).map_err(refused)?;
            let which = if new { &mut added } else { &mut existed };
            which.push(name);
        }

        let attached = changes.control().status().map_err(refused)?;
        let mut evidence = vec![
            format!(
                "owner is pid {}, enabled {} (was {})",
                attached.pid, attached.enabled, before.enabled
            ),
            format!(
                "backlog limit {} (was {}), backlog wait {} ticks (was {}), rate limit {} (was {})",
                attached.backlog_limit,
                before.backlog_limit,
                attached.backlog_wait_time,
                before.backlog_wait_time,
                attached.rate_limit,
                before.rate_limit
            ),
            format!("rules added: {}", added.join(", ")),
            format!(
                "receive buffer {buffer} bytes, tick {} ns",
                reader.tick_ns()
            ),
        ];
        if !existed.is_empty() {
            evidence.push(format!(
                "rules that were there before, and stay: {}",
                existed.join(", ")
            ));
        }
        if before.enabled == 0 {
            evidence.push("audit was off: processes older than this are not seen".into());
        }
        Ok(Self {
            changes,
            reader,
            evidence,
            attached,
            counted: attached,
            counted_ns: clock::monotonic_ns(),
            problems: Vec::new(),
        })
    }

    /// Reads the kernel's counter and reports what it grew by.
    fn count_losses(&mut self, seam: &mut Seam) -> Result<Status, MonitorError> {
        let status = self.changes.control().status().map_err(broken)?;
        let now = clock::monotonic_ns();
        let window_ns = (self.counted_ns, now);
        let lost = status.lost.wrapping_sub(self.counted.lost);
        if status.lost < self.counted.lost {
            // Somebody reset it.
            seam.loss(LossReport {
                source: "audit_status.lost was reset".into(),
                unit: LossUnit::Unknown,
                count: None,
                window_ns,
            })?;
        } else if lost > 0 {
            seam.loss(LossReport {
                source: "audit_status.lost".into(),
                unit: LossUnit::Record,
                count: Some(lost.into()),
                window_ns,
            })?;
        }
        (self.counted, self.counted_ns) = (status, now);
        Ok(status)
    }

    /// Puts a mark behind all records that wait in the kernel, and reads up to it.
    fn drain(&mut self, round: u32, seam: &mut Seam) -> Result<(), MonitorError> {
        let mark = format!("execlab-drain-{}-{round}", std::process::id());
        let sent = self.changes.control().user_message(&mark);
        let arrived = self.reader.drain_to(mark, SILENCE, seam)?;
        match sent {
            Err(error) => self
                .problems
                .push(format!("drained without a mark: {error}")),
            Ok(()) if !arrived => self
                .problems
                .push("the mark at the end of the drain never came".into()),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Reads all that is still on its way, counts, and looks whether anybody meddled.
    fn finish(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        self.drain(1, seam)?;
        if self.reader.counts().overruns > 0 {
            // Then the kernel has put records aside, and the mark may have overtaken them. It looks
            // after those whenever there is a new one, and by now there is room for all.
            self.drain(2, seam)?;
        }
        let counted_ns = self.counted_ns;
        let status = self.count_losses(seam)?;
        if status.pid != self.attached.pid || status.enabled == 0 {
            seam.loss(LossReport {
                source: format!(
                    "audit was taken away: owner {}, enabled {}",
                    status.pid, status.enabled
                ),
                unit: LossUnit::Unknown,
                count: None,
                window_ns: (counted_ns, self.counted_ns),
            })?;
        }
        self.problems.extend(self.changes.put_back());
        seam.flush()?;
        Ok(())
    }
}

impl Monitor for AuditMonitor {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            if self.reader.take_all(seam, stop)? == Woken::Stop {
                break;
            }
            if self.reader.was_suspicious() {
                self.count_losses(seam)?;
            }
            seam.flush()?;
            if self.reader.wait(stop)? == Woken::Stop {
                break;
            }
        }
        self.finish(seam)
    }

    fn notes(&self) -> Vec<String> {
        let counts = self.reader.counts();
        let waited = self
            .counted
            .backlog_wait_time_actual
            .wrapping_sub(self.attached.backlog_wait_time_actual);
        let mut notes = vec![
            format!(
                "{} records in {} wake-ups, {} execs ({} with records missing)",
                counts.records, counts.wakeups, counts.execs, counts.incomplete
            ),
            format!(
                "{} failed calls, {} calls that only checked",
                counts.failed, counts.checks
            ),
            format!("processes waited {waited} ticks for room in the backlog"),
            "audit_ever_enabled stays set until the next boot".into(),
        ];
        if let Some((found, gone)) = self.reader.lookups() {
            notes.push(format!(
                "cgroup looked up: {found} found, {gone} of processes that were gone"
            ));
        }
        for (count, what) in [
            (counts.overruns, "times the socket was full (ENOBUFS)"),
            (counts.earlier, "events from before the rules, in pieces"),
            (counts.cut, "records longer than their room"),
            (self.reader.malformed(), "records that could not be read"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
        notes.extend(self.problems.iter().cloned());
        notes
    }
}
