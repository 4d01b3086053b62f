//! The backend `preload` on the running kernel, with this machine's C library.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::process::Command;

use common::{Monitor, argv, canonical, losses, path, sightings};
use execlab_model::sighting::Sighting;

/// Runs a script under the backend; what was seen, and whether everything was taken away.
fn watch(settings: &[&str], script: &str) -> Option<Vec<Sighting>> {
    let dir = tempfile::tempdir().unwrap();
    let meeting = dir.path().join("meeting");
    let env = [("EXECLAB_RENDEZVOUS", meeting.as_path())];
    let monitor = Monitor::start_with("preload", settings, &env)?;
    let status = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
        .args(["launch", "preload"])
        .args(settings)
        .args(["--", "/bin/sh", "-c", script])
        .envs(env)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let (messages, _) = monitor.stop();
    assert_eq!(losses(&messages), []);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    Some(sightings(&messages))
}

#[test]
fn each_new_image_is_reported_with_everything() {
    let script =
        "i=0; while [ $i -lt 100 ]; do /bin/true $i; i=$((i+1)); done; cd /bin; exec ./echo over";
    let Some(seen) = watch(&[], script) else {
        return;
    };
    let all: Vec<_> = seen
        .iter()
        .filter(|s| path(s) == canonical("/bin/true"))
        .collect();
    assert_eq!(all.len(), 100);
    for (number, sighting) in all.iter().enumerate() {
        assert_eq!(argv(sighting), ["/bin/true".to_owned(), number.to_string()]);
        assert_eq!(sighting.pid, sighting.ns_pid);
        assert!(sighting.ppid.is_some() && sighting.uid.is_some());
        assert!(sighting.container.mnt_ns.is_some() && sighting.container.pid_ns.is_some());
    }
    let last = seen.last().unwrap();
    assert_eq!(
        (path(last), &last.given),
        (canonical("/bin/echo"), &Some("./echo".into()))
    );
}

#[test]
fn calls_are_reported_and_failed_ones_left_out() {
    let script = "/bin/true a; /bin/nothing-of-that-name; exec /bin/true b";
    let Some(seen) = watch(&["report=calls"], script) else {
        return;
    };
    let calls: Vec<_> = seen.iter().map(argv).collect();
    assert_eq!(calls, [["/bin/true", "a"], ["/bin/true", "b"]]);
}

#[test]
fn of_both_sides_an_exec_is_one() {
    let script = "/bin/true a; perl -e 'system \"/bin/echo\", \"b\"'; exec /bin/true c";
    let Some(seen) = watch(&["report=both", "queue=100"], script) else {
        return;
    };
    let mut last: Vec<_> = seen.iter().filter_map(|s| argv(s).pop()).collect();
    last.retain(|argument| argument.len() == 1);
    last.sort();
    assert_eq!(last, ["a", "b", "c"]);
}
