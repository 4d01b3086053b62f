//! The backends that look again and again, on the running kernel.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    io::Write,
    process::{Command, Stdio},
};

use common::{Monitor, Reaped, argv, canonical, losses, of, path, root, sightings};

const VARIANTS: [(&str, &[&str]); 7] = [
    ("proc-poll", &[]),
    ("proc-poll", &["interval-us=1000", "scan=cursor"]),
    (
        "proc-poll",
        &["interval-us=1000", "scan=full", "lookup=path"],
    ),
    ("proc-poll-pidfd", &[]),
    ("proc-poll-pidfd", &["interval-us=1000", "scan=cursor"]),
    ("proc-poll-start", &[]),
    ("proc-poll-start", &["interval-us=1000"]),
];

#[test]
fn what_lives_long_enough_is_seen_once_and_what_was_there_is_not() {
    if !root() {
        return;
    }
    for (backend, settings) in VARIANTS {
        let there = Command::new("/bin/cat")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut there = Reaped(there);
        // The exec of `there` must be over, lest it is one inside a known process.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let Some(monitor) = Monitor::start(backend, settings) else {
            return;
        };
        let mut pids = Vec::new();
        for _ in 0..100 {
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            pids.push(child.id());
        }
        let mut slow = Command::new("/bin/sleep").arg("0.4").spawn().unwrap();
        slow.wait().unwrap();
        let (messages, _) = monitor.stop();
        drop(there.0.stdin.take());
        there.0.wait().unwrap();

        let seen = sightings(&messages);
        assert_eq!(of(&seen, there.0.id()), []);
        let own = of(&seen, slow.id());
        assert_eq!(own.len(), 1, "{backend} {settings:?}: {own:?}");
        assert_eq!(path(&own[0]), canonical("/bin/sleep"));
        assert_eq!(argv(&own[0]), ["/bin/sleep", "0.4"]);
        assert_eq!(own[0].ppid, Some(std::process::id()));
        assert_eq!(own[0].time_ns, None);
        let mut caught = 0;
        for pid in pids {
            let own = of(&seen, pid);
            assert!(own.len() <= 1, "{backend} {settings:?}: {own:?}");
            caught += own.len();
            for sighting in own {
                let path = path(&sighting);
                assert!(
                    ["true", &canonical("/bin/true")].contains(&&*path),
                    "{path}"
                );
            }
        }
        println!("{backend} {settings:?}: caught {caught} of 100 that ended at once");
        assert_eq!(losses(&messages), []);
    }
}

#[test]
fn an_exec_inside_a_process_is_seen_and_a_fork_is_not() {
    if !root() {
        return;
    }
    for (backend, settings) in VARIANTS {
        let shell = Command::new("/bin/sh")
            .args([
                "-c",
                "exec 3<&0; (read x <&3; :) & read x; wait; exec /bin/sh -c 'read x'",
            ])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut shell = Reaped(shell);
        std::thread::sleep(std::time::Duration::from_millis(50));
        let Some(monitor) = Monitor::start(backend, settings) else {
            return;
        };
        let mut stdin = shell.0.stdin.take().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(250));
        stdin.write_all(b"\n\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
        drop(stdin);
        shell.0.wait().unwrap();
        let seen = sightings(&monitor.stop().0);
        let own = of(&seen, shell.0.id());
        // A start time is no exec's.
        if backend == "proc-poll-start" {
            assert_eq!(own, []);
        } else {
            assert_eq!(own.len(), 1, "{backend} {settings:?}: {own:?}");
            assert_eq!(argv(&own[0]), ["/bin/sh", "-c", "read x"]);
        }
        assert!(
            seen.iter().all(|s| s.ppid != Some(shell.0.id())),
            "the fork was reported"
        );
    }
}

#[test]
fn what_ps_prints_of_a_process_is_reported_when_it_begins_and_when_it_calls_exec() {
    if !root() {
        return;
    }
    let Some(mut monitor) = Monitor::start("ps", &["interval-ms=20"]) else {
        return;
    };
    let shell = Command::new("/bin/sh")
        .args(["-c", "read x; exec /bin/sleep 60"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shell = Reaped(shell);
    let pid = shell.0.id();
    let mut seen = |count| {
        common::wait_for("a sighting", || {
            let own = of(&monitor.sightings(), pid);
            (own.len() >= count).then_some(own)
        })
    };
    assert_eq!(path(&seen(1)[0]), canonical("/bin/sh"));
    shell.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    let own = seen(2);
    assert_eq!(path(&own[1]), canonical("/bin/sleep"));
    let joined = execlab_model::sighting::Argv::Joined("/bin/sleep 60".into());
    assert_eq!(own[1].argv, Some(joined));
    assert_eq!(own[1].ppid, Some(std::process::id()));
    drop(shell);
    assert_eq!(of(&sightings(&monitor.stop().0), pid).len(), 2);
}
