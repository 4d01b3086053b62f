//! Process 1 of a guest: mounts, loads modules, lets the kernel settle, stands still to be saved,
//! takes the plan from the channel, runs the trial, leaves the record, ends the machine. Anything that
//! goes wrong is printed on the console and ends the machine without a record, which the host never
//! takes for a result.
//!
//! Up to the standstill nothing is known of the trial, so that all trials of a kernel can go on from
//! one image.

use execlab_trial::{
    TrialError,
    guest::{
        life::{self, Task},
        ports::Ports,
        settle,
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
    let settled = settle::settle(&programs, &cgroups)?;
    ports.mark("settled");
    stand_still(ports);
    ports.mark("awake");
    let mut task = Task::take(&programs)?;
    let mut record = runner::run(&task.plan, &programs, &cgroups, |stage| ports.mark(stage))?;
    record.notes.extend(settled.unrest);
    task.hand_in(&mut record)
}

/// Idles for some seconds, in the midst of which QEMU stops the machine if it was told to, and ends on
/// a whole second. All of it is the same whether it stops or not.
fn stand_still(ports: &Ports) {
    const SECOND_NS: u64 = 1_000_000_000;
    ports.pause_in_two_seconds();
    sleep_until_ns((monotonic_ns() / SECOND_NS + 4) * SECOND_NS);
}
