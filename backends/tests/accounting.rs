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
use execlab_model::sighting::LossUnit;
use nix::{
    poll::{PollFd, PollFlags, poll},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        signal::Signal,
        wait::waitpid,
    },
    unistd::{ForkResult, acct, fork},
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

/// The monitor sleeps, so its queue overflows. Others on this host may be lost too.
#[test]
fn what_a_full_queue_drops_is_counted() {
    if !root() {
        return;
    }
    for overflow in ["overflow=enobufs", "overflow=go-on"] {
        let Some(monitor) = Monitor::start("taskstats", &["rcvbuf=8192", overflow]) else {
            return;
        };
        monitor.signal(Signal::SIGSTOP);
        let run = |_| {
            let mut child = Command::new("/bin/true").spawn().unwrap();
            child.wait().unwrap();
            child.id()
        };
        let pids: Vec<u32> = (0..100).map(run).collect();
        monitor.signal(Signal::SIGCONT);
        let (messages, _) = monitor.stop();
        let seen = sightings(&messages);
        let seen: usize = pids.iter().map(|&pid| of(&seen, pid).len()).sum();
        let losses = losses(&messages);
        assert!(
            losses.iter().all(|l| l.unit == LossUnit::Exec),
            "{losses:?}"
        );
        let lost: u64 = losses.iter().filter_map(|l| l.count).sum();
        assert!(seen < pids.len());
        assert!(seen as u64 + lost >= pids.len() as u64, "{seen} + {lost}");
    }
}

/// 256 KiB are 4,096 records, and nobody reads them before the end.
#[test]
fn a_file_that_is_full_is_told_as_a_loss_of_an_unknown_number() {
    if !root() {
        return;
    }
    let _alone = alone();
    let Some(monitor) = Monitor::start("acct", &["size-kib=256", "interval-ms=60000"]) else {
        return;
    };
    for _ in 0..4200 {
        // SAFETY: the child calls nothing but _exit, which is async-signal-safe.
        match unsafe { fork() }.unwrap() {
            // SAFETY: as above.
            ForkResult::Child => unsafe { libc::_exit(0) },
            ForkResult::Parent { child } => waitpid(child, None).unwrap(),
        };
    }
    let losses = losses(&monitor.stop().0);
    let told: Vec<_> = losses.iter().map(|l| l.source.as_str()).collect();
    assert_eq!(
        told,
        [
            "the accounting file system is nearly full",
            "the record of the monitor's child did not come"
        ]
    );
    for loss in losses {
        assert_eq!((loss.unit, loss.count), (LossUnit::Unknown, None));
        assert!(loss.window_ns.0 < loss.window_ns.1);
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
