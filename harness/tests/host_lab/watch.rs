//! `execlab watch` on this very machine.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use execlab_model::{exit::ExitCode, seam::Message};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{alone, machine::Machine};

fn watch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_execlab"));
    command.arg("watch").arg("--backend");
    command
}

/// What was printed, line by line.
fn messages(printed: &[u8]) -> Vec<Message> {
    let lines = printed
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("each line is a message"))
        .collect()
}

#[test]
fn what_a_command_executes_is_printed_until_it_ends_and_the_machine_is_as_it_was() {
    let _alone = alone();
    let before = Machine::look();
    for backend in ["netlink", "seccomp-trace", "ptrace-traceme", "fanotify"] {
        // The shell stays until it has been looked up.
        let ended = watch()
            .args([backend, "--", "/bin/sh", "-c", "/bin/true; sleep 0.3"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(
            ended.status.code(),
            Some(ExitCode::Ok.code().into()),
            "{backend}: {said}"
        );
        let messages = messages(&ended.stdout);
        assert!(
            matches!(messages.first(), Some(Message::Ready(_))),
            "{backend}"
        );
        assert!(
            matches!(messages.last(), Some(Message::Done(_))),
            "{backend}"
        );
        let sightings = messages
            .iter()
            .filter(|m| matches!(m, Message::Sighting(_)));
        assert!(sightings.count() >= 1, "{backend}: {messages:?}");
    }
    before.assert_unchanged("after watching");
}

#[test]
fn ctrl_c_ends_it_and_puts_everything_back() {
    let _alone = alone();
    let before = Machine::look();
    for backend in ["tracefs-exec", "netlink", "preload-file", "acct"] {
        let mut child = watch().arg(backend).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says something").unwrap();
        let attached = matches!(
            serde_json::from_str(&first).unwrap(),
            Message::Ready(_) | Message::Unsupported(_)
        );
        assert!(attached, "{backend}: {first}");
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        // It may have ended already where this machine cannot be watched so.
        let _ = kill(pid, Signal::SIGINT);
        // What else happens on this machine is printed until then.
        assert!(lines.all(|line| line.is_ok()));
        let status = child.wait().unwrap();
        let ends = [ExitCode::Ok, ExitCode::HostLacks].map(|code| Some(i32::from(code.code())));
        assert!(
            ends.contains(&status.code()),
            "{backend}: {status} {:?}",
            status.signal()
        );
    }
    before.assert_unchanged("after Ctrl-C");
}
