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
//! Sources: `security/tomoyo/` (`audit.c`, `common.c`, `domain.c`, `load_policy.c`); tomoyo.sourceforge.net,
//! "Policy specifications".

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use execlab_model::sighting::{Argv, LossReport, LossUnit, Sighting};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::SECURITYFS;
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop, clock,
};

mod policy;
mod record;

use policy::Policy;
use record::{Record, Told};

/// See the module.
#[derive(Debug)]
pub struct Tomoyo;

/// A record is shorter: 4,096 bytes of a header, 8,192 of arguments, three paths of four times 4,096.
const ROOM: usize = 64 << 10;
const SECOND_NS: u64 = 1_000_000_000;

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
        let found = match fs::read_to_string(folder.join("profile")) {
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

/// TOMOYO, switched on.
#[derive(Debug)]
struct TomoyoMonitor {
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
    fn attach(folder: PathBuf, settings: &Settings) -> Result<Self, AttachError> {
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
        .saturating_add(SECOND_NS)
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
        assert!(time + told.time_tolerance_ns >= 11 * SECOND_NS);
        let soon = sighting(record.clone(), offset, 10 * SECOND_NS + 5);
        assert!(soon.time_ns.unwrap() <= 10 * SECOND_NS + 5);
        let inner = Record {
            inner_pid: 1,
            ..record
        };
        assert_eq!(sighting(inner, offset, u64::MAX).ppid, None);
    }
}
