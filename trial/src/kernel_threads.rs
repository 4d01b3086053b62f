//! Kernel threads that work for a monitor, by their names: what they use is the monitor's cost,
//! although they run in no cgroup of its own.

use std::{
    fs::{self, File},
    io,
    ops::RangeInclusive,
    os::unix::fs::FileExt,
    path::Path,
};

use nix::errno::Errno;

use crate::TrialError;

/// `PF_KTHREAD` in the ninth field of `/proc/PID/stat` (include/linux/sched.h; the same since 2.6.27).
const PF_KTHREAD: u32 = 0x0020_0000;

/// How many kernel threads under `proc` were made in these ticks since the boot, and are still there.
pub fn made_in(proc: &Path, ticks: RangeInclusive<u64>) -> Result<u64, TrialError> {
    let mut made = 0;
    each(proc, |_, stat| {
        made += u64::from(kernel_thread(stat).is_some_and(|t| ticks.contains(&t.start_ticks)));
        Ok(())
    })?;
    Ok(made)
}

/// Shows the `stat` of each process under `proc`. Whoever has ended meanwhile is not looked for.
fn each(
    proc: &Path,
    mut see: impl FnMut(&Path, &[u8]) -> Result<(), TrialError>,
) -> Result<(), TrialError> {
    let at = || TrialError::at(format!("look for kernel threads in {}", proc.display()));
    for entry in fs::read_dir(proc).map_err(at())? {
        let process = entry.map_err(at())?.path();
        // What is no process has no such file.
        if let Ok(stat) = fs::read(process.join("stat")) {
            see(&process, &stat)?;
        }
    }
    Ok(())
}

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
        each(proc, |process, stat| {
            if kernel_thread(stat).is_some_and(|thread| names.contains(&thread.name)) {
                let schedstat = process.join("schedstat");
                let schedstat = File::open(&schedstat)
                    .map_err(TrialError::at(format!("open {}", schedstat.display())))?;
                threads.push(Thread {
                    schedstat,
                    run_time_ns: 0,
                });
            }
            Ok(())
        })?;
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

/// What a `/proc/PID/stat` tells of a kernel thread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    pub(crate) name: &'a str,
    /// Since the boot, in ticks of `USER_HZ`.
    start_ticks: u64,
}

/// A `/proc/PID/stat`, if it is a kernel thread's. The name may hold anything, so it ends at the last
/// parenthesis.
pub(crate) fn kernel_thread(stat: &[u8]) -> Option<Stat<'_>> {
    let stat = str::from_utf8(stat).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    // Behind the name comes the third field.
    let field = |number: usize| after.split_ascii_whitespace().nth(number - 3);
    let flags: u32 = field(9)?.parse().ok()?;
    let start_ticks = field(22)?.parse().ok()?;
    (flags & PF_KTHREAD != 0).then_some(Stat { name, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to the field before the start.
    const BETWEEN: &str = "0 0 0 0 0 0 0 0 20 0 1 0";

    fn stat(pid: u32, name: &str, flags: u32, start_ticks: u64) -> String {
        format!("{pid} ({name}) S 2 0 0 0 -1 {flags} {BETWEEN} {start_ticks} 0 0")
    }

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
        let kernel = 2_097_216;
        process(
            proc.path(),
            24,
            &stat(24, "kauditd", kernel, 7),
            "100 5 7\n",
        );
        // A process may call itself what it likes.
        process(
            proc.path(),
            25,
            &stat(25, "kauditd", 4_194_560, 8),
            "20 5 7\n",
        );
        process(proc.path(), 26, &stat(26, "kswapd0", kernel, 9), "3 5 7\n");
        let mut threads = KernelThreads::find(proc.path(), &["kauditd"]).unwrap();
        assert_eq!(threads.run_time_ns().unwrap(), 100);
        fs::write(proc.path().join("24/schedstat"), "170 6 8\n").unwrap();
        assert_eq!(threads.run_time_ns().unwrap(), 170);
        let mut none = KernelThreads::find(proc.path(), &[]).unwrap();
        assert_eq!(none.run_time_ns().unwrap(), 0);
        let made = |ticks| made_in(proc.path(), ticks).unwrap();
        assert_eq!((made(0..=6), made(7..=8), made(7..=9)), (0, 1, 2));
    }

    #[test]
    fn names_end_at_the_last_parenthesis() {
        let named = |text: &str| kernel_thread(text.as_bytes()).map(|t| t.name.to_owned());
        for name in ["kauditd", "a) b"] {
            assert_eq!(named(&stat(7, name, PF_KTHREAD, 1)), Some(name.into()));
        }
        assert_eq!(named("7 (x) S 2"), None);
    }
}
