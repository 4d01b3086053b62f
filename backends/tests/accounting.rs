//! The backends that are told of ends, on the running kernel. `acct` takes the machine's process accounting while it
//! runs.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    fs,
    os::fd::AsFd,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use common::{Monitor, losses, of, path, root, sightings};
use nix::{
    poll::{PollFd, PollFlags, poll},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        signal::Signal,
    },
    unistd::acct,
};

const VARIANTS: [(&str, &[&str]); 4] = [
    ("taskstats", &[]),
    (
        "taskstats",
        &["rcvbuf=8388608", "overflow=go-on", "gather-ms=10"],
    ),
    ("acct", &[]),
    ("acct", &["interval-ms=10"]),
];

#[test]
fn each_process_that_called_exec_is_told_once_by_its_last_name_and_a_fork_is_not() {
    if !root() {
        return;
    }
    let _alone = alone();
    for (backend, settings) in VARIANTS {
        let Some(monitor) = Monitor::start(backend, settings) else {
            return;
        };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "(:) & echo $!; wait; exec /bin/true"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        let mut out = shell.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut out, &mut text).unwrap();
        shell.wait().unwrap();
        let fork: u32 = text.trim().parse().unwrap();
        let mut pids = Vec::new();
        for _ in 0..200 {
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            pids.push(child.id());
        }
        let (messages, _) = monitor.stop();
        let seen = sightings(&messages);
        assert_eq!(of(&seen, fork), [], "{backend} {settings:?}");
        pids.push(shell.id());
        for pid in pids {
            let own = of(&seen, pid);
            assert_eq!(own.len(), 1, "{backend} {settings:?}: {own:?}");
            assert_eq!(path(&own[0]), "true");
            assert_eq!(own[0].ppid, Some(std::process::id()));
            assert_eq!(own[0].time_ns, None);
        }
        assert_eq!(losses(&messages), []);
    }
}

/// There is one accounting, and tests run beside each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file system goes away only when the kernel no longer writes accounting to it.
#[test]
fn accounting_is_off_again_even_after_a_kill() {
    if !root() {
        return;
    }
    let _alone = alone();
    for kill in [false, true] {
        let Some(monitor) = Monitor::start("acct", &[]) else {
            return;
        };
        let ledger = fs::read_dir(format!("/proc/{}/fd", monitor.pid()))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|fd| fs::read_link(fd).is_ok_and(|to| to.as_os_str() == "/acct"))
            .expect("the monitor's file");
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
        inotify
            .add_watch(&ledger, AddWatchFlags::IN_DELETE_SELF)
            .unwrap();
        if kill {
            let mut monitor = monitor;
            monitor.signal(Signal::SIGKILL);
            monitor.wait();
        } else {
            monitor.stop();
        }
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, 30_000u16), Ok(1), "nothing went away");
        let told = inotify.read_events().unwrap();
        let gone = AddWatchFlags::IN_UNMOUNT;
        assert!(
            told.iter().any(|event| event.mask.contains(gone)),
            "{told:?}"
        );
    }
}

/// Accounting of this test's own, put away when it is dropped.
struct Own(&'static str);

impl Own {
    fn begin(path: &'static str) -> Self {
        fs::write(path, []).unwrap();
        let own = Self(path);
        acct::enable(path).unwrap();
        own
    }

    fn length(&self) -> u64 {
        fs::metadata(self.0).unwrap().len()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        acct::disable().unwrap();
        fs::remove_file(self.0).unwrap();
    }
}

#[test]
fn accounting_that_is_on_already_is_left_alone() {
    const KNOWN: &str = "/var/log/pacct";
    if !root() || fs::exists(KNOWN).unwrap() {
        println!("skipped: needs root, and no {KNOWN}");
        return;
    }
    let _alone = alone();
    let own = Own::begin(KNOWN);
    assert!(Monitor::start("acct", &[]).is_none());
    let before = own.length();
    Command::new("/bin/true").status().unwrap();
    assert!(own.length() > before, "it was taken away");
}
