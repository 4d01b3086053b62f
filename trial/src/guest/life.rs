//! The steps of process 1 around a trial.

use std::{
    fs::{self, OpenOptions, Permissions},
    io, mem,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use execlab_model::{frame::Nonce, plan::TrialPlan, record::Record, sched::SchedTrace};
use nix::unistd::{dup2_stderr, dup2_stdout};

use super::{channel::Channel, fit, modules, mounts, ports::Ports, userland};
use crate::{Programs, TrialError, cgroups::Cgroups};

/// What the machine ends with; QEMU makes 33 and 35 of them.
const GOOD: u8 = 16;
const BAD: u8 = 17;

/// Mounts, makes the cgroups; from here on what is printed goes to the serial log.
pub fn begin(ports: &Ports) -> Result<(Programs, Cgroups), TrialError> {
    mounts::switch_root(&["bin", "lib64", "modules"])?;
    use_console()?;
    ports.mark("booted");
    let bin = |name: &str| PathBuf::from("/bin").join(name);
    let programs = Programs {
        storm: bin("execlab-storm"),
        monitor: bin("execlab-monitor"),
        payload: bin("execlab-payload"),
        ground: "/srv/execlab".into(),
        scratch: "/run".into(),
    };
    let cgroups = Cgroups::create(Path::new("/sys/fs/cgroup"), "")?;
    Ok((programs, cgroups))
}

/// The trial, as the host left it in the channel.
#[derive(Debug)]
pub struct Task {
    /// Where the record goes.
    pub channel: Channel,
    /// Ties the record to this trial.
    pub nonce: Nonce,
    /// What is to be done.
    pub plan: TrialPlan,
}

impl Task {
    /// Takes the plan, puts what came with it in its place and loads the scenario's modules.
    pub fn take(programs: &Programs) -> Result<Self, TrialError> {
        let channel = Channel::open(Path::new("/sys/bus/pci/devices"))
            .map_err(TrialError::at("open the channel"))?;
        let (nonce, plan) = channel
            .plan()
            .map_err(io::Error::other)
            .map_err(TrialError::at("take the plan from the channel"))?;
        let mut plan: TrialPlan = postcard::from_bytes(&plan)
            .map_err(io::Error::other)
            .map_err(TrialError::at("read the plan"))?;
        if plan.program.is_none() {
            fs::write(&programs.monitor, plan.monitor.as_slice())
                .and_then(|()| {
                    fs::set_permissions(&programs.monitor, Permissions::from_mode(0o755))
                })
                .map_err(TrialError::at("put the monitor in its place"))?;
        }
        // Not needed once it is in its place.
        userland::place(Path::new("/"), &mem::take(&mut plan.files))?;
        modules::load_for(&plan.workload.scenario, Path::new("/modules"))?;
        Ok(Self {
            channel,
            nonce,
            plan,
        })
    }

    /// Leaves the record where the host looks for it, and behind it what was asked for beside it.
    pub fn hand_in(
        &mut self,
        record: &mut Record,
        sched: Option<SchedTrace>,
    ) -> Result<(), TrialError> {
        let mut bytes = fit::encode(record, self.channel.room())?;
        if let Some(sched) = sched {
            bytes.extend(fit::encode_sched(sched, self.channel.room() - bytes.len())?);
        }
        self.channel
            .leave(&self.nonce, &bytes)
            .map_err(TrialError::at("leave the record in the channel"))
    }
}

/// Ends the machine; what went wrong is printed on the console, and there is no record then.
pub fn end(ports: &Ports, how: Result<(), TrialError>) -> ! {
    match how {
        Ok(()) => {
            ports.mark("done");
            ports.exit(GOOD)
        }
        Err(error) => {
            eprintln!("execlab-init: {error}");
            ports.mark("failed");
            ports.exit(BAD)
        }
    }
}

fn use_console() -> Result<(), TrialError> {
    let console = OpenOptions::new()
        .write(true)
        .open("/dev/console")
        .map_err(TrialError::at("open /dev/console"))?;
    dup2_stdout(&console).map_err(TrialError::at("print to the console"))?;
    dup2_stderr(&console).map_err(TrialError::at("print to the console"))
}
