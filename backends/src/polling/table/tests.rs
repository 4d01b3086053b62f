use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

use super::{super::held::Held, *};

/// `spawn` returns in the middle of the exec; this waits for its end.
fn shell(script: &str) -> Child {
    let child = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut proc = Procfs::open().unwrap();
    let process = proc.process(child.id()).unwrap();
    while process.stat(&mut proc).unwrap().unfinished() {
        std::thread::yield_now();
    }
    child
}

fn table() -> Table {
    Table::open(Depth::Full, None).unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Scans until something is reported, for at most five seconds.
fn reports(table: &mut Table) -> Vec<Sighting> {
    let mut seen = Vec::new();
    for _ in 0..500 {
        table.check_known(monotonic_ns(), &mut |s| seen.push(s));
        if !seen.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    seen
}

#[test]
fn a_process_is_reported_once() {
    let child = shell("read x");
    let mut table = table();
    let found = [(child.id(), 7)];
    let mut seen = Vec::new();
    for _ in 0..3 {
        table.add(&found, monotonic_ns(), &mut |s| seen.push(s));
        table.check_known(monotonic_ns(), &mut |s| seen.push(s));
    }
    end(child);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].ppid, Some(std::process::id()));
    assert_eq!(seen[0].time_ns, None);
}

#[test]
fn an_exec_inside_a_known_process_is_reported_even_of_the_same_file() {
    let mut child = shell("read x; exec /bin/sh -c 'read x'");
    let mut table = table();
    table.begin(&[(child.id(), 7)]);
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let seen = reports(&mut table);
    end(child);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(matches!(
        &seen[0].argv,
        Some(execlab_model::sighting::Argv::List(l)) if l[2].as_slice() == b"read x"
    ));
}

#[test]
fn a_zombie_that_was_known_is_not_reported_again() {
    let mut child = shell("read x");
    let mut table = table();
    table.begin(&[(child.id(), 7)]);
    child.kill().unwrap();
    // Not reaped: it is a zombie now or soon.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut seen = Vec::new();
    table.check_known(monotonic_ns(), &mut |s| seen.push(s));
    table.add(&[(child.id(), 7)], monotonic_ns(), &mut |s| seen.push(s));
    child.wait().unwrap();
    assert_eq!(seen, []);
}

#[test]
fn a_zombie_that_was_not_known_is_reported_by_its_name() {
    let mut child = Command::new("/bin/true").spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut seen = Vec::new();
    table().add(&[(child.id(), 7)], monotonic_ns(), &mut |s| seen.push(s));
    child.wait().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].path, Some("true".into()));
}

#[test]
fn the_next_process_with_a_number_is_another_one() {
    let child = shell("read x");
    let mut table = table();
    let mut seen = 0;
    table.add(&[(child.id(), 7)], monotonic_ns(), &mut |_| seen += 1);
    table.add(&[(child.id(), 8)], monotonic_ns(), &mut |_| seen += 1);
    end(child);
    assert_eq!(seen, 2);
}

#[test]
fn a_fork_is_reported_only_when_it_calls_exec() {
    prove_fork_flag().unwrap();
    // The subshell waits in `read` before its exec; its id comes through the pipe.
    let mut child = Command::new("/bin/sh")
        .args([
            "-c",
            "exec 3<&0; (read x <&3; exec sleep 60) & echo $!; wait",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).unwrap();
    let fork: u32 = line.trim().parse().unwrap();

    let mut table = table();
    let mut early = Vec::new();
    table.add(&[(fork, 7)], monotonic_ns(), &mut |s| early.push(s));
    table.check_known(monotonic_ns(), &mut |s| early.push(s));
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let late = reports(&mut table);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(fork.cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    end(child);
    assert_eq!(early, []);
    assert_eq!(late.len(), 1);
    assert!(late[0].path.as_ref().unwrap().basename() != b"sh");
}

/// Between the only scan and its end it called exec, and nobody has waited for it yet.
#[test]
fn a_fork_that_called_exec_and_ended_is_reported_when_its_end_is_told() {
    let mut held = Held::fork(Command::new("/bin/true"));
    let pid = held.pid;
    let (ends, _) = Ends::open().unwrap();
    let mut table = Table::open(Depth::Full, Some(ends)).unwrap();
    let mut early = Vec::new();
    table.add(&[(pid, 7)], monotonic_ns(), &mut |s| early.push(s));
    held.go();
    let mut fds = [nix::poll::PollFd::new(
        table.ends().unwrap(),
        nix::poll::PollFlags::POLLIN,
    )];
    nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE).unwrap();
    let mut late = Vec::new();
    for _ in 0..2 {
        table.check_ended(monotonic_ns(), &mut |s| late.push(s));
    }
    table.add(&[(pid, 7)], monotonic_ns(), &mut |s| late.push(s));
    held.child().wait().unwrap();
    assert_eq!(early, []);
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!(
        (late[0].pid, &late[0].path),
        (Some(pid), &Some("true".into()))
    );
}
