//! The rows of perf on the running kernel. Where it does not let us, each test prints why and ends.

mod live_common;

use execlab_model::{Bytes, sighting::Argv};
use live_common::{Monitor, seen};

const ROWS: [&str; 3] = ["perf-exec", "perf-syscalls", "perf-sideband"];

fn sleep_file() -> Bytes {
    let file = std::fs::canonicalize("/bin/sleep").unwrap();
    file.as_os_str().as_encoded_bytes().into()
}

#[test]
fn each_row_sees_an_exec_with_what_its_events_say() {
    for row in ROWS {
        let Some(monitor) = Monitor::start(row, &["lookup=nothing"]) else {
            continue;
        };
        let sighting = seen(&monitor);
        match row {
            "perf-exec" => assert_eq!(sighting.path, Some("/bin/sleep".into())),
            "perf-sideband" => {
                assert_eq!(sighting.path, Some(sleep_file()));
                assert_eq!(sighting.ppid, Some(std::process::id()));
                assert!(sighting.container.mnt_ns.is_some());
            }
            _ => {}
        }
        assert_eq!(sighting.argv, None, "{row}");
        assert!(sighting.time_ns < Some(sighting.received_ns), "{row}");
        monitor.stop();
    }
}

#[test]
fn what_the_events_do_not_say_is_looked_up() {
    for row in ROWS {
        for settings in [
            &["lookup=full"][..],
            &[
                "lookup=full",
                "pages=1024",
                "scheduling=fifo",
                "wakeup-bytes=4096",
            ],
        ] {
            let Some(monitor) = Monitor::start(row, settings) else {
                continue;
            };
            let sighting = seen(&monitor);
            assert_eq!(sighting.path, Some(sleep_file()), "{row}");
            let argv = ["/bin/sleep", "1000"].map(Bytes::from);
            assert_eq!(sighting.argv, Some(Argv::List(argv.to_vec())), "{row}");
            assert_eq!(sighting.ppid, Some(std::process::id()), "{row}");
            monitor.stop();
        }
    }
}
