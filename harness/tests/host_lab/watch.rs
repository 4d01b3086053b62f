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
    let all = [
        "netlink",
        "seccomp-trace",
        "ptrace",
        "ptrace-traceme",
        "fanotify",
    ];
    for backend in all {
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
        // Others execute things on this machine too.
        let of_command = messages.iter().any(|message| match message {
            Message::Sighting(sighting) => sighting
                .path
                .as_ref()
                .is_some_and(|path| path.as_slice().ends_with(b"/sleep")),
            _ => false,
        });
        assert!(of_command, "{backend}: {messages:?}");
    }
    before.assert_unchanged("after watching");
}

/// Ctrl-C at a terminal goes to both, but whoever ends watch alone means both too; what does not listen is killed when it is
/// said again.
#[test]
fn a_command_that_lives_on_is_ended_with_the_watch() {
    let _alone = alone();
    let before = Machine::look();
    for (command, said) in [
        ("exec sleep 1000", 1),
        ("trap '' TERM; while :; do sleep 1; done", 2),
    ] {
        let mut child = watch()
            .args(["proc-poll", "--", "/bin/sh", "-c", command])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || {
            lines
                .next()
                .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        };
        assert!(matches!(next(), Some(Message::Ready(_))));
        // Until the command is there.
        assert!(matches!(next(), Some(Message::Sighting(_))));
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        for _ in 0..said {
            kill(pid, Signal::SIGINT).unwrap();
            // The monitor ends at the first time in any case, and says so once.
            while !matches!(next(), Some(Message::Done(_)) | None) {}
        }
        let status = child.wait().unwrap();
        // The second time may find the monitor on its way out, and then it is killed too.
        let ends = [ExitCode::Ok, ExitCode::Incomplete].map(|code| Some(i32::from(code.code())));
        assert!(ends[..said].contains(&status.code()), "{status}");
    }
    before.assert_unchanged("after watching what lives on");
}

/// `execlab watch … | head`: Ctrl-C ends both ends of the pipe, and the line that nobody takes is no second one.
#[test]
fn ctrl_c_at_a_pipeline_is_one_word() {
    let _alone = alone();
    let before = Machine::look();
    let mut child = watch()
        .args([
            "proc-poll",
            "--",
            "/bin/sh",
            "-c",
            "while :; do sleep 0.01; done",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        lines.next().expect("it says something").unwrap();
    }
    drop(lines);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(ExitCode::Ok.code().into()), "{status}");
    before.assert_unchanged("after Ctrl-C at a pipeline");
}

#[test]
fn a_command_that_cannot_be_started_ends_the_watch() {
    let _alone = alone();
    let before = Machine::look();
    let ended = watch().args(["netlink", "--", "/no/such/command"]).output();
    let ended = ended.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("cannot start /no/such/command"), "{said}");
    let code = ExitCode::Config.code();
    assert_eq!(ended.status.code(), Some(code.into()));
    before.assert_unchanged("after watching nothing");
}

#[test]
fn ctrl_c_ends_it_and_puts_everything_back() {
    let _alone = alone();
    let before = Machine::look();
    let mut ready = 0;
    for backend in ["tracefs-exec", "netlink", "preload-file", "acct"] {
        let mut child = watch().arg(backend).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says something").unwrap();
        match serde_json::from_str(&first).unwrap() {
            Message::Ready(_) => ready += 1,
            Message::Unsupported(_) => {}
            other => panic!("{backend}: {other:?}"),
        }
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
    assert!(ready > 0, "none of them watches this machine");
    before.assert_unchanged("after Ctrl-C");
}
