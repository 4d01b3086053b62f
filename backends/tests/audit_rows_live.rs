//! The rows of the family `audit` beside `audit` itself, on the running kernel, each as its own process. Needs root and audit
//! without an owner, and says why it did not run where one of them is missing.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_backends::{Remains, find};
use execlab_model::seam::Message;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Audit has one owner, so one test at a time.
static OWNER: Mutex<()> = Mutex::new(());

/// The rows that need nothing but audit and seccomp.
const ROWS: [&str; 3] = ["audit-multicast", "audit-64bit", "audit-seccomp"];

/// The lock that each test holds, if audit can be tried here at all.
fn audit_here() -> Option<MutexGuard<'static, ()>> {
    let lock = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let reason = if nix::unistd::geteuid().is_root() {
        match remains("audit").note() {
            Ok(Some(note)) if note.lines().any(|line| line == "pid 0") => return Some(lock),
            other => format!("{other:?}"),
        }
    } else {
        "not root".into()
    };
    eprintln!("skipped: audit cannot be tried here: {reason}");
    None
}

fn remains(row: &str) -> &'static dyn Remains {
    find(row).unwrap().remains().unwrap()
}

fn monitor() -> Command {
    Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
}

/// Starts a monitor and waits until it is ready.
fn start(row: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = monitor()
        .args([row, "1:json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let first: Message = serde_json::from_str(&line).unwrap();
    assert!(matches!(first, Message::Ready(_)), "{row}: {first:?}");
    (child, output)
}

/// Runs a program to its end, as the row wants its programs to be run; its pid.
fn run(row: &str) -> u32 {
    let mut command = monitor();
    command.args(["launch", row, "--", "/bin/true"]);
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

#[test]
fn each_row_sees_an_exec_and_leaves_the_machine_as_it_was() {
    let Some(_owner) = audit_here() else { return };
    for row in ROWS {
        let before = remains(row).note().unwrap();
        let (mut child, mut output) = start(row);
        assert_ne!(
            remains(row).note().unwrap(),
            before,
            "{row} changes nothing"
        );
        let pid = run(row);
        send(&child, Signal::SIGTERM);
        assert!(child.wait().unwrap().success());
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let seen = messages
            .filter(|message| matches!(message, Message::Sighting(s) if s.pid == Some(pid)))
            .count();
        // The launcher itself is executed by the same process; a filter is only there after it.
        let expected = if row == "audit-seccomp" { 1 } else { 2 };
        assert_eq!(seen, expected, "{row}: {text}");
        assert_eq!(remains(row).note().unwrap(), before, "{row}");
    }
}

#[test]
fn what_a_killed_monitor_leaves_is_put_back() {
    let Some(_owner) = audit_here() else { return };
    for row in ROWS {
        let remains = remains(row);
        let before = remains.note().unwrap().unwrap();
        let (mut child, mut output) = start(row);
        send(&child, Signal::SIGKILL);
        child.wait().unwrap();
        // The stand-in owner has the same standard output, and dies with its parent.
        output.read_to_end(&mut Vec::new()).unwrap();
        // Its end may still be under way: the owner is known to be dead when it is a zombie or gone.
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            remains.put_back(&before).unwrap();
            let now = remains.note().unwrap().unwrap();
            if now == before {
                break;
            }
            assert!(Instant::now() < until, "{row}: {now}");
            sleep(Duration::from_millis(5));
        }
    }
}
