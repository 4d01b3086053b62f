//! `ima`: the list of measurements that IMA keeps of executed files.
//!
//! # How it works
//!
//! IMA (Linux 2.6.30) hashes files before they are used, as its policy says, and keeps a list of what it hashed. The
//! policy here is one rule, `measure func=BPRM_CHECK`: each file that is to be executed, on any file system. It
//! is written to `ima/policy` in securityfs; then the list (`binary_runtime_measurements`) grows by an entry for each
//! file that `security_bprm_check` is called for and whose content is not on it yet. The entry has a hash and the
//! path (templates `ima-ng` and `ima-sig`).
//!
//! The list tells nobody that it grew: there is no `poll`. Its length is asked for every `interval`
//! milliseconds (`runtime_measurements_count`), and the list is read on from where the last read ended.
//! The first 20 bytes of an entry are its own hash; zeros there mark a violation (a file that was open for
//! writing when it was measured, or opened later), which is no exec.
//!
//! # What it cannot see
//!
//! - Any exec but the first of each content: a file is measured again only when it changed, and the same hash
//!   under the same name is on the list once (`ima_lookup_digest_entry`). It is an inventory of what was executed, and
//!   no watch: of a storm of one program it sees one exec.
//! - Who, and when: an entry has neither process nor time. Sightings are a path, and when it was read.
//! - Whether the exec succeeded: the hook is called before the file's format is known, for the script and
//!   for its interpreter. A file that cannot be opened is not measured; one of a wrong format is. Mere checks
//!   (`AT_EXECVE_CHECK`) are measured too (`ima_bprm_creds_for_exec`, 6.14).
//! - Spaces in names: they are written as `_` (`ima_write_template_field_data`).
//!
//! The path is that from the root of the mount namespace (`d_absolute_path`), without ` (deleted)`; of a memfd it is
//! `memfd:NAME`.
//!
//! # What it leaves behind
//!
//! A policy can be loaded once a boot where the kernel is built without `IMA_WRITE_POLICY` (Debian), and can be
//! replaced but not taken away where it is built with it. So every executed file is hashed until the next boot, and the list
//! stays in memory. That is why it is for guests alone.
//!
//! # Loss
//!
//! The list has no bound, and nothing on it is lost. What was never put on it, because it was there, nobody
//! counts: there is no signal.
//!
//! Sources: `security/integrity/ima/` (`ima_fs.c`, `ima_main.c`, `ima_queue.c`, `ima_template_lib.c`);
//! `Documentation/ABI/testing/ima_policy`; the IMA event log of ima-doc.readthedocs.io.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use execlab_model::sighting::Sighting;

use super::SECURITYFS;
use crate::{
    AttachError, Backend, CanaryKind, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach,
    Seam, Setting, Settings, Since, Stop, clock,
};

mod list;

use list::List;

/// See the module.
#[derive(Debug)]
pub struct Ima;

/// The one rule of the policy.
const POLICY: &str = "measure func=BPRM_CHECK\n";

const SETTINGS: &[Setting] = &[Setting {
    name: "interval",
    help: "milliseconds between two looks at the length of the list",
    kind: Kind::Number(1, 10_000),
    default: "100",
    tuned: "10",
}];

impl Backend for Ima {
    fn name(&self) -> &'static str {
        "ima"
    }

    fn about(&self) -> &'static str {
        "IMA's list of measurements: each executed content once"
    }

    fn program(&self) -> &'static str {
        "lsm"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Lsm,
            mechanism: "the list of files that IMA hashed before they were executed, read at intervals",
            needs: &[
                "CONFIG_IMA",
                "securityfs, and CAP_SYS_ADMIN",
                "a boot in which no IMA policy was loaded yet",
            ],
            since: Since {
                release: "2.6.30",
                series: Some("6.1"),
            },
            loss_signals: &[],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &["every executed file is hashed, and listed in the kernel's memory, until the next boot"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(
            "a policy that is loaded into IMA stays until the next boot, and so does what it lists",
        )
    }

    fn canary(&self) -> CanaryKind {
        CanaryKind::Fresh
    }

    fn offers(&self) -> Offers {
        Offers {
            path: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let interval = Duration::from_millis(settings.number("interval"));
        let folder = Path::new(SECURITYFS).join("ima");
        Ok(Box::new(ImaMonitor::attach(&folder, interval)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        use crate::look::{Capability, Finding};
        let folder = roots.sys.join("kernel/security/ima");
        let ima = if !folder.exists() {
            Finding::bad(
                "IMA",
                "/sys/kernel/security/ima is not there",
                "boot a kernel with CONFIG_IMA=y, and mount securityfs",
            )
        } else if folder.join("policy").exists() {
            Finding::good("IMA", "it takes a policy")
        } else {
            Finding::bad(
                "IMA",
                "it has its policy for this boot",
                "boot without ima_policy= and without a policy in /etc/ima",
            )
        };
        vec![ima, Capability::SysAdmin.look(roots)]
    }
}

/// IMA, with a policy of ours.
#[derive(Debug)]
struct ImaMonitor {
    folder: PathBuf,
    interval: Duration,
    /// Both stay open: the list goes on where the last read ended.
    length: File,
    list: File,
    entries: List,
    /// How many entries there were when the list was last read.
    known: u64,
    violations: u64,
    looks: u64,
    reads: u64,
    evidence: Vec<String>,
}

impl ImaMonitor {
    fn attach(folder: &Path, interval: Duration) -> Result<Self, AttachError> {
        let open = |name: &str| {
            let path = folder.join(name);
            File::open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => AttachError::Unsupported(format!(
                    "open of {}: {error}: this kernel has no IMA, or securityfs is not mounted",
                    path.display()
                )),
                _ => AttachError::call(format!("open of {}", path.display()))(error),
            })
        };
        let mut this = Self {
            length: open("runtime_measurements_count")?,
            list: open("binary_runtime_measurements")?,
            folder: folder.to_owned(),
            interval,
            entries: List::default(),
            known: 0,
            violations: 0,
            looks: 0,
            reads: 0,
            evidence: Vec::new(),
        };
        let failed = |error: MonitorError| match error {
            MonitorError::Call { call, source } => AttachError::Call { call, source },
            MonitorError::Seam(error) => AttachError::call("seam")(io::Error::other(error)),
        };
        // What was measured before is not ours.
        let mut before = 0;
        this.take(|_| {
            before += 1;
            Ok(())
        })
        .map_err(failed)?;
        this.known = this.count().map_err(failed)?;
        load_policy(&folder.join("policy"))?;
        let gone = !folder.join("policy").exists();
        this.evidence = vec![
            format!("policy loaded: {}", POLICY.trim_end()),
            format!(
                "the file `policy` is {}",
                if gone {
                    "gone: no other can be loaded"
                } else {
                    "still there"
                }
            ),
            format!("{before} measurements before"),
        ];
        Ok(this)
    }

    /// How many entries the list has.
    fn count(&mut self) -> Result<u64, MonitorError> {
        self.looks += 1;
        let mut text = [0; 32];
        let call = MonitorError::call("read(runtime_measurements_count)");
        let length = match self.length.read_at(&mut text, 0) {
            Ok(length) => length,
            Err(error) => return Err(call(error)),
        };
        let text = String::from_utf8_lossy(&text[..length]);
        let number = text.trim().parse();
        number.map_err(|_| call(io::Error::other(format!("`{text}` is no number"))))
    }

    /// Reads on to the end of the list, and hands over the path of each file that was measured.
    fn take(
        &mut self,
        mut each: impl FnMut(execlab_model::Bytes) -> Result<(), MonitorError>,
    ) -> Result<(), MonitorError> {
        let mut room = [0; 16 << 10];
        loop {
            self.reads += 1;
            let read = self.list.read(&mut room);
            let length = read.map_err(MonitorError::call("read(binary_runtime_measurements)"))?;
            if length == 0 {
                return Ok(());
            }
            self.entries.add(&room[..length]);
            while let Some(entry) = self.entries.next().map_err(|error| {
                MonitorError::call("parse of a measurement")(io::Error::other(error))
            })? {
                if entry.violation {
                    self.violations += 1;
                } else if let Some(path) = entry.path {
                    each(path)?;
                }
            }
        }
    }

    fn hand_over(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        let received_ns = clock::monotonic_ns();
        self.take(|path| {
            seam.sighting(Sighting {
                path: Some(path),
                received_ns,
                ..Sighting::default()
            })?;
            Ok(())
        })
    }
}

/// Loads the policy, which is in force when its file is closed.
fn load_policy(path: &Path) -> Result<(), AttachError> {
    let call = || format!("write of `{}` to {}", POLICY.trim_end(), path.display());
    let file = OpenOptions::new().write(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AttachError::Unsupported(format!(
            "{}: {error}: IMA has its policy for this boot",
            call()
        )),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy => {
            AttachError::Unsupported(format!("{}: {error}", call()))
        }
        _ => AttachError::call(call())(error),
    })?;
    // One write: IMA takes a rule a write.
    file.write_all(POLICY.as_bytes())
        .map_err(AttachError::call(call()))
}

impl Monitor for ImaMonitor {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            let stopped = stop.wait(self.interval);
            let count = self.count()?;
            if count != self.known {
                self.known = count;
                self.hand_over(seam)?;
            }
            seam.flush()?;
            if stopped {
                return Ok(());
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let counted = fs::read_to_string(self.folder.join("violations"));
        vec![
            format!(
                "{} measurements on the list, {} looks at its length, {} reads",
                self.known, self.looks, self.reads
            ),
            format!(
                "{} violations on the list, {} by the kernel's count",
                self.violations,
                counted.as_deref().unwrap_or("unknown").trim()
            ),
            "the policy stays until the next boot".into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::Form;

    /// An `ima` folder of securityfs, as far as a file system can play it: the list grows while it is open.
    fn fake() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy"), "").unwrap();
        fs::write(folder.path().join("violations"), "0\n").unwrap();
        folder
    }

    fn grow(folder: &Path, paths: &[&str]) {
        let list = folder.join("binary_runtime_measurements");
        let mut bytes = fs::read(&list).unwrap_or_default();
        let before = fs::read_to_string(folder.join("runtime_measurements_count"));
        let before: usize = before.map_or(0, |text| text.trim().parse().unwrap());
        for path in paths {
            bytes.extend(list::tests::entry("ima-sig", path.as_bytes(), false));
        }
        fs::write(list, bytes).unwrap();
        let count = format!("{}\n", before + paths.len());
        fs::write(folder.join("runtime_measurements_count"), count).unwrap();
    }

    #[test]
    fn what_was_there_before_is_left_out_and_the_rest_comes_once() {
        let folder = fake();
        grow(folder.path(), &["boot_aggregate", "/before"]);
        let mut monitor = ImaMonitor::attach(folder.path(), Duration::from_millis(1)).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("policy")).unwrap(),
            POLICY
        );
        let file = tempfile::tempfile().unwrap();
        let mut seam = Seam::new(file, Form::Binary);
        let mut paths = Vec::new();
        for new in [&["/a"][..], &[], &["/b", "/a"]] {
            grow(folder.path(), new);
            let mut all = |path: execlab_model::Bytes| {
                paths.push(path);
                Ok(())
            };
            monitor.take(&mut all).unwrap();
        }
        assert_eq!(paths, ["/a", "/b", "/a"].map(Into::into));
        monitor.hand_over(&mut seam).unwrap();
        assert_eq!(monitor.count().unwrap(), 5);
    }

    #[test]
    fn a_kernel_without_it_and_a_policy_that_is_there_are_told() {
        let refused = |folder: &Path| {
            let attached = ImaMonitor::attach(folder, Duration::from_millis(1));
            match attached {
                Err(AttachError::Unsupported(reason)) => reason,
                other => panic!("{other:?}"),
            }
        };
        let folder = fake();
        assert!(refused(folder.path()).contains("no IMA"));
        grow(folder.path(), &["boot_aggregate"]);
        fs::remove_file(folder.path().join("policy")).unwrap();
        assert!(refused(folder.path()).contains("has its policy"));
    }
}
