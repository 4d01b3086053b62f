//! Process 1 of a guest: mounts, loads modules, lets the kernel settle, stands still to be saved,
//! takes the plan from the channel, runs the trial, leaves the record, ends the machine. Anything that
//! goes wrong is printed on the console and ends the machine without a record, which the host never
//! takes for a result.
//!
//! Where time is real (see [`real_time`]), it settles in a hurry and does not stand still.
//!
//! Up to the standstill nothing is known of the trial, so that all trials of a kernel can go on from
//! one image.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use execlab_model::plan::TrialPlan;
use execlab_trial::{
    Programs, TrialError,
    cgroups::Cgroups,
    guest::{channel::Channel, modules, mounts, ports::Ports, real_time, settle},
    runner,
};
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};
use nix::unistd::{dup2_stderr, dup2_stdout};

/// What the machine ends with; QEMU makes 33 and 35 of them.
const GOOD: u8 = 16;
const BAD: u8 = 17;

fn main() {
    let ports = Ports::open().expect("process 1 may use ports");
    match live(&ports) {
        Ok(()) => ports.exit(GOOD),
        Err(error) => {
            eprintln!("execlab-init: {error}");
            ports.mark("failed");
            ports.exit(BAD);
        }
    }
}

fn live(ports: &Ports) -> Result<(), TrialError> {
    mounts::switch_root(&["bin", "modules"])?;
    use_console()?;
    ports.mark("booted");
    modules::load_all(Path::new("/modules"))?;
    let bin = |name: &str| PathBuf::from("/bin").join(name);
    let programs = Programs {
        storm: bin("execlab-storm"),
        monitor: bin("execlab-monitor"),
        payload: bin("execlab-payload"),
        ground: "/srv/execlab".into(),
        scratch: "/run".into(),
    };
    let cgroups = Cgroups::create(Path::new("/sys/fs/cgroup"), "")?;
    let command_line = fs::read_to_string("/proc/cmdline");
    let command_line = command_line.map_err(TrialError::at("read /proc/cmdline"))?;
    let real_time = real_time::is_real(&command_line);
    let settled = if real_time {
        real_time::settle(&programs, &cgroups)?
    } else {
        settle::settle(&programs, &cgroups)?
    };
    ports.mark("settled");
    if !real_time {
        stand_still(ports);
    }
    ports.mark("awake");
    let mut channel = Channel::open(Path::new("/sys/bus/pci/devices"))
        .map_err(TrialError::at("open the channel"))?;
    let (nonce, plan) = channel
        .plan()
        .map_err(io::Error::other)
        .map_err(TrialError::at("take the plan from the channel"))?;
    let plan: TrialPlan = postcard::from_bytes(&plan)
        .map_err(io::Error::other)
        .map_err(TrialError::at("read the plan"))?;
    fs::write(&programs.monitor, plan.monitor.as_slice())
        .and_then(|()| fs::set_permissions(&programs.monitor, Permissions::from_mode(0o755)))
        .map_err(TrialError::at("put the monitor in its place"))?;
    let steal = || real_time.then(|| real_time::steal_ns(Path::new("/proc/stat")))?;
    let before = steal();
    let mut record = runner::run(&plan, &programs, &cgroups, |stage| ports.mark(stage))?;
    record.steal_ns = steal().zip(before).map(|(now, then)| now - then);
    record.notes.extend(settled.unrest);
    let record = postcard::to_allocvec(&record)
        .map_err(io::Error::other)
        .map_err(TrialError::at("write the record"))?;
    channel
        .leave(&nonce, &record)
        .map_err(TrialError::at("leave the record in the channel"))?;
    ports.mark("done");
    Ok(())
}

/// Idles for some seconds, in the midst of which QEMU stops the machine if it was told to, and ends on
/// a whole second. All of it is the same whether it stops or not.
fn stand_still(ports: &Ports) {
    const SECOND_NS: u64 = 1_000_000_000;
    ports.pause_in_two_seconds();
    sleep_until_ns((monotonic_ns() / SECOND_NS + 4) * SECOND_NS);
}

/// Whatever is printed goes to the serial log.
fn use_console() -> Result<(), TrialError> {
    let console = OpenOptions::new()
        .write(true)
        .open("/dev/console")
        .map_err(TrialError::at("open /dev/console"))?;
    dup2_stdout(&console).map_err(TrialError::at("print to the console"))?;
    dup2_stderr(&console).map_err(TrialError::at("print to the console"))
}
