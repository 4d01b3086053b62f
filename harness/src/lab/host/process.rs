//! One session from the harness's side: its folder, its supervisor, what it said.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use execlab_trial::host::session::Session;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::lab::guest_files;

/// How much of what was printed is told in a reason.
const QUOTE: usize = 400;

/// A folder that no other process and no other trial has.
pub(super) fn new_session(root: &Path) -> io::Result<Session> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = root.join(format!("{}-{number}", std::process::id()));
    fs::create_dir(&dir)?;
    Ok(Session::at(&dir))
}

/// Puts in everything that the trial needs.
pub(super) fn furnish(session: &Session, plan: &[u8]) -> io::Result<()> {
    let programs = [
        ("execlab-storm", guest_files::STORM),
        ("execlab-payload", guest_files::PAYLOAD),
        ("execlab-payload-bare", guest_files::PAYLOAD_BARE),
    ];
    for (name, bytes) in programs {
        fs::write(session.program(name), bytes)?;
    }
    for (name, bytes) in guest_files::beside_payload() {
        fs::write(session.program(name), bytes)?;
    }
    fs::write(session.plan(), plan)
}

/// Starts the supervisor, which holds on to this process by its standard input, and waits for its end;
/// how that was, in words.
pub(super) fn supervise(session: &Session, patience: Duration) -> io::Result<String> {
    // In memory, because the folder's file system may not let programs start.
    let program = memfd_create("execlab-host", MFdFlags::MFD_CLOEXEC)?;
    let mut program = File::from(program);
    program.write_all(guest_files::HOST)?;
    let printed = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(session.printed())?;
    let mut supervisor = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg("supervise")
        .arg(session.dir())
        .arg(patience.as_secs().to_string())
        .stdin(Stdio::piped())
        .stdout(printed.try_clone()?)
        .stderr(printed)
        // What a terminal sends to this process group is this process's alone to answer.
        .process_group(0)
        .spawn()?;
    // Taken out, or waiting would close it.
    let held = supervisor.stdin.take();
    let status = supervisor.wait()?;
    drop(held);
    Ok(format!("ended ({status})"))
}

/// Keeps what was printed where a guest's console would be kept.
pub(super) fn keep_log(session: &Session, to: &Path) {
    let printed = fs::read(session.printed()).unwrap_or_default();
    let marks = fs::read(session.marks()).unwrap_or_default();
    // A log that cannot be written is no reason to lose what the trial showed.
    let _ = fs::write(to, [printed, marks].concat());
}

/// The end of what was printed, as a part of a sentence.
pub(super) fn last_words(session: &Session) -> String {
    let text = fs::read(session.printed()).unwrap_or_default();
    let end = String::from_utf8_lossy(&text[text.len().saturating_sub(QUOTE)..]).into_owned();
    let lines: Vec<_> = end.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!("; it printed: {}", lines.join(" | "))
    }
}

/// Takes the folder away.
pub(super) fn discard(session: &Session) {
    // Whatever stays is found by the next run.
    let _ = fs::remove_dir_all(session.dir());
}
