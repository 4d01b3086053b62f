//! The backends of the family `ebpf` on the running kernel: the real monitor process, real execs.
//!
//! Where the kernel or its rights do not allow that, each test prints why and ends; it never counts
//! anything as seen that was not.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_model::{
    Bytes,
    seam::Message,
    sighting::{Argv, LossReport, Sighting},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const DEADLINE: Duration = Duration::from_mins(1);

struct Monitor {
    child: Child,
    evidence: Vec<String>,
    seam: PathBuf,
    _place: tempfile::TempDir,
}

/// What a monitor said from `Ready` to `Done`.
struct Said {
    sightings: Vec<Sighting>,
    losses: Vec<LossReport>,
    notes: Vec<String>,
}

fn messages(seam: &Path) -> Vec<Message> {
    Message::decode_all(&fs::read(seam).unwrap()).unwrap().0
}

impl Monitor {
    /// `None` where the running kernel does not let us, which is printed.
    fn start(settings: &[&str]) -> Option<Self> {
        Self::of("ebpf", settings)
    }

    /// Of any row of the family.
    fn of(row: &str, settings: &[&str]) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let seam = place.path().join("seam");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&seam)
            .unwrap();
        // Descriptor 1 is the seam.
        let child = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
            .args([row, "1"])
            .args(settings)
            .stdout(file)
            .spawn()
            .unwrap();
        let mut monitor = Self {
            child,
            evidence: Vec::new(),
            seam,
            _place: place,
        };
        let began = Instant::now();
        loop {
            match messages(&monitor.seam).into_iter().next() {
                Some(Message::Ready(ready)) => {
                    monitor.evidence = ready.evidence;
                    return Some(monitor);
                }
                Some(Message::Unsupported(why)) => {
                    assert!(monitor.child.wait().unwrap().success());
                    eprintln!("{row} skipped: {}", why.reason);
                    return None;
                }
                Some(other) => panic!("the monitor began with {other:?}"),
                None => assert!(began.elapsed() < DEADLINE, "neither ready nor unsupported"),
            }
            sleep(Duration::from_millis(5));
        }
    }

    fn stop(mut self) -> Said {
        kill(
            Pid::from_raw(self.child.id().try_into().unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        assert!(self.child.wait().unwrap().success());
        let mut said = Said {
            sightings: Vec::new(),
            losses: Vec::new(),
            notes: Vec::new(),
        };
        let mut done = false;
        for message in messages(&self.seam) {
            match message {
                Message::Sighting(sighting) => said.sightings.push(sighting),
                Message::Loss(loss) => said.losses.push(loss),
                Message::Done(ending) => {
                    said.notes = ending.notes;
                    done = true;
                }
                Message::Ready(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(done, "the monitor did not say that it is done");
        said
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // A test that failed half-way; after `stop` both fail, as they should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that is copied to wherever a test wants to run something.
const PROGRAM: &str = "/bin/true";

fn install(to: &Path) {
    fs::copy(PROGRAM, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it to its end; its pid.
fn run(command: &mut Command) -> u32 {
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    pid
}

impl Said {
    fn of(&self, pid: u32) -> &Sighting {
        let mut all = self.sightings.iter().filter(|s| s.pid == Some(pid));
        let first = all
            .next()
            .unwrap_or_else(|| panic!("pid {pid} was not seen"));
        assert!(all.next().is_none(), "pid {pid} was seen twice");
        first
    }
}

fn bytes(path: &Path) -> Bytes {
    path.as_os_str().as_bytes().into()
}

fn list(arguments: &[&str]) -> Argv {
    Argv::List(arguments.iter().map(|&a| a.into()).collect())
}

fn namespace(kind: &str) -> u32 {
    fs::metadata(format!("/proc/self/ns/{kind}"))
        .unwrap()
        .ino()
        .try_into()
        .unwrap()
}

/// The kernel's id of our own cgroup, `None` without a cgroup v2 hierarchy in its usual place.
fn own_cgroup() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let root = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields[2] == "cgroup2")?[1]
        .to_owned();
    fs::metadata(format!("{root}{path}")).ok().map(|m| m.ino())
}

fn monotonic_ns() -> u64 {
    execlab_backends::clock::monotonic_ns()
}

#[test]
fn every_field_of_an_exec_is_right() {
    for setting in ["buffer=ring", "buffer=perf", "batch-bytes=1000000"] {
        let Some(monitor) = Monitor::start(&[setting]) else {
            return;
        };
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        install(&place.join("x"));
        let before = monotonic_ns();
        let pid = run(Command::new(place.join("x"))
            .arg0("zero")
            .args(["", "a b", "\u{e4}"]));
        let after = monotonic_ns();
        let said = monitor.stop();
        let seen = said.of(pid);
        assert_eq!(seen.path, Some(bytes(&place.join("x"))));
        assert_eq!(seen.given, Some(bytes(&place.join("x"))));
        assert_eq!(seen.argv, Some(list(&["zero", "", "a b", "\u{e4}"])));
        assert_eq!(seen.ppid, Some(std::process::id()));
        assert_eq!(seen.uid, Some(nix::unistd::getuid().as_raw()));
        assert!((before..after).contains(&seen.time_ns.unwrap()));
        assert!(seen.received_ns > seen.time_ns.unwrap());
        assert!(!seen.truncated);
        let file = fs::metadata(place.join("x")).unwrap();
        assert_eq!(seen.file, Some((file.dev(), file.ino())));
        assert_eq!(seen.container.mnt_ns, Some(namespace("mnt")));
        assert_eq!(seen.container.pid_ns, Some(namespace("pid")));
        if let Some(id) = own_cgroup() {
            assert_eq!(seen.container.cgroup_id, Some(id));
        } else {
            eprintln!("cgroup id not checked: no cgroup v2 hierarchy");
        }
        assert!(said.losses.is_empty(), "{:?}", said.losses);
    }
}

#[test]
fn the_path_is_that_of_the_file_whatever_it_was_called_by() {
    let Some(monitor) = Monitor::start(&["linger-ms=10", "buffer-pages=1024"]) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    let sub = place.join("sub");
    fs::create_dir(&sub).unwrap();
    install(&sub.join("x"));
    symlink("sub/x", place.join("link")).unwrap();
    let odd = sub.join(OsStr::from_bytes(b"o\xff d\n(deleted)"));
    install(&odd);
    let given: [(&Path, &Path, &Path); 4] = [
        (Path::new("./x"), &sub, &sub.join("x")),
        (Path::new("../sub/x"), &sub, &sub.join("x")),
        (Path::new("./link"), &place, &sub.join("x")),
        (&odd, &place, &odd),
    ];
    let pids = given.map(|(given, cwd, _)| run(Command::new(given).current_dir(cwd)));
    let said = monitor.stop();
    for (pid, (given, _, path)) in pids.into_iter().zip(given) {
        let seen = said.of(pid);
        assert_eq!(
            (&seen.path, &seen.given),
            (&Some(bytes(path)), &Some(bytes(given)))
        );
    }
}

#[test]
fn deep_paths_are_whole_or_say_that_they_were_cut() {
    let Some(monitor) = Monitor::start(&[]) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    // Longer than any path that can be passed or read back, so it is built step by step.
    let mut expected = Vec::new();
    for (names, length) in [(1000usize, 3usize), (300, 26), (400, 26)] {
        let name = "d".repeat(length);
        let top = place.join(format!("{names}x{length}"));
        fs::create_dir(&top).unwrap();
        let script = format!(
            "cd {top} && i=0; while [ $i -lt {names} ]; do mkdir {name} && cd -P {name} || exit 1; i=$((i+1)); done; cp {PROGRAM} x && exec ./x",
            top = top.display(),
        );
        let pid = run(Command::new("/bin/sh")
            .args(["-c", &script])
            .env_remove("PWD"));
        let path = format!("{}/{}x", top.display(), format!("{name}/").repeat(names));
        expected.push((pid, path));
    }
    let said = monitor.stop();
    for (pid, path) in expected {
        // The shell's own exec comes first.
        let seen = said.sightings.iter().rfind(|s| s.pid == Some(pid)).unwrap();
        assert_eq!(seen.given, Some("./x".into()), "{} bytes", path.len());
        let got = seen.path.as_ref().unwrap();
        if path.len() <= 8192 {
            assert_eq!((got, seen.truncated), (&Bytes::from(&*path), false));
        } else {
            assert!(seen.truncated && got.0.len() > 8192 - 256);
            assert!(path.as_bytes().ends_with(got.as_slice()));
        }
    }
}

#[test]
fn files_without_a_name_are_spelled_as_proc_spells_them() {
    let Some(monitor) = Monitor::start(&[]) else {
        return;
    };
    // Both run themselves through a descriptor, and stay to be compared.
    let script = r#"
import os, sys
image = open(sys.argv[1], "rb").read()
if sys.argv[2] == "memfd":
    fd = os.memfd_create("strange name", 0)
    os.write(fd, image)
else:
    with open(sys.argv[2], "wb") as f: f.write(image)
    os.chmod(sys.argv[2], 0o755)
    fd = os.open(sys.argv[2], os.O_RDONLY)
    os.set_inheritable(fd, True)
    os.unlink(sys.argv[2])
fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
os.execve(fd, ["sleep", "1000"], {})
"#;
    let place = tempfile::tempdir().unwrap();
    let gone = place.path().canonicalize().unwrap().join("gone");
    let mut expected = Vec::new();
    for what in [OsStr::new("memfd"), gone.as_os_str()] {
        let child = Command::new("python3")
            .args(["-c", script, "/bin/sleep"])
            .arg(what)
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no python3");
            return;
        };
        let exe = format!("/proc/{}/exe", child.id());
        let began = Instant::now();
        let link = loop {
            let link = fs::read_link(&exe).unwrap();
            if link.to_string_lossy().ends_with(" (deleted)") {
                break link;
            }
            assert!(began.elapsed() < DEADLINE);
            sleep(Duration::from_millis(5));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        expected.push((child.id(), link));
    }
    let said = monitor.stop();
    for (pid, link) in expected {
        let seen = said.sightings.iter().rfind(|s| s.pid == Some(pid)).unwrap();
        assert_eq!(seen.path, Some(bytes(&link)));
    }
}

#[test]
fn arguments_are_cut_where_the_setting_says() {
    let Some(monitor) = Monitor::start(&["argv-bytes=32767"]) else {
        return;
    };
    let Some(none) = Monitor::start(&["argv-bytes=0"]) else {
        return;
    };
    let long = "y".repeat(30_000);
    let pid = run(Command::new(PROGRAM).args([&long, "last"]));
    let longer = run(Command::new(PROGRAM).args([&long, &long]));
    let said = monitor.stop();
    assert_eq!(said.of(pid).argv, Some(list(&[PROGRAM, &long, "last"])));
    assert!(!said.of(pid).truncated);
    let left = 32_767 - PROGRAM.len() - 1 - long.len() - 1;
    assert_eq!(
        said.of(longer).argv,
        Some(list(&[PROGRAM, &long, &long[..left]]))
    );
    assert!(said.of(longer).truncated);
    let said = none.stop();
    assert_eq!((&said.of(pid).argv, said.of(pid).truncated), (&None, false));
}

#[test]
fn losses_are_counted_to_the_last_exec() {
    const EXECS: usize = 300;
    for buffer in ["buffer=ring", "buffer=perf"] {
        // Others on this machine exec as well. One monitor with room for everything says how much
        // there was to see for the other one, which does not read while its buffer overflows.
        let Some(witness) = Monitor::start(&["buffer-pages=4096"]) else {
            return;
        };
        let Some(monitor) = Monitor::start(&[buffer, "buffer-pages=1"]) else {
            return;
        };
        let pid = Pid::from_raw(monitor.child.id().try_into().unwrap());
        let first = run(&mut Command::new(PROGRAM));
        sleep(Duration::from_millis(100));
        kill(pid, Signal::SIGSTOP).unwrap();
        for _ in 0..EXECS {
            run(&mut Command::new(PROGRAM));
        }
        kill(pid, Signal::SIGCONT).unwrap();
        sleep(Duration::from_millis(200));
        let last = run(&mut Command::new(PROGRAM));
        let said = monitor.stop();
        let all = witness.stop();
        assert!(all.losses.is_empty(), "{:?}", all.losses);
        let between = |said: &Said| {
            let time = |pid| said.of(pid).time_ns;
            let span = time(first)..=time(last);
            let inside = said.sightings.iter().filter(|s| span.contains(&s.time_ns));
            u64::try_from(inside.count()).unwrap()
        };
        let missed = between(&all) - between(&said);
        let reported: u64 = said.losses.iter().map(|l| l.count.unwrap()).sum();
        assert!(missed > 0, "nothing was lost, so nothing was tested");
        // Exact on a quiet machine; what others do before the first and after the last exec may
        // not find room in one page either.
        assert!(
            (missed..=missed + 30).contains(&reported),
            "{missed} missed, {reported} reported; {:?}",
            said.notes
        );
        eprintln!("{buffer}: {missed} missed, {reported} reported");
    }
}

#[test]
fn nothing_stays_behind() {
    let Some(monitor) = Monitor::start(&[]) else {
        return;
    };
    let said = &monitor.evidence[0];
    let id: u32 = said.rsplit(' ').next().unwrap().parse().unwrap();
    let loaded = || aya::programs::loaded_programs().any(|p| p.is_ok_and(|p| p.id() == id));
    assert!(loaded(), "{said}");
    monitor.stop();
    // The kernel frees it a moment after the last descriptor is closed.
    let began = Instant::now();
    while loaded() {
        assert!(began.elapsed() < DEADLINE, "program {id} is still loaded");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_row_that_this_kernel_takes_reports_an_exec_that_it_is_made_to_see() {
    let rows = execlab_backends::BACKENDS
        .iter()
        .filter(|backend| backend.program() == "ebpf");
    let mut attached = 0;
    for row in rows {
        let Some(monitor) = Monitor::of(row.name(), &[]) else {
            continue;
        };
        attached += 1;
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        install(&place.join("x"));
        let pid = run(Command::new(place.join("x")).arg("one"));
        let said = monitor.stop();
        let mine = said.sightings.iter().filter(|s| s.pid == Some(pid));
        let paths: Vec<_> = mine.map(|s| s.path.clone()).collect();
        // Who looks into `/proc` can come too late, and where attempts or opened files are reported the loader is too.
        let path = Some(bytes(&place.join("x")));
        let found = paths.contains(&path) || row.name() == "ebpf-proc" && paths == [None];
        assert!(found, "{}: {paths:?}", row.name());
        assert!(said.losses.is_empty(), "{}: {:?}", row.name(), said.losses);
    }
    if attached == 0 {
        eprintln!("skipped: this kernel takes none");
    }
}
