//! Ends whatever a session started and puts back whatever it changed. Done by the supervisor after each
//! trial, and by whoever finds a session whose supervisor is gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_backends::find;
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{runner::cgroup2_mount, session::Session};

/// A killed process is gone at once, unless the kernel holds it in a call that cannot be broken off.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(5);

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What had to be put back, because whoever had changed it did not.
    pub put_back: Vec<String>,
    /// What could not be.
    pub problems: Vec<String>,
}

/// Cleans up after a session that nobody runs any more. Does nothing the second time.
pub fn clean(session: &Session) -> Cleaned {
    let mut cleaned = Cleaned::default();
    let cgroup = match cgroup2_mount() {
        Ok(root) => Some(root.join(session.cgroup().trim_start_matches('/'))),
        // Then nothing was ever started.
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            cleaned.problems.push(error.to_string());
            return cleaned;
        }
    };
    let cgroup = cgroup.filter(|cgroup| cgroup.exists());
    if let Some(cgroup) = &cgroup
        && let Err(error) = end_all(cgroup)
    {
        // As long as a monitor runs, nothing can be put back for good.
        cleaned.try_to("end the processes of the trial", Err(error));
        return cleaned;
    }
    cleaned.machine(session);
    if let Some(cgroup) = &cgroup {
        cleaned.try_to("take its cgroups away", remove_cgroups(cgroup));
    }
    // It was mounted in a namespace that is gone; here it would be seen only where that failed.
    if is_mounted(&session.stage()) {
        let unmounted = umount2(&session.stage(), MntFlags::MNT_DETACH);
        cleaned.try_to("unmount its stage", unmounted.map_err(Into::into));
    }
    cleaned
}

impl Cleaned {
    fn try_to(&mut self, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.problems.push(format!("cannot {what}: {error}"));
        }
    }

    /// Puts back what backends noted, and looks whether it is as it was.
    fn machine(&mut self, session: &Session) {
        let entries = match fs::read_dir(session.noted()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.try_to("read what was noted", Err(error)),
        };
        for file in entries.flatten().map(|entry| entry.path()) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let remains = find(&name).and_then(execlab_backends::Backend::remains);
            let (Some(remains), Ok(noted)) = (remains, fs::read_to_string(&file)) else {
                self.problems
                    .push(format!("cannot read what was noted of {name}"));
                continue;
            };
            match remains.put_back(&noted) {
                Ok(done) => self.put_back.extend(done),
                Err(problem) => self.problems.push(problem),
            }
            match remains.note() {
                Ok(Some(now)) if now == noted => {
                    let removed = fs::remove_file(&file);
                    self.try_to("forget what was put back", removed);
                }
                Ok(now) => self.problems.push(format!(
                    "{name} is not as it was: {}",
                    differences(&noted, &now.unwrap_or_default())
                )),
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// Lines that stand in one of two texts only.
fn differences(before: &str, now: &str) -> String {
    let only = |one: &str, other: &str, sign: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|l| l == *line));
        lines.map(|line| format!("{sign}{line}")).collect()
    };
    [only(before, now, "-"), only(now, before, "+")]
        .concat()
        .join(", ")
}

/// Kills everything in a cgroup and below it, and waits until it is gone.
fn end_all(cgroup: &Path) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // In one stroke since 5.14; one by one before, where new ones may appear meanwhile.
        if fs::write(cgroup.join("cgroup.kill"), "1").is_err() {
            for pid in processes(cgroup)? {
                // That it is gone already is fine.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if !is_populated(cgroup)? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let left = processes(cgroup)?;
            return Err(io::Error::other(format!("still there: {left:?}")));
        }
        sleep(GLANCE);
    }
}

fn is_populated(cgroup: &Path) -> io::Result<bool> {
    let events = fs::read_to_string(cgroup.join("cgroup.events"))?;
    Ok(events.lines().any(|line| line == "populated 1"))
}

fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.push(entry.path());
        }
    }
    Ok(all)
}

fn processes(cgroup: &Path) -> io::Result<Vec<i32>> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs"))?;
    let mut all: Vec<i32> = text.lines().filter_map(|pid| pid.parse().ok()).collect();
    for below in folders(cgroup)? {
        all.extend(processes(&below)?);
    }
    Ok(all)
}

fn remove_cgroups(cgroup: &Path) -> io::Result<()> {
    for below in folders(cgroup)? {
        remove_cgroups(&below)?;
    }
    fs::remove_dir(cgroup)
}

fn is_mounted(dir: &Path) -> bool {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let target = |line: &str| line.split(' ').nth(4).map(PathBuf::from);
    text.lines()
        .any(|line| target(line).as_deref() == Some(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_changed_nothing_is_clean_and_so_is_it_the_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session::at(&dir.path().join("1-0"));
        assert_eq!(clean(&session), Cleaned::default());
    }

    #[test]
    fn what_differs_is_told_line_by_line() {
        assert_eq!(differences("a 1\nb 2", "a 1\nb 3\nc"), "-b 2, +b 3, +c");
    }

    #[test]
    fn notes_that_nobody_can_read_are_a_problem_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session::at(dir.path());
        fs::create_dir(session.noted()).unwrap();
        fs::write(session.noted().join("no-such-backend"), "x").unwrap();
        let cleaned = clean(&session);
        assert_eq!(
            cleaned.problems,
            ["cannot read what was noted of no-such-backend"]
        );
        assert!(session.noted().join("no-such-backend").exists());
    }
}
