//! The reader of TOMOYO's log.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use execlab_model::sighting::{Argv, LossReport, LossUnit, Sighting};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    policy::Policy,
    record::{self, Record, Told},
};
use crate::{AttachError, Monitor, MonitorError, Seam, Settings, Stop, clock};

/// A record is shorter: 4,096 bytes of a header, 8,192 of arguments, three paths of four times 4,096.
const ROOM: usize = 64 << 10;
const SECOND_NS: u64 = 1_000_000_000;
/// The clock of stamps (`ktime_get_real_seconds`) moves with the tick, and is up to two of the slowest ones (100 a
/// second) behind: an exec at the start of a second may still have the stamp of the one before.
const BEHIND_NS: u64 = 20_000_000;

/// TOMOYO, switched on.
#[derive(Debug)]
pub struct TomoyoMonitor {
    /// Dropped first: nothing is logged any more when the log is closed.
    policy: Policy,
    folder: PathBuf,
    log: File,
    linger: Duration,
    /// The part of a record that was read.
    pending: Vec<u8>,
    /// Violations when this was attached, and when they were last counted.
    violations: u64,
    counted_ns: u64,
    /// Records of violations since then.
    ungranted: u64,
    /// Execs that were reported as lost.
    lost: u64,
    records: u64,
    others: u64,
    malformed: u64,
    wakeups: u64,
    evidence: Vec<String>,
}

impl TomoyoMonitor {
    /// Sets the policy, and opens the log behind whatever is in it. `folder` is TOMOYO's in securityfs.
    pub fn attach(folder: PathBuf, settings: &Settings) -> Result<Self, AttachError> {
        let learning = settings.word("learning") == "on";
        let policy = Policy::set(&folder, settings.number("audit-log"), learning)?;
        let log = File::open(folder.join("audit"));
        let log = log.map_err(AttachError::call("open of tomoyo/audit"))?;
        let counted = violations(&folder).map_err(AttachError::call("read of tomoyo/stat"))?;
        let mut this = Self {
            folder,
            log,
            linger: Duration::from_millis(settings.number("linger")),
            pending: Vec::new(),
            violations: counted,
            counted_ns: clock::monotonic_ns(),
            ungranted: 0,
            lost: 0,
            records: 0,
            others: 0,
            malformed: 0,
            wakeups: 0,
            evidence: Vec::new(),
            policy,
        };
        // The exec that switched it on, and whatever else was checked so far.
        let mut before = 0;
        let drained = this.take(|_| {
            before += 1;
            Ok(())
        });
        drained
            .map_err(|error| AttachError::call("read of tomoyo/audit")(io::Error::other(error)))?;
        this.evidence = vec![
            format!("profile of everybody: {}", this.policy.profile()),
            format!("{counted} violations counted and {before} execs logged before"),
        ];
        Ok(this)
    }

    /// Reads the log until it is empty, and hands over each exec in it.
    fn take(
        &mut self,
        mut each: impl FnMut(Record) -> Result<(), MonitorError>,
    ) -> Result<(), MonitorError> {
        let mut room = vec![0; ROOM];
        loop {
            let read = self.log.read(&mut room);
            let length = read.map_err(MonitorError::call("read(tomoyo/audit)"))?;
            if length == 0 {
                return Ok(());
            }
            self.pending.extend_from_slice(&room[..length]);
            // A zero stands behind each record (`tomoyo_flush`).
            while let Some(end) = self.pending.iter().position(|&byte| byte == 0) {
                let told = record::read(&self.pending[..end]);
                self.pending.drain(..=end);
                self.records += 1;
                match told {
                    Told::Exec(record) => each(*record)?,
                    Told::Other => self.others += 1,
                    Told::Malformed => self.malformed += 1,
                }
            }
        }
    }

    fn hand_over(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let offset = clock::realtime_to_monotonic_ns();
        let mut ungranted = 0;
        self.take(|record| {
            ungranted += u64::from(!record.granted);
            seam.sighting(sighting(record, offset, clock::monotonic_ns()))?;
            Ok(())
        })?;
        self.ungranted += ungranted;
        Ok(())
    }

    /// Violations that were counted and have no record. To be called when the log was read empty after the
    /// count was read.
    fn count_losses(&mut self, counted: u64, seam: &mut Seam) -> Result<(), MonitorError> {
        let now = clock::monotonic_ns();
        let all = counted
            .wrapping_sub(self.violations)
            .saturating_sub(self.ungranted);
        let new = all.saturating_sub(self.lost);
        if new > 0 {
            seam.loss(LossReport {
                source: "violations in tomoyo/stat without a record".into(),
                unit: LossUnit::Exec,
                count: Some(new),
                window_ns: (self.counted_ns, now),
            })?;
            self.lost = all;
        }
        self.counted_ns = now;
        Ok(())
    }

    fn finish(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let counted = violations(&self.folder).map_err(MonitorError::call("read(tomoyo/stat)"))?;
        self.hand_over(seam)?;
        self.count_losses(counted, seam)?;
        seam.flush()?;
        Ok(())
    }
}

/// How many violations in learning mode the kernel has counted.
fn violations(folder: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(folder.join("stat"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("Policy violation in learning mode:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other("it counts no violations in learning mode"))
}

/// What a record tells. `offset` is from the real-time clock to the monotonic one, in nanoseconds.
fn sighting(record: Record, offset: i128, received_ns: u64) -> Sighting {
    let stamp = i128::from(record.seconds) * i128::from(SECOND_NS) + offset;
    let earliest = u64::try_from(stamp.max(0)).unwrap_or(u64::MAX);
    // The second was cut off, and nothing happens after it was received.
    let latest = earliest
        .saturating_add(SECOND_NS + BEHIND_NS)
        .min(received_ns.max(earliest));
    let half = (latest - earliest).div_ceil(2);
    let initial = record.inner_pid == record.tid;
    Sighting {
        pid: Some(record.tid),
        ns_pid: Some(record.inner_pid),
        ppid: record.inner_ppid.filter(|_| initial),
        uid: record.uid,
        time_ns: Some(earliest + half),
        time_tolerance_ns: half + 1_000,
        received_ns,
        path: record.path,
        argv: Some(Argv::List(record.argv)),
        truncated: !record.whole,
        file: record.file,
        ..Sighting::default()
    }
}

impl Monitor for TomoyoMonitor {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.hand_over(seam)?;
            seam.flush()?;
            let mut fds = [
                PollFd::new(self.log.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll(tomoyo/audit)")(error)),
            }
            self.wakeups += 1;
            if fds[1].any() == Some(true) || (!self.linger.is_zero() && stop.wait(self.linger)) {
                return self.finish(seam);
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        vec![
            format!(
                "{} records in {} wake-ups, {} of no exec, {} that could not be read",
                self.records, self.wakeups, self.others, self.malformed
            ),
            format!(
                "{} execs that the policy did not grant, {} lost",
                self.ungranted, self.lost
            ),
            "TOMOYO stays switched on until the next boot".into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_read_from_the_statistics() {
        let folder = tempfile::tempdir().unwrap();
        let text = "Policy update:                                 5 (Last: 2026/11/23 04:44:04)\n\
                    Policy violation in learning mode:            17 (Last: 2026/11/23 04:44:05)\n";
        fs::write(folder.path().join("stat"), text).unwrap();
        assert_eq!(violations(folder.path()).unwrap(), 17);
        fs::write(folder.path().join("stat"), "").unwrap();
        assert!(violations(folder.path()).is_err());
    }

    #[test]
    fn a_parent_is_told_in_the_initial_namespace_and_a_time_covers_its_second() {
        let record = Record {
            seconds: 100,
            granted: true,
            tid: 9,
            inner_pid: 9,
            inner_ppid: Some(3),
            uid: Some(0),
            file: None,
            path: Some("/x".into()),
            argv: Vec::new(),
            whole: true,
        };
        let offset = -90 * i128::from(SECOND_NS);
        let told = sighting(record.clone(), offset, u64::MAX);
        assert_eq!((told.pid, told.ppid), (Some(9), Some(3)));
        let time = told.time_ns.unwrap();
        assert!(time - told.time_tolerance_ns <= 10 * SECOND_NS);
        assert!(time + told.time_tolerance_ns >= 11 * SECOND_NS + BEHIND_NS);
        let soon = sighting(record.clone(), offset, 10 * SECOND_NS + 5);
        assert!(soon.time_ns.unwrap() <= 10 * SECOND_NS + 5);
        let inner = Record {
            inner_pid: 1,
            ..record
        };
        assert_eq!(sighting(inner, offset, u64::MAX).ppid, None);
    }
}
