//! The backends of the proc connector on the running kernel.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    process::{Command, Stdio},
    sync::Mutex,
};

use common::{Monitor, argv, canonical, losses, of, path, root, sightings, wait_for};
use execlab_backends::clock::monotonic_ns;
use execlab_model::{seam::Message, sighting::LossUnit};
use nix::sys::signal::Signal;

/// One at a time: they measure what is lost.
static ALONE: Mutex<()> = Mutex::new(());

const ROWS: [&str; 8] = [
    "netlink",
    "netlink-plain",
    "netlink-filter",
    "netlink-event-filter",
    "netlink-resync",
    "netlink-table",
    "netlink-thread",
    "netlink-per-cpu",
];

/// Both variants of each row, as arguments.
fn variants() -> Vec<(&'static str, Vec<String>)> {
    let variant = |row, name| {
        let backend = execlab_backends::find(row).unwrap();
        let values = execlab_backends::variant(backend, name).unwrap();
        let pairs = values.iter().map(|(name, value)| format!("{name}={value}"));
        (row, pairs.collect())
    };
    let rows = ROWS.iter();
    rows.flat_map(|row| [variant(*row, "default"), variant(*row, "tuned")])
        .collect()
}

#[test]
fn every_exec_is_seen_once_with_its_time() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    for (row, settings) in variants() {
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let Some(monitor) = Monitor::start(row, &settings) else {
            continue;
        };
        let mut execs = Vec::new();
        for _ in 0..200 {
            let before = monotonic_ns();
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            execs.push((child.id(), before, monotonic_ns()));
        }
        let mut slow = Command::new("/bin/sleep").arg("0.3").spawn().unwrap();
        slow.wait().unwrap();
        let (messages, _) = monitor.stop();
        let seen = sightings(&messages);
        for (pid, before, after) in execs {
            let own = of(&seen, pid);
            assert_eq!(own.len(), 1, "{row} {settings:?}: {own:?}");
            let time = own[0].time_ns.unwrap();
            assert!((before..=after).contains(&time));
            assert!(own[0].received_ns >= time);
            let path = path(&own[0]);
            assert!(
                ["", "true", &canonical("/bin/true")].contains(&&*path),
                "{path}"
            );
        }
        let own = of(&seen, slow.id());
        assert_eq!(own.len(), 1);
        assert_eq!(path(&own[0]), canonical("/bin/sleep"));
        assert_eq!(argv(&own[0]), ["/bin/sleep", "0.3"]);
        assert_eq!(own[0].ppid, Some(std::process::id()));
        assert_eq!(own[0].uid, Some(0));
        assert!(own[0].container.mnt_ns.is_some() && own[0].container.pid_ns.is_some());
        let whole = seen.iter().filter(|s| s.path.is_some()).count();
        println!("{row} {settings:?}: {whole} of {} with a path", seen.len());
    }
}

#[test]
fn an_exec_after_an_exec_is_another_sighting_and_never_has_the_wrong_file() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    // `netlink-plain` believes what it reads, and of `netlink-per-cpu` each thread knows its own CPU.
    for row in ROWS
        .iter()
        .filter(|row| !["netlink-plain", "netlink-per-cpu"].contains(row))
    {
        two_execs_after_one(row);
    }
}

fn two_execs_after_one(row: &str) {
    let Some(monitor) = Monitor::start(row, &[]) else {
        return;
    };
    let mut child = Command::new("/bin/sh")
        .args(["-c", "exec /bin/sh -c 'exec /bin/sleep 0.2'"])
        .spawn()
        .unwrap();
    child.wait().unwrap();
    let seen = sightings(&monitor.stop().0);
    let own = of(&seen, child.id());
    assert_eq!(own.len(), 3, "{own:?}");
    assert!(own.is_sorted_by_key(|s| s.time_ns));
    assert_eq!(path(&own[2]), canonical("/bin/sleep"));
    for earlier in &own[..2] {
        assert!(
            [String::new(), canonical("/bin/sh")].contains(&path(earlier)),
            "{earlier:?}"
        );
    }
}

#[test]
fn what_an_overflow_drops_is_counted_and_what_still_runs_is_found() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    for (row, settings) in [
        ("netlink", &["rcvbuf=8192", "overflow=enobufs"][..]),
        ("netlink", &["rcvbuf=8192", "overflow=go-on"]),
        ("netlink-resync", &["rcvbuf=8192"]),
    ] {
        let Some(mut monitor) = Monitor::start(row, settings) else {
            return;
        };
        monitor.signal(Signal::SIGSTOP);
        let mut pids = Vec::new();
        for _ in 0..100 {
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            pids.push(child.id());
        }
        let mut runs = Command::new("/bin/cat")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // `spawn` returns before the exec has come to its event.
        std::thread::sleep(std::time::Duration::from_millis(50));
        monitor.signal(Signal::SIGCONT);
        let found = wait_for("the process that still runs", || {
            of(&monitor.sightings(), runs.id()).into_iter().next()
        });
        drop(runs.stdin.take());
        runs.wait().unwrap();
        // Everything is well again.
        let mut after = Command::new("/bin/true").spawn().unwrap();
        after.wait().unwrap();

        let (messages, _) = monitor.stop();
        let (seen, lost) = (sightings(&messages), losses(&messages));
        assert_eq!(path(&found), canonical("/bin/cat"));
        assert_eq!(found.time_ns, None, "its event was dropped");
        assert_eq!(of(&seen, runs.id()).len(), 1);
        assert_eq!(of(&seen, after.id()).len(), 1);
        let missed = pids
            .iter()
            .filter(|&&pid| of(&seen, pid).is_empty())
            .count() as u64;
        let told: u64 = lost.iter().map(|l| l.count.unwrap()).sum();
        assert!(lost.iter().all(|l| l.unit == LossUnit::Exec));
        println!("{row} {settings:?}: {missed} of 100 missed, {told} told");
        assert!(missed > 50);
        // Others on this machine may have lost some too.
        assert!(
            told >= missed && told < missed + 50,
            "{told} told, {missed} missed"
        );
    }
}

/// Stops a monitor with a small buffer, lets a hundred processes come and go, and lets it go on.
fn overflow(row: &str) -> Option<(Vec<u32>, Vec<Message>)> {
    let mut monitor = Monitor::start(row, &["rcvbuf=8192"])?;
    monitor.signal(Signal::SIGSTOP);
    let mut pids = Vec::new();
    for _ in 0..100 {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        pids.push(child.id());
    }
    monitor.signal(Signal::SIGCONT);
    // While the queue is not empty everything is dropped, these too.
    let mut after = Vec::new();
    wait_for("an exec after the overflow", || {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        after.push(child.id());
        let seen = monitor.sightings();
        after
            .iter()
            .any(|&pid| !of(&seen, pid).is_empty())
            .then_some(())
    });
    Some((pids, monitor.stop().0))
}

#[test]
fn every_row_knows_that_it_lost_something_and_in_which_unit() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    for row in &ROWS[1..] {
        // The thread that receives is stopped like all others, and then the socket overflows.
        let Some((pids, messages)) = overflow(row) else {
            continue;
        };
        let (seen, lost) = (sightings(&messages), losses(&messages));
        let missed = pids
            .iter()
            .filter(|&&pid| of(&seen, pid).is_empty())
            .count() as u64;
        let count = |unit| -> u64 {
            let reports = lost.iter().filter(|report| report.unit == unit);
            reports.map(|report| report.count.unwrap_or(0)).sum()
        };
        println!("{row}: {missed} missed, {lost:?}");
        assert!(missed > 50, "{row}");
        if *row == "netlink-plain" {
            // A gap shows with the next message of the same CPU, if it sent one before.
            let told = |unit| lost.iter().any(|report| report.unit == unit);
            assert!(told(LossUnit::Unknown), "{lost:?}");
            continue;
        }
        let unit = match *row {
            "netlink-table" => LossUnit::Event,
            _ => LossUnit::Exec,
        };
        assert!(count(unit) >= missed, "{row}: {lost:?}");
    }
}

#[test]
fn the_table_knows_of_a_process_that_is_gone_what_it_inherited() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    let Some(monitor) = Monitor::start("netlink-table", &[]) else {
        return;
    };
    monitor.signal(Signal::SIGSTOP);
    let mut child = Command::new("/bin/true").spawn().unwrap();
    child.wait().unwrap();
    monitor.signal(Signal::SIGCONT);
    let seen = sightings(&monitor.stop().0);
    let own = of(&seen, child.id());
    assert_eq!(own.len(), 1);
    assert_eq!((&own[0].path, own[0].uid), (&None, Some(0)));
    assert_eq!(own[0].ppid, Some(std::process::id()));
    let mine = execlab_backends::procfs_lookup::container(std::process::id());
    assert_eq!(own[0].container, mine);
}
