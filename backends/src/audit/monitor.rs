//! The monitor: reads until it is told to stop, counts what was lost, puts back.

use std::{fmt::Debug, time::Duration};

use execlab_model::sighting::{LossReport, LossUnit};

use super::{
    changes::Changes,
    control::Refused,
    reader::{Reader, Woken},
    wire::Status,
};
use crate::{Monitor, MonitorError, Seam, Stop, clock};

/// After so much silence the record that ends the drain is not going to come.
const SILENCE: Duration = Duration::from_secs(2);

/// Audit, attached; see [`super::attach`].
#[derive(Debug)]
pub struct AuditMonitor {
    /// First, so that it is dropped first: rules go before the socket that their records come to.
    pub(super) changes: Changes,
    pub(super) reader: Reader,
    pub(super) channel: Channel,
    /// What else is put back when this is dropped.
    pub(super) _kept: Vec<Box<dyn Debug>>,
    pub(super) evidence: Vec<String>,
    /// The kernel's own counters when this was attached, and when they were last read.
    pub(super) attached: Status,
    pub(super) counted: Status,
    pub(super) dropped: u32,
    /// Records that could not be read, as far as they are reported.
    pub(super) malformed: u64,
    pub(super) counted_ns: u64,
    pub(super) problems: Vec<String>,
}

/// How records come to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// It is audit's owner: what it has not taken waits in the kernel, and what is lost is counted.
    Owner,
    /// It reads the multicast group: what it has not room for is gone.
    Group,
}

fn broken(error: Refused) -> MonitorError {
    MonitorError::Call {
        call: format!("{} on the audit socket", error.request),
        source: error.source,
    }
}

impl AuditMonitor {
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
        } else if lost > 0 && self.loses_with_the_owner() {
            seam.loss(LossReport {
                source: "audit_status.lost".into(),
                unit: LossUnit::Record,
                count: Some(lost.into()),
                window_ns,
            })?;
        }
        self.count_drops(window_ns, seam)?;
        self.count_malformed(window_ns, seam)?;
        (self.counted, self.counted_ns) = (status, now);
        Ok(status)
    }

    /// Whether what the kernel counts as lost may be lost to this reader. With no owner it counts what it
    /// would have kept for one, and readers of the group have that.
    fn loses_with_the_owner(&self) -> bool {
        self.channel == Channel::Owner || self.attached.pid != 0
    }

    /// What did not fit into the socket. The owner gets that again, readers of the group do not.
    fn count_drops(&mut self, window_ns: (u64, u64), seam: &mut Seam) -> Result<(), MonitorError> {
        if self.channel == Channel::Owner {
            return Ok(());
        }
        let drops = self.reader.drops();
        let drops = drops.map_err(MonitorError::call("getsockopt(SO_MEMINFO)"))?;
        let new = drops.wrapping_sub(std::mem::replace(&mut self.dropped, drops));
        if new > 0 {
            seam.loss(LossReport {
                source: "ENOBUFS on the multicast socket".into(),
                unit: LossUnit::Record,
                count: Some(new.into()),
                window_ns,
            })?;
        }
        Ok(())
    }

    /// A record that cannot be read may have been an exec's.
    fn count_malformed(
        &mut self,
        window_ns: (u64, u64),
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        let malformed = self.reader.malformed();
        let new = malformed - std::mem::replace(&mut self.malformed, malformed);
        if new > 0 {
            seam.loss(LossReport {
                source: "records that could not be read".into(),
                unit: LossUnit::Record,
                count: Some(new),
                window_ns,
            })?;
        }
        Ok(())
    }

    /// Puts a mark behind all records that wait in the kernel, and reads up to it.
    fn drain(&mut self, round: u32, seam: &mut Seam) -> Result<(), MonitorError> {
        let mark = format!("execlab-drain-{}-{round}", std::process::id());
        let switched_on = self.attached.enabled != 0;
        let sent = self.changes.control().user_message(&mark, switched_on);
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
        if status.pid != self.attached.pid || status.enabled < self.attached.enabled {
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
        ];
        if self.attached.enabled != 0 {
            notes.push("audit_ever_enabled stays set until the next boot".into());
        }
        if !self.loses_with_the_owner() {
            let lost = self.counted.lost.wrapping_sub(self.attached.lost);
            notes.push(format!(
                "{lost} records that the kernel could not keep for an owner"
            ));
        }
        if let Some((found, gone)) = self.reader.lookups() {
            notes.push(format!(
                "cgroup looked up: {found} found, {gone} of processes that were gone"
            ));
        }
        for (count, what) in [
            (counts.overruns, "times the socket was full (ENOBUFS)"),
            (counts.earlier, "events from before the rules, in pieces"),
            (counts.cut, "records longer than their room"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
        notes.extend(self.problems.iter().cloned());
        notes
    }
}
