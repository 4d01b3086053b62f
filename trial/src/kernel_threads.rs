//! Kernel threads that work for a monitor, by their names: what they use is the monitor's cost,
//! although they run in no cgroup of its own.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use nix::errno::Errno;

use crate::TrialError;

/// `PF_KTHREAD` in the ninth field of `/proc/PID/stat` (include/linux/sched.h; the same since 2.6.27).
const PF_KTHREAD: u64 = 0x0020_0000;

/// Some kernel threads.
#[derive(Debug)]
pub struct KernelThreads(Vec<Thread>);

#[derive(Debug)]
struct Thread {
    schedstat: File,
    /// What it had used when it was last seen: one that has ended uses nothing more.
    run_time_ns: u64,
}

impl KernelThreads {
    /// Those of the kernel threads under `proc` that have one of these names now. A name that no
    /// thread has stands for nothing: some appear only with work to do.
    pub fn find(proc: &Path, names: &[&str]) -> Result<Self, TrialError> {
        let mut threads = Vec::new();
        if names.is_empty() {
            return Ok(Self(threads));
        }
        let at = || TrialError::at(format!("look for kernel threads in {}", proc.display()));
        for entry in fs::read_dir(proc).map_err(at())? {
            let process = entry.map_err(at())?.path();
            // What is no process has no such file, and whoever has ended meanwhile is not looked for.
            let Ok(stat) = fs::read(process.join("stat")) else {
                continue;
            };
            let named = |name: &str| names.contains(&name);
            if kernel_thread(&stat).is_some_and(named) {
                let schedstat = File::open(process.join("schedstat")).map_err(at())?;
                threads.push(Thread {
                    schedstat,
                    run_time_ns: 0,
                });
            }
        }
        Ok(Self(threads))
    }

    /// What all of them have used so far, in nanoseconds.
    pub fn run_time_ns(&mut self) -> Result<u64, TrialError> {
        for thread in &mut self.0 {
            match run_time_ns(&thread.schedstat) {
                Ok(now) => thread.run_time_ns = now,
                Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {}
                Err(error) => return Err(TrialError::at("read a kernel thread's run time")(error)),
            }
        }
        Ok(self.0.iter().map(|thread| thread.run_time_ns).sum())
    }
}

/// The first field of a `/proc/PID/schedstat` (Documentation/scheduler/sched-stats.rst).
fn run_time_ns(schedstat: &File) -> io::Result<u64> {
    let mut text = [0; 64];
    let length = schedstat.read_at(&mut text, 0)?;
    str::from_utf8(&text[..length])
        .ok()
        .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The name in a `/proc/PID/stat`, if it is a kernel thread's. The name may hold anything, so it ends
/// at the last parenthesis.
pub(crate) fn kernel_thread(stat: &[u8]) -> Option<&str> {
    let stat = str::from_utf8(stat).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    // Behind the name comes the third field.
    let flags: u64 = after.split_ascii_whitespace().nth(6)?.parse().ok()?;
    (flags & PF_KTHREAD != 0).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAUDITD: &str = "24 (kauditd) S 2 0 0 0 -1 2097216 0 0 0 0 0 0";

    fn process(proc: &Path, pid: u32, stat: &str, schedstat: &str) {
        let dir = proc.join(pid.to_string());
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("stat"), stat).unwrap();
        fs::write(dir.join("schedstat"), schedstat).unwrap();
    }

    #[test]
    fn only_kernel_threads_of_that_name_are_counted() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("sys")).unwrap();
        process(proc.path(), 24, KAUDITD, "100 5 7\n");
        // A process may call itself what it likes.
        process(
            proc.path(),
            25,
            "25 (kauditd) S 1 0 0 0 -1 4194560 0",
            "20 5 7\n",
        );
        process(
            proc.path(),
            26,
            "26 (kswapd0) S 2 0 0 0 -1 2097216 0",
            "3 5 7\n",
        );
        let mut threads = KernelThreads::find(proc.path(), &["kauditd"]).unwrap();
        assert_eq!(threads.run_time_ns().unwrap(), 100);
        fs::write(proc.path().join("24/schedstat"), "170 6 8\n").unwrap();
        assert_eq!(threads.run_time_ns().unwrap(), 170);
        let mut none = KernelThreads::find(proc.path(), &[]).unwrap();
        assert_eq!(none.run_time_ns().unwrap(), 0);
    }

    #[test]
    fn names_end_at_the_last_parenthesis() {
        assert_eq!(kernel_thread(KAUDITD.as_bytes()), Some("kauditd"));
        let odd = "7 (a) b) S 2 0 0 0 -1 2097152 0";
        assert_eq!(kernel_thread(odd.as_bytes()), Some("a) b"));
        assert_eq!(kernel_thread(b"7 (x) S 2"), None);
    }
}
