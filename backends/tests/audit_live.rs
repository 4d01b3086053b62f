//! The `audit` backend on the running kernel, as its own process. Needs root and audit, and says
//! why it did not run where one of them is missing.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Read,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use execlab_backends::{AttachError, Settings, clock::monotonic_ns, find};
use execlab_model::{
    Bytes,
    seam::Message,
    sighting::{Argv, LossReport, Sighting},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Audit has one owner, so one test at a time.
static OWNER: Mutex<()> = Mutex::new(());

/// What `auditctl -s` and `auditctl -l` would print, as raw bytes: the status without its counters,
/// and all rules.
fn state() -> Result<(Vec<u32>, Vec<Vec<u8>>), String> {
    let status = raw::ask(1000, |kind| kind == 1000)?;
    let words: Vec<u32> = status[0]
        .chunks_exact(4)
        .map(|w| u32::from_ne_bytes(w.try_into().unwrap()))
        .collect();
    // mask, enabled, failure, pid, rate limit, backlog limit; and the wait time.
    let switches = [&words[1..6], &words[9..10]].concat();
    let mut rules = raw::ask(1013, |kind| kind == 3)?;
    rules.pop();
    Ok((switches, rules))
}

/// Netlink by hand, so that nothing of what is tested is used to judge it.
mod raw {
    use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_AUDIT};

    pub fn ask(kind: u16, last: impl Fn(u16) -> bool) -> Result<Vec<Vec<u8>>, String> {
        let mut socket = Socket::new(NETLINK_AUDIT).map_err(|e| e.to_string())?;
        socket.bind_auto().map_err(|e| e.to_string())?;
        let mut request = Vec::new();
        request.extend_from_slice(&16u32.to_ne_bytes());
        request.extend_from_slice(&kind.to_ne_bytes());
        request.extend_from_slice(&1u16.to_ne_bytes());
        request.extend_from_slice(&[0; 8]);
        socket
            .send_to(&request, &SocketAddr::new(0, 0), 0)
            .map_err(|e| e.to_string())?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = socket.recv_from_full().map_err(|e| e.to_string())?;
            let got = u16::from_ne_bytes(datagram[4..6].try_into().unwrap());
            answers.push(datagram[16..].to_vec());
            if got == 2 {
                return Err(format!("audit answered {:?}", &datagram[16..20]));
            }
            if last(got) {
                return Ok(answers);
            }
        }
    }
}

/// The lock that each test holds, if audit can be tried here at all.
fn audit_here() -> Option<MutexGuard<'static, ()>> {
    let lock = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let reason = if nix::unistd::geteuid().is_root() {
        match state() {
            Ok((switches, _)) if switches[2] != 0 => {
                format!("process {} owns audit", switches[2])
            }
            Ok((switches, _)) if switches[0] == 2 => "audit is locked".into(),
            Ok(_) => return Some(lock),
            Err(error) => error,
        }
    } else {
        "not root".into()
    };
    eprintln!("skipped: audit cannot be tried here: {reason}");
    None
}

/// The monitor process with its seam.
struct Running {
    child: Child,
    seam: File,
    messages: Vec<Message>,
    rest: Vec<u8>,
}

impl Running {
    fn start(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seam");
        let writer = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        // A duplicate stays open in the child.
        let inherited: OwnedFd = nix::unistd::dup(&writer).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_execlab-monitor"))
            .arg("audit")
            .arg(inherited.as_raw_fd().to_string())
            .args(settings)
            .spawn()
            .unwrap();
        Self {
            child,
            seam: File::open(path).unwrap(),
            messages: Vec::new(),
            rest: Vec::new(),
        }
    }

    fn read(&mut self) {
        self.seam.read_to_end(&mut self.rest).unwrap();
        let (messages, taken) = Message::decode_all(&self.rest).unwrap();
        self.rest.drain(..taken);
        self.messages.extend(messages);
    }

    fn wait_for(&mut self, what: impl Fn(&Message) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            self.read();
            if self.messages.iter().any(&what) {
                return;
            }
            assert!(Instant::now() < until, "got only {:?}", self.messages);
            sleep(Duration::from_millis(5));
        }
    }

    fn ready(&mut self) {
        self.wait_for(|m| matches!(m, Message::Ready(_)));
    }

    fn stop(mut self) -> Told {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.read();
        assert!(self.rest.is_empty());
        let mut told = Told::default();
        for message in self.messages {
            match message {
                Message::Sighting(sighting) => told.sightings.push(sighting),
                Message::Loss(loss) => told.losses.push(loss),
                Message::Done(done) => told.notes = Some(done.notes),
                Message::Ready(ready) => told.evidence = ready.evidence,
                other => panic!("{other:?}"),
            }
        }
        told
    }
}

#[derive(Debug, Default)]
struct Told {
    evidence: Vec<String>,
    sightings: Vec<Sighting>,
    losses: Vec<LossReport>,
    notes: Option<Vec<String>>,
}

impl Told {
    fn of(&self, pid: u32) -> Vec<&Sighting> {
        self.sightings
            .iter()
            .filter(|s| s.pid == Some(pid))
            .collect()
    }
}

/// A virtual processor that its host does not run gets its ticks late, and the clock that audit
/// stamps with is as late as they are: on a loaded host that is not the monitor's failure.
const LATE_TICK_NS: u64 = 50_000_000;

/// Runs a program to its end; its pid and when it ran.
fn run(command: &mut Command) -> (u32, u64, u64) {
    let before = monotonic_ns();
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    (pid, before, monotonic_ns())
}

fn list(arguments: &[&[u8]]) -> Argv {
    Argv::List(arguments.iter().map(|a| Bytes::from(*a)).collect())
}

/// A program of our own, with a name that has to be written in hexadecimal.
fn program(directory: &Path) -> PathBuf {
    let path = directory.join("a \"program\"");
    std::fs::copy("/bin/true", &path).unwrap();
    path.canonicalize().unwrap()
}

#[test]
fn known_execs_are_told_in_full_and_the_machine_is_left_as_it_was() {
    let Some(_owner) = audit_here() else { return };
    let before = state().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let program = program(directory.path());
    let absolute = Bytes(program.as_os_str().as_bytes().to_vec());
    let file = program.metadata().unwrap();
    let long = vec![b'l'; 100_000];
    let hostile = b"a b\"c'\n\x01\xff=\\".to_vec();

    for settings in [&[][..], &["exclude=unused", "attempts=drop", "linger=10"]] {
        let mut running = Running::start(settings);
        running.ready();
        let during = state().unwrap();
        assert_ne!(during, before);
        let plain = run(Command::new(&program).args(["one", ""]));
        let relative = run(Command::new("./a \"program\"").current_dir(directory.path()));
        let with_arguments = run(Command::new(&program)
            .arg(std::ffi::OsStr::from_bytes(&hostile))
            .arg(std::ffi::OsStr::from_bytes(&long))
            .arg("end"));
        assert!(Command::new("/nonexistent/program").spawn().is_err());
        let sleeper = Command::new("/bin/sleep").arg("30").spawn();
        let mut sleeper = sleeper.unwrap();
        let id = sleeper.id();
        running.wait_for(|m| matches!(m, Message::Sighting(s) if s.pid == Some(id)));
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        let told = running.stop();
        assert_eq!(
            state().unwrap(),
            before,
            "{settings:?}: everything put back"
        );
        assert_eq!(told.losses, [], "{told:?}");
        let notes = told.notes.clone().unwrap();
        eprintln!("{settings:?}: {:#?} {notes:#?}", told.evidence);
        assert!(
            !notes.iter().any(|n| n.contains("not put back")),
            "{notes:?}"
        );
        assert!(!notes.iter().any(|n| n.contains("mark")), "{notes:?}");
        // Others on this machine may fail as well, so it is one or more.
        let none_failed = notes.iter().any(|n| n.starts_with("0 failed"));
        assert_eq!(none_failed, !settings.is_empty(), "{notes:?}");

        let of = |(pid, start, end): (u32, u64, u64)| {
            let all = told.of(pid);
            let [sighting] = all[..] else {
                panic!("{} sightings of {pid}", all.len());
            };
            let time = sighting.time_ns.unwrap();
            let tolerance = sighting.time_tolerance_ns;
            assert!(
                time + tolerance + LATE_TICK_NS >= start && time - tolerance <= end,
                "{sighting:?}"
            );
            assert!(tolerance <= 11_000_000, "{tolerance}");
            assert!(sighting.received_ns >= time);
            assert_eq!(sighting.path.as_ref(), Some(&absolute));
            assert_eq!(sighting.ppid, Some(std::process::id()));
            assert_eq!(sighting.uid, Some(0));
            assert_eq!(sighting.file, Some((file.dev(), file.ino())));
            assert!(!sighting.truncated);
            sighting
        };
        let name = program.as_os_str().as_bytes();
        assert_eq!(of(plain).argv, Some(list(&[name, b"one", b""])));
        assert_eq!(of(plain).given.as_ref(), Some(&absolute));
        assert_eq!(of(relative).given, Some("./a \"program\"".into()));
        assert_eq!(of(relative).argv, Some(list(&[b"./a \"program\""])));
        assert_eq!(
            of(with_arguments).argv,
            Some(list(&[name, &hostile, &long, b"end"]))
        );
        let container = &told.of(id)[0].container;
        let here = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let here = here.lines().find_map(|l| l.strip_prefix("0::"));
        assert_eq!(container.cgroup, here.map(Bytes::from));
    }
}

#[test]
fn arguments_that_take_many_records_come_through_whole() {
    let Some(_owner) = audit_here() else { return };
    let mut running = Running::start(&[]);
    running.ready();
    // Lengths around what fits into a record, plain and in hexadecimal.
    let mut expected = BTreeMap::new();
    for length in [7_390, 7_400, 7_480, 7_490, 7_500, 7_510, 15_000, 131_071] {
        for byte in [b'p', b' '] {
            let argument = vec![byte; length];
            let argv: Vec<&[u8]> = vec![b"first", &argument, b"", &argument, b"last"];
            let mut command = Command::new("/bin/true");
            command.arg0("first");
            for argument in &argv[1..] {
                command.arg(std::ffi::OsStr::from_bytes(argument));
            }
            let (pid, _, _) = run(&mut command);
            expected.insert((length, byte), (pid, Some(list(&argv))));
        }
    }
    let told = running.stop();
    assert_eq!(told.losses, []);
    for (which, (pid, argv)) in expected {
        let all = told.of(pid);
        assert_eq!(all.len(), 1, "{which:?}");
        assert!(all[0].argv == argv, "{which:?}");
        assert!(!all[0].truncated, "{which:?}");
    }
}

#[test]
fn a_storm_is_seen_whole_and_in_time() {
    let Some(_owner) = audit_here() else { return };
    for variant in ["default", "tuned"] {
        let backend = find("audit").unwrap();
        let values = execlab_backends::variant(backend, variant).unwrap();
        let settings: Vec<String> = values.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let mut running = Running::start(&settings);
        running.ready();
        let storm: Vec<_> = (0..500)
            .map(|n| run(Command::new("/bin/true").arg(format!("x{n:08}"))))
            .collect();
        let told = running.stop();
        eprintln!("{variant}: {:#?}", told.notes);
        assert_eq!(told.losses, []);
        let mut late = Vec::new();
        for (n, (pid, start, end)) in storm.iter().enumerate() {
            let expected = Some(list(&[b"/bin/true", format!("x{n:08}").as_bytes()]));
            let seen: Vec<_> = told
                .of(*pid)
                .into_iter()
                .filter(|s| s.argv == expected)
                .collect();
            let [sighting] = seen[..] else {
                panic!("exec {n} of {variant} was seen {} times", seen.len());
            };
            let (time, off) = (sighting.time_ns.unwrap(), sighting.time_tolerance_ns);
            assert!(time - off <= *end, "exec {n} of {variant}");
            if time + off < *start {
                late.push(start - time - off);
            }
        }
        // The tick that was late for one is late for all that began before it came.
        eprintln!(
            "{variant}: {} stamps older than a tick allows: {late:?}",
            late.len()
        );
        assert!(late.len() <= storm.len() / 20, "{late:?}");
    }
}

#[test]
fn a_backlog_that_overflows_is_told() {
    let Some(_owner) = audit_here() else { return };
    let mut running = Running::start(&["backlog=16", "backlog-wait=0", "rcvbuf=4096"]);
    running.ready();
    // Stopped, it cannot read: the kernel's queue of 16 must overflow.
    let monitor = Pid::from_raw(running.child.id().cast_signed());
    kill(monitor, Signal::SIGSTOP).unwrap();
    let storm: Vec<_> = (0..200)
        .map(|_| run(&mut Command::new("/bin/true")).0)
        .collect();
    kill(monitor, Signal::SIGCONT).unwrap();
    let told = running.stop();
    let missed = storm.iter().filter(|pid| told.of(**pid).is_empty()).count();
    let records: u64 = told
        .losses
        .iter()
        .filter(|l| l.source == "audit_status.lost")
        .filter_map(|l| l.count)
        .sum();
    eprintln!("{missed} of 200 missed; {:?} {:?}", told.losses, told.notes);
    assert!(missed > 0, "nothing was lost, so nothing was shown");
    assert!(
        records >= u64::try_from(missed).unwrap(),
        "each exec that is missed lost a record: {records} records, {missed} missed"
    );
}

#[test]
fn two_owners_cannot_be_and_the_second_says_who_the_first_is() {
    let Some(_owner) = audit_here() else { return };
    let before = state().unwrap();
    let mut running = Running::start(&[]);
    running.ready();
    let first = running.child.id();
    let during = state().unwrap();
    let backend = find("audit").unwrap();
    let settings = Settings::new(backend.settings(), BTreeMap::new()).unwrap();
    match backend.attach(&settings) {
        Err(AttachError::Unsupported(reason)) => {
            assert!(reason.contains(&first.to_string()), "{reason}");
            assert!(reason.contains("execlab-monito"), "{reason}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("audit had two owners"),
    }
    assert_eq!(state().unwrap(), during, "the second changed nothing");
    running.stop();
    assert_eq!(state().unwrap(), before);
}

#[test]
fn dropping_the_monitor_puts_everything_back_without_a_run() {
    let Some(_owner) = audit_here() else { return };
    let before = state().unwrap();
    let backend = find("audit").unwrap();
    let settings = Settings::new(
        backend.settings(),
        [("exclude".to_owned(), "paths".to_owned())].into(),
    )
    .unwrap();
    let monitor = backend.attach(&settings).unwrap();
    assert_eq!(state().unwrap().1.len(), before.1.len() + 5);
    // What a panic in `run` does: it unwinds through the owner of the monitor.
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _monitor = monitor;
        panic!("as planned");
    }));
    assert!(unwound.is_err());
    assert_eq!(state().unwrap(), before);
}
