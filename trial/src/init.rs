//! Process 1 of a guest: mounts, lets the kernel settle, stands still to be saved, takes the plan from
//! the channel, loads modules, runs the trial, leaves the record, ends the machine. Anything that
//! goes wrong is printed on the console and ends the machine without a record, which the host never
//! takes for a result.
//!
//! Where time is real (see [`real_time`]), it settles in a hurry and does not stand still.
//!
//! Up to the standstill nothing is known of the trial, so that all trials of a kernel can go on from
//! one image.

use std::{fs, path::Path};

use execlab_trial::{
    TrialError,
    guest::{
        life::{self, Task},
        ports::Ports,
        real_time, settle,
    },
    runner,
};
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};

fn main() {
    let ports = Ports::open().expect("process 1 may use ports");
    let how = live(&ports);
    life::end(&ports, how)
}

fn live(ports: &Ports) -> Result<(), TrialError> {
    let (programs, cgroups) = life::begin(ports)?;
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
    let mut task = Task::take(&programs)?;
    let steal = || real_time.then(|| real_time::steal_ns(Path::new("/proc/stat")))?;
    let before = steal();
    let (mut record, sched) =
        runner::run(&task.plan, &programs, &cgroups, |stage| ports.mark(stage))?;
    record.steal_ns = steal().zip(before).map(|(now, then)| now - then);
    record.notes.extend(settled.unrest);
    task.hand_in(&mut record, sched)
}

/// Idles for some seconds, in the midst of which QEMU stops the machine if it was told to, and ends on
/// a whole second. All of it is the same whether it stops or not.
fn stand_still(ports: &Ports) {
    const SECOND_NS: u64 = 1_000_000_000;
    ports.pause_in_two_seconds();
    sleep_until_ns((monotonic_ns() / SECOND_NS + 4) * SECOND_NS);
}
