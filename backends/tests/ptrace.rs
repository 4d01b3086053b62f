//! The backend `ptrace` on the running kernel, each test in a PID namespace of its own: nothing
//! else on the machine is traced.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use common::{Monitor, argv, canonical, losses, path, root, sightings, wait_for};
use execlab_model::sighting::Sighting;
use nix::sys::signal::Signal;

const INSIDE: &str = "EXECLAB_TEST_INSIDE";

/// Runs this very test again as the first process of a new PID namespace. True inside.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !root() {
        return false;
    }
    let status = Command::new("unshare")
        .args(["--pid", "--mount-proc", "--fork", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status();
    match status {
        Ok(status) => assert!(status.success(), "inside: {status}"),
        Err(error) => println!("skipped: unshare: {error}"),
    }
    false
}

/// A shell that runs what is written to it, started before the monitor and so traced by it.
struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Shell {
    fn start() -> Self {
        let mut child = Command::new("/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut shell = Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        assert_eq!(shell.run("echo ready"), "ready");
        shell
    }

    fn tell(&mut self, script: &str) {
        writeln!(self.stdin, "{script}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn run(&mut self, script: &str) -> String {
        self.tell(script);
        self.line()
    }

    fn end(self) {
        let Self {
            mut child,
            stdin,
            stdout,
        } = self;
        drop((stdin, stdout));
        child.wait().unwrap();
    }
}

fn state(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    after.chars().take(1).collect()
}

fn named<'a>(seen: &'a [Sighting], file: &str) -> Vec<&'a Sighting> {
    let file = canonical(file);
    seen.iter().filter(|s| path(s) == file).collect()
}

#[test]
fn every_exec_is_seen_with_everything() {
    if !inside("every_exec_is_seen_with_everything") {
        return;
    }
    for settings in [&[][..], &["ancestors=seize"]] {
        let mut shell = Shell::start();
        let Some(monitor) = Monitor::start("ptrace", settings) else {
            return;
        };
        let script = "i=0; while [ $i -lt 300 ]; do /bin/true $i; i=$((i+1)); done; echo $i";
        assert_eq!(shell.run(script), "300");
        // From a fork, with a relative path, and one exec after another in one process.
        assert_eq!(
            shell.run("cd /bin; ( ./cat /dev/null; exec ./env ./echo over )"),
            "over"
        );
        let own = shell.child.id();
        let (messages, _) = monitor.stop();
        assert_eq!(shell.run("echo still here"), "still here");
        shell.end();

        let seen = sightings(&messages);
        let all = named(&seen, "/bin/true");
        assert_eq!(all.len(), 300, "{settings:?}");
        for (number, sighting) in all.iter().enumerate() {
            assert_eq!(argv(sighting), ["/bin/true".to_owned(), number.to_string()]);
            assert_eq!((sighting.ppid, sighting.uid), (Some(own), Some(0)));
            assert!(sighting.container.mnt_ns.is_some() && sighting.container.pid_ns.is_some());
        }
        let order: Vec<_> = ["/bin/cat", "/bin/env", "/bin/echo"]
            .map(|file| named(&seen, file))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(order.len(), 3);
        assert_eq!(order[1].pid, order[2].pid);
        assert_eq!(losses(&messages), []);
    }
}

#[test]
fn signals_and_stops_are_as_without_a_tracer() {
    if !inside("signals_and_stops_are_as_without_a_tracer") {
        return;
    }
    let mut shell = Shell::start();
    let Some(monitor) = Monitor::start("ptrace", &[]) else {
        return;
    };
    // A real-time signal, one that is handled, one that kills.
    assert_eq!(
        shell.run("sh -c 'trap \"exit 9\" 40; kill -40 $$; exit 1'; echo $?"),
        "9"
    );
    assert_eq!(
        shell.run("sh -c 'trap \"exit 8\" TERM; kill $$; exit 1'; echo $?"),
        "8"
    );
    assert_eq!(shell.run("sh -c 'kill -KILL $$'; echo $?"), "137");
    // Job control: stopped, continued, stopped again, let go while stopped.
    let pid = shell.run("sleep 60 & echo $!");
    wait_for("the exec", || (state(&pid) == "S").then_some(()));
    let stopped = || {
        wait_for("a stopped process", || {
            ["T", "t"].contains(&&*state(&pid)).then_some(())
        });
    };
    shell.tell("kill -STOP $!");
    stopped();
    std::thread::sleep(Duration::from_millis(100));
    stopped();
    assert_eq!(shell.run("kill -CONT $!; echo on"), "on");
    wait_for("a continued process", || (state(&pid) == "S").then_some(()));
    shell.tell("kill -STOP $!");
    stopped();
    let (_, took) = monitor.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(state(&pid), "T");
    assert_eq!(shell.run("kill -CONT $!; kill $!; wait $!; echo $?"), "143");
    shell.end();
}

#[test]
fn a_storm_goes_on_when_the_monitor_stops_or_is_killed() {
    if !inside("a_storm_goes_on_when_the_monitor_stops_or_is_killed") {
        return;
    }
    for kill in [false, true] {
        let mut shell = Shell::start();
        let Some(mut monitor) = Monitor::start("ptrace", &[]) else {
            return;
        };
        shell.tell("while [ ! -e /proc/1/nothing ]; do /bin/true; echo x; done");
        for _ in 0..100 {
            assert_eq!(shell.line(), "x");
        }
        if kill {
            monitor.signal(Signal::SIGKILL);
            assert!(!monitor.wait().success());
        } else {
            let (messages, took) = monitor.stop();
            println!("stopped in the storm in {took:?}");
            assert!(took < Duration::from_secs(2), "{took:?}");
            assert!(named(&sightings(&messages), "/bin/true").len() >= 100);
        }
        for _ in 0..100 {
            assert_eq!(shell.line(), "x");
        }
        // Its own child, by id; what it writes to is gone, so the rest ends by itself.
        shell.child.kill().unwrap();
        shell.child.wait().unwrap();
    }
}

#[test]
fn a_parent_that_waits_in_vfork_holds_up_nobody() {
    if !inside("a_parent_that_waits_in_vfork_holds_up_nobody") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let python = "import os,sys\n\
        sys.stdin.readline()\n\
        pid = os.posix_spawn('/bin/cat', ['cat'], {}, \
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])\n\
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\n";
    for stop_first in [false, true] {
        let spawned = Command::new("python3")
            .args(["-c", python])
            .arg(&fifo)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut parent) = spawned else {
            println!("skipped: no python3 to call posix_spawn with");
            return;
        };
        std::thread::sleep(Duration::from_millis(300));
        let Some(monitor) = Monitor::start("ptrace", &[]) else {
            return;
        };
        let mut monitor = Some(monitor);
        parent.stdin.take().unwrap().write_all(b"\n").unwrap();
        // The child opens the fifo before its exec, and waits there for a writer.
        std::thread::sleep(Duration::from_millis(300));
        if stop_first {
            let (_, took) = monitor.take().unwrap().stop();
            println!("stopped beside a vfork in {took:?}");
            assert!(took < Duration::from_secs(2), "{took:?}");
        }
        drop(std::fs::File::options().write(true).open(&fifo).unwrap());
        let mut line = String::new();
        BufReader::new(parent.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "0\n");
        parent.wait().unwrap();
        if let Some(monitor) = monitor {
            let seen = sightings(&monitor.stop().0);
            assert_eq!(named(&seen, "/bin/cat").len(), 1);
        }
    }
}
