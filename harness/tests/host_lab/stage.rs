//! Catching a trial at a stage, and its parts by their places.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_trial::host::{
    runner::cgroup2_mount,
    session::{ROOT, Session},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A part of a trial that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Monitor,
    Storm,
    Runner,
    Supervisor,
    Harness,
    /// The same, as a user's session is ended: not by force.
    SupervisorPolitely,
    /// All of them in one stroke, from the harness to the monitor.
    All,
}

/// How long anything may take; nothing is measured by it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Until something is there. `None` when the time is up.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(Duration::from_millis(1));
    }
}

/// The session with that number of a harness, once it has reached a stage.
pub fn reached(harness: u32, number: u32, stage: &str) -> Option<Session> {
    let session = Session::at(&Path::new(ROOT).join(format!("{harness}-{number}")));
    until(|| {
        let marks = fs::read_to_string(session.marks()).unwrap_or_default();
        marks.lines().any(|mark| mark == stage).then_some(())
    })?;
    Some(session)
}

/// Kills a part; whether it was there, or came while the trial went on.
pub fn strike(part: Part, session: &Session, harness: u32) -> bool {
    let running = || session.marks().exists() && !session.outcome().exists();
    while running() {
        if strike_now(part, session, harness) {
            return true;
        }
    }
    false
}

fn strike_now(part: Part, session: &Session, harness: u32) -> bool {
    let pids = match part {
        Part::Monitor => monitor(session),
        Part::Storm => storm(session),
        Part::Runner => runner(session),
        Part::Supervisor | Part::SupervisorPolitely => supervisor(session),
        Part::Harness => vec![harness.cast_signed()],
        Part::All => [
            vec![harness.cast_signed()],
            supervisor(session),
            runner(session),
            storm(session),
            monitor(session),
        ]
        .concat(),
    };
    let signals: &[Signal] = match part {
        Part::SupervisorPolitely => &[Signal::SIGTERM],
        // Stopped first, so that none of them sees another one's end and acts on it.
        _ => &[Signal::SIGSTOP, Signal::SIGKILL],
    };
    for &signal in signals {
        for &pid in &pids {
            // That it has just ended is told by the number of those that were found.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
    !pids.is_empty()
}

fn cgroup(session: &Session) -> PathBuf {
    let root = cgroup2_mount().expect("the host lab found it too");
    root.join(session.cgroup().trim_start_matches('/'))
}

fn pids(file: &Path) -> Vec<i32> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|pid| pid.parse().ok()).collect()
}

fn monitor(session: &Session) -> Vec<i32> {
    pids(&cgroup(session).join("execlab.slice/monitor.service/cgroup.procs"))
}

fn runner(session: &Session) -> Vec<i32> {
    pids(&cgroup(session).join("execlab.slice/runner.service/cgroup.procs"))
}

fn supervisor(session: &Session) -> Vec<i32> {
    runner(session)
        .iter()
        .filter_map(|&pid| parent(pid))
        .collect()
}

/// Kills whatever there is of a run by now, from the harness on.
pub fn strike_everything(session: &Session, harness: u32) {
    let harness = harness.cast_signed();
    let below = |parents: &[i32]| -> Vec<i32> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|&pid| parent(pid).is_some_and(|parent| parents.contains(&parent)))
            .collect()
    };
    // Each is stopped before its children are looked for: so none is missed.
    let mut pids = vec![harness];
    let mut last = pids.clone();
    while !last.is_empty() {
        for &pid in &last {
            let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
        }
        last = below(&last);
        pids.extend(&last);
    }
    pids.extend(monitor(session));
    for pid in pids {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The session with that number, as soon as there is one.
pub fn begun(harness: u32, number: u32) -> Option<Session> {
    let session = Session::at(&Path::new(ROOT).join(format!("{harness}-{number}")));
    until(|| session.dir().exists().then_some(()))?;
    Some(session)
}

/// The child of the runner that is not the monitor; it may have moved into a container's cgroup.
fn storm(session: &Session) -> Vec<i32> {
    let Some(&runner) = runner(session).first() else {
        return Vec::new();
    };
    let children = fs::read_to_string(format!("/proc/{runner}/task/{runner}/children"));
    let children: Vec<i32> = match children {
        Ok(text) => text
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
        // CONFIG_PROC_CHILDREN may be off.
        Err(_) => fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|&pid| parent(pid) == Some(runner))
            .collect(),
    };
    let monitors = monitor(session);
    children
        .into_iter()
        .filter(|pid| !monitors.contains(pid))
        .collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}
