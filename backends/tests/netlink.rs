//! The backend `netlink` on the running kernel.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    process::{Command, Stdio},
    sync::Mutex,
};

use common::{Monitor, argv, canonical, losses, of, path, root, sightings, wait_for};
use execlab_backends::clock::monotonic_ns;
use execlab_model::sighting::LossUnit;
use nix::sys::signal::Signal;

/// One at a time: they measure what is lost.
static ALONE: Mutex<()> = Mutex::new(());

const VARIANTS: [&[&str]; 2] = [
    &[],
    &["rcvbuf=8388608", "overflow=go-on", "scheduling=fifo"],
];

#[test]
fn every_exec_is_seen_once_with_its_time() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    for settings in VARIANTS {
        let Some(monitor) = Monitor::start("netlink", settings) else {
            return;
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
            assert_eq!(own.len(), 1, "{settings:?}: {own:?}");
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
        println!("{settings:?}: {whole} of {} with a path", seen.len());
    }
}

#[test]
fn an_exec_after_an_exec_is_another_sighting_and_never_has_the_wrong_file() {
    let _alone = ALONE.lock();
    if !root() {
        return;
    }
    let Some(monitor) = Monitor::start("netlink", &[]) else {
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
    for overflow in ["overflow=enobufs", "overflow=go-on"] {
        let Some(mut monitor) = Monitor::start("netlink", &["rcvbuf=8192", overflow]) else {
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
        println!("{overflow}: {missed} of 100 missed, {told} told");
        assert!(missed > 50);
        // Others on this machine may have lost some too.
        assert!(
            told >= missed && told < missed + 50,
            "{told} told, {missed} missed"
        );
    }
}
