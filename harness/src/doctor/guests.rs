//! What labs need whose trials run in guests: QEMU, kernels, memory, room for files.

use std::{fs, path::Path};

use execlab_backends::look::Finding;
use execlab_vm::{
    kernels::Store,
    qemu::{PROGRAM_VARIABLE, Qemu, QemuError},
};

use super::Doctor;

const MIB: u64 = 1 << 20;
/// What a usual guest takes: its memory, its channel, and QEMU itself (`lab/guests.rs`).
const GUEST_MIB: u64 = 320 + 16 + 512;
/// What a usual guest keeps in files while it runs: its channel, and what it and QEMU print.
const FILES_MIB: u64 = 64;
/// What a kernel takes in the cache, as a multiple of its download: five to six times it unpacked (seen
/// for 5.10 to 7.3), and the packages themselves while that is done.
const UNPACKED: u64 = 7;
/// A warm image, of which each kernel has one or two.
const IMAGE_MIB: u64 = 100;

const INSTALL_QEMU: &str = "install it: `apt-get install qemu-system-x86` (Debian, Ubuntu), \
    `dnf install qemu-system-x86-core` (Fedora), `pacman -S qemu-system-x86` (Arch)";
const INSTALL_FIRMWARE: &str = "if guests do not boot, install it: `apt-get install seabios` (Debian, \
    Ubuntu), `dnf install seabios-bin` (Fedora), `pacman -S seabios` (Arch)";

/// All of it; `images` where guests are restored from some.
pub(super) fn look(doctor: &Doctor, images: bool) -> Vec<Finding> {
    let mut findings = qemu(doctor);
    findings.push(memory(doctor));
    findings.push(temporary(doctor));
    findings.extend(cache(doctor, images));
    findings
}

/// QEMU and its firmware.
pub(super) fn qemu(doctor: &Doctor) -> Vec<Finding> {
    const WHAT: &str = "QEMU";
    let found = match &doctor.qemu {
        Some(program) => Qemu::at(program.clone()),
        None => Qemu::find(),
    };
    let qemu = match found {
        Ok(qemu) => qemu,
        Err(error) => {
            let evidence = match &error {
                // What it says to do about it stands below.
                QemuError::Start { program, source } => format!("cannot start {program}: {source}"),
                QemuError::TooOld { .. } | QemuError::NoVersion { .. } => error.to_string(),
            };
            let remedy = format!("{INSTALL_QEMU}; or name another in {PROGRAM_VARIABLE}");
            return vec![Finding::bad(WHAT, evidence, remedy)];
        }
    };
    let (version, firmware) = qemu
        .version
        .rsplit_once(", firmware ")
        .unwrap_or((&qemu.version, "none"));
    let firmware = match firmware {
        "none" => Finding::note(
            "firmware",
            "no files of it where this QEMU looks; it may carry them inside",
            INSTALL_FIRMWARE,
        ),
        hash => Finding::good("firmware", format!("found, {hash}")),
    };
    let program = qemu.program().display();
    vec![
        Finding::good(WHAT, format!("{program}, {version}")),
        firmware,
    ]
}

/// Memory for one guest at least.
fn memory(doctor: &Doctor) -> Finding {
    const WHAT: &str = "memory";
    let text = fs::read_to_string(doctor.roots.proc.join("meminfo")).unwrap_or_default();
    let Some(free) = available_bytes(&text) else {
        return Finding::unknown(WHAT, "/proc/meminfo does not say", "mount /proc");
    };
    let guests = free / (GUEST_MIB * MIB);
    let evidence = format!(
        "{} MiB can be had, a usual guest takes {GUEST_MIB} MiB at most",
        free / MIB
    );
    match guests {
        0 => Finding::bad(
            WHAT,
            evidence,
            "stop what uses it, or give the machine more",
        ),
        _ => Finding::good(WHAT, format!("{evidence}: {guests} at once")),
    }
}

/// `MemAvailable` in bytes.
pub fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|l| l.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Where each guest has its files while it runs.
fn temporary(doctor: &Doctor) -> Finding {
    room(
        doctor,
        "guests' files",
        &doctor.temporary,
        FILES_MIB * MIB,
        "make room there, or name another folder in TMPDIR",
    )
}

/// The cache with its kernels and images. They are fetched and made when they are needed, so that they
/// are not there is no fault.
fn cache(doctor: &Doctor, with_images: bool) -> Vec<Finding> {
    let store = match Store::look(doctor.cache.clone()) {
        Ok(store) => store,
        Err(error) => {
            let remedy = "name a folder with --cache";
            return vec![Finding::bad("cache", error.to_string(), remedy)];
        }
    };
    // A release may be locked more than once; what a series means is its first.
    let series = store
        .list()
        .into_iter()
        .filter(|kernel| kernel.name == kernel.series);
    let (there, absent): (Vec<_>, Vec<_>) = series.partition(|kernel| kernel.cached);
    let names = |kernels: &[execlab_vm::kernels::KernelRow]| {
        let names: Vec<_> = kernels.iter().map(|kernel| kernel.name.as_str()).collect();
        names.join(", ")
    };
    let download: u64 = absent.iter().map(|kernel| kernel.size).sum();
    let kernels = if absent.is_empty() {
        Finding::good("kernels", format!("in the cache: {}", names(&there)))
    } else {
        let there = if there.is_empty() {
            "none".to_owned()
        } else {
            names(&there)
        };
        Finding::note(
            "kernels",
            format!(
                "in the cache: {there}; not yet: {} ({} MiB to fetch)",
                names(&absent),
                download.div_ceil(MIB)
            ),
            "they are fetched when they are needed, or by `execlab kernels fetch`",
        )
    };
    let image = if with_images { IMAGE_MIB * MIB } else { 0 };
    let needed = download * UNPACKED + image;
    let remedy = "make room there, or name another folder with --cache";
    let dir = store.cache_dir();
    let mut findings = vec![room(doctor, "cache", dir, needed, remedy), kernels];
    findings.extend(with_images.then(|| images(&dir.join("warm"))));
    findings
}

fn images(dir: &Path) -> Finding {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let states = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "state"));
    let lengths: Vec<u64> = states
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .collect();
    let all: u64 = lengths.iter().sum();
    Finding::good(
        "warm images",
        match lengths.len() {
            0 => "none yet; a kernel's first trial makes one".to_owned(),
            count => format!("{count}, {} MiB", all.div_ceil(MIB)),
        },
    )
}

/// Whether a folder can be written, and so much.
fn room(doctor: &Doctor, what: &str, folder: &Path, needed: u64, remedy: &str) -> Finding {
    let name = folder.display();
    let room = match (doctor.room)(folder) {
        Ok(room) => room,
        Err(error) => return Finding::bad(what, format!("{name}: {error}"), remedy),
    };
    let needed_mib = needed.div_ceil(MIB);
    let free = format!("{} MiB free, {needed_mib} MiB needed", room.free / MIB);
    if !room.writable {
        let evidence = format!("{name}: {} cannot be written", room.at.display());
        return Finding::bad(what, evidence, remedy);
    }
    if room.free < needed {
        return Finding::bad(what, format!("{name}: {free}"), remedy);
    }
    Finding::good(what, format!("{name}: {free}"))
}
