//! In the monitor's place: watches by looking into `/proc`, well enough for canaries, until its fault is
//! due.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Write,
    mem::ManuallyDrop,
    os::fd::FromRawFd,
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use execlab_model::{
    seam::{Done, Message, Ready},
    sighting::Sighting,
    truth::{FIRST_CANARY_ID, parse_id_argument},
};
use execlab_workloads::clock::monotonic_ns;
use nix::sys::{
    reboot::{RebootMode, reboot},
    signal::{SigHandler, Signal, raise, signal},
};

use crate::{console, kernel, unknown};

/// The descriptor of the seam, as the trial runner gives it to every monitor.
const SEAM: i32 = 3;
/// A fault in the storm comes when so many of its execs were seen: it is under way then.
const UNDER_WAY: usize = 3;
/// How often `/proc` is looked at: several times in the life of a payload.
const LOOK: Duration = Duration::from_micros(500);

static TOLD_TO_STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_: i32) {
    TOLD_TO_STOP.store(true, Ordering::Relaxed);
}

/// Makes the fault, or is a good monitor up to it.
pub fn run(fault: &str) {
    // SAFETY: the handler does nothing but set a flag.
    unsafe { signal(Signal::SIGTERM, SigHandler::Handler(stop)) }.expect("it can be handled");
    let mut seam = Seam::inherited();
    match fault {
        "dies-before-ready" => {
            println!("saboteur: dies before it is ready");
            process::exit(3);
        }
        "hangs-before-ready" => hang(),
        "speaks-garbage" => {
            let _ = seam.0.write_all(&[0xa5; 4096]);
            wait_for_stop();
            return;
        }
        _ => {}
    }
    seam.say(&Message::Ready(Ready::default()));
    if fault == "lies-about-ready" {
        wait_for_stop();
    } else {
        watch(&mut seam, fault);
    }
    if fault == "ignores-sigterm" {
        hang();
    }
    seam.say(&Message::Done(Done::default()));
    if fault == "half-message" {
        let mut bytes = Vec::new();
        Message::Sighting(Sighting::default()).encode_into(&mut bytes);
        let _ = seam.0.write_all(&bytes[..bytes.len() / 2]);
    }
}

fn wait_for_stop() {
    while !TOLD_TO_STOP.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reports whatever process is new, until it is told to stop.
fn watch(seam: &mut Seam, fault: &str) {
    let mut known: HashSet<u32> = processes().collect();
    let mut of_storm = 0;
    while !TOLD_TO_STOP.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
        for pid in processes() {
            let Some(id) = exec_id(pid) else { continue };
            if !known.insert(pid) {
                continue;
            }
            seam.say(&Message::Sighting(Sighting {
                pid: Some(pid),
                received_ns: monotonic_ns(),
                ..Sighting::default()
            }));
            if id < FIRST_CANARY_ID {
                of_storm += 1;
                if of_storm == UNDER_WAY {
                    in_the_storm(fault, seam);
                }
            }
        }
    }
}

fn in_the_storm(fault: &str, seam: &mut Seam) {
    match fault {
        "panic" => kernel::panic(),
        "oops" => kernel::oops(),
        "soft-lockup" => kernel::lock_up(),
        "powers-off" => {
            let Err(errno) = reboot(RebootMode::RB_POWER_OFF);
            console::say(&format!("saboteur: cannot power off: {errno}"));
        }
        "dies" => {
            println!("saboteur: dies in the storm");
            process::exit(3);
        }
        "is-killed" => {
            let _ = raise(Signal::SIGKILL);
        }
        "hangs" => hang(),
        "floods-stdout" => loop {
            print!("saboteur: and on and on. {}", " ".repeat(4000));
        },
        // All at once, as a monitor would that lost its head, not its life.
        "floods-seam" => seam.flood(70_000, 1),
        "floods-seam-with-long-paths" => seam.flood(5_000, 4_000),
        "floods-console" => console::flood(),
        "eats-memory" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![0x5a_u8; 1 << 20]);
            }
        }
        "fills-the-disk" => {
            fill_the_disk();
            // What it has seen and more than its last page holds.
            seam.flood(1000, 1);
        }
        "ignores-sigterm" | "half-message" => {}
        other => unknown(other),
    }
}

/// Asleep for ever, whatever it is told.
fn hang() -> ! {
    loop {
        nix::unistd::pause();
    }
}

/// Many files: a single one has a limit.
fn fill_the_disk() {
    let piece = vec![0x5a; 1 << 20];
    for number in 0.. {
        let file = File::create(format!("/tmp/{number}"));
        if let Err(error) = file.and_then(|mut file| file.write_all(&piece)) {
            console::say(&format!("saboteur: {error}"));
            return;
        }
    }
}

struct Seam(ManuallyDrop<File>);

impl Seam {
    fn inherited() -> Self {
        // SAFETY: the trial runner put the seam there, and nothing here closes it.
        Self(ManuallyDrop::new(unsafe { File::from_raw_fd(SEAM) }))
    }

    /// A message that cannot be handed over ends a monitor: what it would see is lost.
    fn say(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        self.write(&bytes);
    }

    /// So many sightings of nothing, each with a path of so many bytes.
    fn flood(&mut self, sightings: usize, path: usize) {
        let mut bytes = Vec::new();
        Message::Sighting(Sighting {
            pid: Some(process::id()),
            path: Some(vec![b'/'; path].as_slice().into()),
            received_ns: monotonic_ns(),
            ..Sighting::default()
        })
        .encode_into(&mut bytes);
        self.write(&bytes.repeat(sightings));
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.0.write_all(bytes) {
            console::say(&format!("saboteur: cannot write to the seam: {error}"));
            process::exit(4);
        }
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The id that a payload carries in its arguments.
fn exec_id(pid: u32) -> Option<u32> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    line.split(|&b| b == 0).find_map(parse_id_argument)
}
