//! The rows of fanotify on the running kernel. Where it does not let us, each test prints why and ends.

mod live_common;

use std::process::Command;

use execlab_model::Bytes;
use live_common::{Monitor, seen};

const ROWS: [&str; 4] = [
    "fanotify",
    "fanotify-mount",
    "fanotify-perm",
    "fanotify-pidfd",
];

fn sleep_file() -> Bytes {
    let file = std::fs::canonicalize("/bin/sleep").unwrap();
    file.as_os_str().as_encoded_bytes().into()
}

#[test]
fn each_row_sees_an_exec_and_its_file_once() {
    for row in ROWS {
        for settings in [
            &[][..],
            &["queue=unlimited", "namespaces=all", "scheduling=fifo"],
        ] {
            let Some(monitor) = Monitor::start(row, settings) else {
                continue;
            };
            let sighting = seen(&monitor);
            assert_eq!(sighting.path, Some(sleep_file()), "{row}");
            assert_eq!(sighting.ppid, Some(std::process::id()), "{row}");
            assert!(sighting.container.mnt_ns.is_some(), "{row}");
            monitor.stop();
        }
    }
}

#[test]
fn nobody_waits_for_a_monitor_that_ended_or_was_killed() {
    let run = || Command::new("/bin/true").status().unwrap().success();
    for end in [Monitor::stop, Monitor::kill] {
        let Some(monitor) = Monitor::start("fanotify-perm", &[]) else {
            return;
        };
        assert!(run());
        end(monitor);
        assert!(run());
    }
}
