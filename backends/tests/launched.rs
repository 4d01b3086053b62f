//! The backends of the family `ptrace` that are launched with what they watch, on the running kernel. Nobody else on
//! the machine is touched.

#[path = "proc_poll_common/mod.rs"]
mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use common::{Monitor, argv, canonical, losses, path, root, sightings};
use execlab_model::sighting::Sighting;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Each row with each of its ways to be set that differ in mechanism.
const ROWS: [(&str, &[&str]); 5] = [
    ("seccomp-notify", &[]),
    ("seccomp-notify", &["report=feasible"]),
    ("seccomp-trace", &[]),
    ("ptrace-traceme", &[]),
    ("ptrace-traceme", &["exec=event"]),
];

/// A monitor and a shell that was launched under it.
struct Watched {
    monitor: Option<Monitor>,
    shell: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    _meeting: TempDir,
}

impl Watched {
    fn start(row: &str, settings: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let meeting: PathBuf = dir.path().join("meeting");
        let env = [("EXECLAB_RENDEZVOUS", meeting.as_path())];
        let monitor = Monitor::start_with(row, settings, &env)?;
        let mut shell = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
            .args(["launch", row])
            .args(settings)
            .args(["--", "/bin/sh"])
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut watched = Self {
            monitor: Some(monitor),
            stdin: shell.stdin.take(),
            stdout: BufReader::new(shell.stdout.take().unwrap()),
            shell,
            _meeting: dir,
        };
        assert_eq!(watched.run("echo ready"), "ready", "{row} {settings:?}");
        Some(watched)
    }

    fn run(&mut self, script: &str) -> String {
        writeln!(self.stdin.as_ref().unwrap(), "{script}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn stop(&mut self) -> Vec<execlab_model::seam::Message> {
        let (messages, took) = self.monitor.take().unwrap().stop();
        assert!(took < Duration::from_secs(5), "{took:?}");
        messages
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn named<'a>(seen: &'a [Sighting], file: &str) -> Vec<&'a Sighting> {
    let file = canonical(file);
    seen.iter().filter(|s| path(s) == file).collect()
}

#[test]
fn every_exec_is_seen_with_everything() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        let Some(mut watched) = Watched::start(row, settings) else {
            return;
        };
        let script = "i=0; while [ $i -lt 100 ]; do /bin/true $i; i=$((i+1)); done; echo $i";
        assert_eq!(watched.run(script), "100");
        let script = "cd /bin; ( ./cat /dev/null; exec ./env ./echo over )";
        assert_eq!(watched.run(script), "over");
        let script = "/bin/nothing-of-that-name 2>/dev/null; echo tried";
        assert_eq!(watched.run(script), "tried");
        let parent = watched.shell.id();
        let messages = watched.stop();

        let seen = sightings(&messages);
        let all = named(&seen, "/bin/true");
        assert_eq!(all.len(), 100, "{row} {settings:?}");
        for (number, sighting) in all.iter().enumerate() {
            assert_eq!(argv(sighting), ["/bin/true".to_owned(), number.to_string()]);
            assert_eq!((sighting.ppid, sighting.uid), (Some(parent), Some(0)));
            assert!(sighting.container.mnt_ns.is_some() && sighting.container.pid_ns.is_some());
        }
        let order = ["/bin/cat", "/bin/env", "/bin/echo"].map(|file| named(&seen, file));
        assert_eq!(order.each_ref().map(Vec::len), [1, 1, 1], "{row}");
        assert_eq!(order[1][0].pid, order[2][0].pid);
        if row.starts_with("seccomp") {
            assert_eq!(order[0][0].given, Some("./cat".into()));
        }
        let failed = |s: &&Sighting| path(s) == "/bin/nothing-of-that-name";
        let told = seen.iter().filter(failed).count();
        let attempts = (row, settings) == ("seccomp-notify", &[][..]);
        assert_eq!(told, usize::from(attempts), "{row} {settings:?}");
        assert_eq!(losses(&messages), []);
    }
}

#[test]
fn what_was_launched_goes_on_after_the_monitor() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        let Some(mut watched) = Watched::start(row, settings) else {
            return;
        };
        watched.stop();
        let script = "if /bin/true 2>/dev/null; then echo yes; else echo no; fi";
        assert_eq!(watched.run(script), "yes", "{row} {settings:?}");
        let traced = watched.run("sh -c 'grep TracerPid: /proc/$$/status'");
        let expected = row == "seccomp-trace";
        assert_eq!(traced != "TracerPid:\t0", expected, "{row}: {traced}");
    }
}

#[test]
fn nothing_hangs_or_fails_when_the_monitor_is_killed() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        let Some(mut watched) = Watched::start(row, settings) else {
            return;
        };
        let mut monitor = watched.monitor.take().unwrap();
        monitor.signal(Signal::SIGKILL);
        assert!(!monitor.wait().success());
        for _ in 0..20 {
            assert_eq!(watched.run("/bin/true && echo yes || echo no"), "yes");
        }
    }
}

/// Some sleep, some are in the middle of execs and births all the time.
#[test]
fn a_tree_outlives_the_monitor() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        for kill in [false, true] {
            let Some(mut watched) = Watched::start(row, settings) else {
                return;
            };
            let dir = tempfile::tempdir().unwrap();
            let end = dir.path().join("end");
            let busy = format!(
                "busy() {{ until [ -e {} ]; do /bin/true || exit 7; done; exit 5; }}",
                end.display()
            );
            watched.run(&format!("{busy}; echo ready"));
            let script = "all=; for i in 1 2 3 4; do busy & all=\"$all $!\"; done; \
                for i in 1 2 3 4 5 6 7 8 9 10; do (read x; exit 5) <&9 & all=\"$all $!\"; done; echo on";
            let fifo = dir.path().join("fifo");
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
            watched.run(&format!("exec 9<>{}; echo open", fifo.display()));
            assert_eq!(watched.run(script), "on");
            if kill {
                let mut monitor = watched.monitor.take().unwrap();
                monitor.signal(Signal::SIGKILL);
                assert!(!monitor.wait().success());
            } else {
                assert_eq!(losses(&watched.stop()), []);
            }
            std::fs::write(&end, "").unwrap();
            assert_eq!(
                watched.run("for i in $all; do echo; done >&9; echo on"),
                "on"
            );
            let ends =
                watched.run("out=; for p in $all; do wait $p; out=\"$out $?\"; done; echo $out");
            assert_eq!(ends, ["5"; 14].join(" "), "{row} {settings:?} {kill}");
        }
    }
}

/// Spawns `cat`, which is to read a fifo, and ends with 40 when that has gone well.
const PYTHON: &str = "import os,sys; \
    pid = os.posix_spawn(\"/bin/cat\", [\"cat\"], {}, \
    file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]); \
    sys.exit(40 + os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";

/// It cannot be stopped before its child has executed, and so not be let go.
#[test]
fn a_parent_in_vfork_outlives_the_monitor() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        let Some(mut watched) = Watched::start(row, settings) else {
            return;
        };
        if watched.run("python3 -c 0 && echo there || echo no") != "there" {
            println!("skipped: no python3 to call posix_spawn with");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let python = watched.run(&format!(
            "python3 -c '{PYTHON}' {} & echo $!",
            fifo.display()
        ));
        // The child opens the fifo before its exec, and waits there for a writer.
        let children = format!("/proc/{python}/task/{python}/children");
        common::wait_for("a child at the fifo", || {
            let children = std::fs::read_to_string(&children).unwrap_or_default();
            let child = children.split_whitespace().next()?;
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            stat.contains(") S ").then_some(())
        });
        watched.stop();
        drop(std::fs::File::options().write(true).open(&fifo).unwrap());
        assert_eq!(watched.run("wait $!; echo $?"), "40", "{row} {settings:?}");
    }
}

#[test]
fn signals_arrive_as_without_a_monitor() {
    if !root() {
        return;
    }
    for (row, settings) in ROWS {
        let Some(mut watched) = Watched::start(row, settings) else {
            return;
        };
        let script = "sh -c 'trap \"exit 9\" 40; kill -40 $$; exit 1'; echo $?";
        assert_eq!(watched.run(script), "9", "{row}");
        assert_eq!(
            watched.run("sh -c 'kill -KILL $$'; echo $?"),
            "137",
            "{row}"
        );
        // A SIGTRAP from somebody else is none of an exec.
        let trap = "sleep 60 & kill -TRAP $!; wait $!; echo $?";
        assert_eq!(watched.run(trap), "133", "{row}");
    }
}
