//! The rows of tracefs on the running kernel; those with probes are skipped where it has no kprobes.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    process::{Command, Stdio},
    sync::Mutex,
};

use common::{Monitor, canonical, losses, of, path, root, sightings, wait_for};
use execlab_backends::{clock::monotonic_ns, find};
use execlab_model::sighting::LossUnit;
use nix::sys::signal::Signal;

/// One at a time: they look at what is left in tracefs.
static ALONE: Mutex<()> = Mutex::new(());

const ROWS: [&str; 6] = [
    "tracefs-exec",
    "tracefs-exec-text",
    "tracefs-syscalls",
    "tracefs-cwd",
    "tracefs-kprobe",
    "tracefs-kretprobe",
];

fn left() -> Option<String> {
    let remains = find("tracefs-exec").unwrap().remains().unwrap();
    remains.note().unwrap()
}

#[test]
fn every_exec_is_seen_once_with_its_time_and_nothing_is_left() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    let before = left();
    for row in ROWS {
        let Some(monitor) = Monitor::start(row, &[]) else {
            continue;
        };
        let mut execs = Vec::new();
        for _ in 0..100 {
            let before = monotonic_ns();
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            execs.push((child.id(), before, monotonic_ns()));
        }
        assert!(Command::new("/no/such/file").spawn().is_err());
        let (messages, _) = monitor.stop();
        let seen = sightings(&messages);
        for (pid, before, after) in execs {
            let own = of(&seen, pid);
            assert_eq!(own.len(), 1, "{row}: {own:?}");
            let (time, off) = (own[0].time_ns.unwrap(), own[0].time_tolerance_ns);
            assert!((before..=after + off).contains(&(time + off)), "{row}");
            if row != "tracefs-syscalls" {
                assert!(["/bin/true", &canonical("/bin/true")].contains(&&*path(&own[0])));
            }
        }
        assert_eq!(losses(&messages), [], "{row}");
        assert_eq!(left(), before, "{row}");
    }
}

#[test]
fn a_relative_path_is_made_full_from_a_directory_that_was_followed() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    let Some(monitor) = Monitor::start("tracefs-cwd", &[]) else {
        return;
    };
    // The shell changes its directory, its child inherits it.
    let shell = Command::new("/bin/sh")
        .args(["-c", "cd /usr/bin && (echo $$; exec ./sleep 0.2)"])
        .stdout(Stdio::null())
        .status();
    assert!(shell.unwrap().success());
    let (messages, _) = monitor.stop();
    let paths: Vec<_> = sightings(&messages).iter().map(path).collect();
    assert!(paths.contains(&"/usr/bin/sleep".to_owned()), "{paths:?}");
}

#[test]
fn what_a_full_buffer_loses_is_counted_exactly() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    for overflow in ["overflow=overwrite", "overflow=drop"] {
        let settings = ["buffer-kb=8", "linger-ms=10000", overflow];
        let Some(monitor) = Monitor::start("tracefs-exec", &settings) else {
            return;
        };
        let execs = 1500;
        let first = Command::new("/bin/true").spawn().unwrap().wait();
        assert!(first.unwrap().success());
        for _ in 1..execs {
            Command::new("/bin/true").spawn().unwrap().wait().unwrap();
        }
        let (messages, _) = monitor.stop();
        let (seen, lost) = (sightings(&messages), losses(&messages));
        assert!(lost.iter().all(|l| l.unit == LossUnit::Exec), "{lost:?}");
        let lost: u64 = lost.iter().filter_map(|l| l.count).sum();
        // Whatever else ran on this machine is in both numbers.
        assert!(
            lost > 0 && seen.len() as u64 + lost >= execs,
            "{overflow}: {lost}"
        );
    }
}

#[test]
fn what_a_killed_monitor_left_is_taken_away() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    let remains = find("tracefs-exec").unwrap().remains().unwrap();
    let before = left().unwrap();
    for row in ["tracefs-exec", "tracefs-kprobe"] {
        let Some(mut monitor) = Monitor::start(row, &[]) else {
            continue;
        };
        monitor.signal(Signal::SIGKILL);
        monitor.wait();
        // The kernel lets go of its files a little later than of the process.
        wait_for("an instance that nobody reads", || {
            remains.put_back(&before).ok()
        });
        assert_eq!(left().unwrap(), before, "{row}");
    }
}
