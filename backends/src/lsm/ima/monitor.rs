//! The reader of IMA's list.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use execlab_model::sighting::Sighting;

use super::list::List;
use crate::{AttachError, Monitor, MonitorError, Seam, Stop, clock};

/// The one rule of the policy.
const POLICY: &str = "measure func=BPRM_CHECK\n";

/// IMA, with a policy of ours.
#[derive(Debug)]
pub struct ImaMonitor {
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
    /// Opens the list behind whatever is on it, and loads the policy. `folder` is IMA's in securityfs.
    pub fn attach(folder: &Path, interval: Duration) -> Result<Self, AttachError> {
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
    use super::{super::list, *};
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
