//! The trial itself, in namespaces and cgroups of its own.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use execlab_model::{
    frame::{self, PLAN_MAGIC, RECORD_MAGIC},
    plan::TrialPlan,
    record::Record,
};
use execlab_workloads::meter::SCHEDSTAT;
use execlab_workloads::scenario::{self, Scenario};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::session::{PROGRAMS, Session};
use crate::{Programs, TrialError, cgroups::Cgroups, machine_meter::MachineMeter, runner};

/// The first stage. What breaks before it is the host's side and none of the trial's.
pub const BEGAN: &str = "began";

/// More than any trial writes; a monitor that fills its disk is not to fill the host's memory.
const STAGE_OPTIONS: &str = "mode=0755,size=2g";

/// Runs the trial of a session and leaves its record there.
pub fn run(session: &Session) -> Result<(), TrialError> {
    let (nonce, plan) = read_plan(session)?;
    stays_in_guests(&plan)?;
    let mut marks = OpenOptions::new()
        .create(true)
        .append(true)
        .open(session.marks())
        .map_err(TrialError::at("make the file of stages"))?;
    let programs = set_stage(session, &plan)?;
    let cgroups = Cgroups::create(&cgroup2_mount()?, &session.cgroup())?;
    let mut mark = |stage: &str| {
        // It only says where a trial was when it broke.
        let _ = writeln!(marks, "{stage}");
    };
    mark(BEGAN);
    let (mut record, _) = runner::run(&plan, &programs, &cgroups, mark)?;
    note_meter(&mut record);
    let bytes = postcard::to_allocvec(&record)
        .map_err(io::Error::other)
        .map_err(TrialError::at("write the record"))?;
    let framed = frame::encode(RECORD_MAGIC, &nonce, &bytes);
    session
        .write_whole(&session.record(), &framed)
        .map_err(TrialError::at("leave the record"))
}

/// Refuses what changes a machine in ways that nobody takes back after a SIGKILL. The harness does not ask for it.
fn stays_in_guests(plan: &TrialPlan) -> Result<(), TrialError> {
    let scenario = scenario::find(&plan.workload.scenario);
    let Some(why) = scenario.and_then(Scenario::only_in_guests) else {
        return Ok(());
    };
    let what = format!("run {} on a machine of others", plan.workload.scenario);
    Err(TrialError::at(what)(io::Error::other(why)))
}

fn read_plan(session: &Session) -> Result<(frame::Nonce, TrialPlan), TrialError> {
    let at = || TrialError::at("read the plan");
    let bytes = fs::read(session.plan()).map_err(at())?;
    let (nonce, plan) = frame::decode(PLAN_MAGIC, &bytes)
        .map_err(io::Error::other)
        .map_err(at())?;
    let plan = postcard::from_bytes(plan)
        .map_err(io::Error::other)
        .map_err(at())?;
    Ok((nonce, plan))
}

/// Enters namespaces of its own and puts everything in its place on a tmpfs that goes with them. On a
/// file system of the host programs might not be executable, and a seam would wait for a disk.
fn set_stage(session: &Session, plan: &TrialPlan) -> Result<Programs, TrialError> {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    unshare(own).map_err(TrialError::at("enter namespaces of its own"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(TrialError::at("make all mounts private"))?;
    let stage = session.stage();
    make(&stage)?;
    mount(
        Some("tmpfs"),
        &stage,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(STAGE_OPTIONS),
    )
    .map_err(TrialError::at(format!(
        "mount a tmpfs on {}",
        stage.display()
    )))?;
    let bin = stage.join("bin");
    let programs = Programs {
        storm: bin.join("execlab-storm"),
        monitor: bin.join("execlab-monitor"),
        payload: bin.join("execlab-payload"),
        ground: stage.join("ground"),
        scratch: stage.join("scratch"),
    };
    for dir in [&bin, &programs.ground, &programs.scratch] {
        make(dir)?;
    }
    for name in PROGRAMS {
        let file = session.program(name);
        let bytes = fs::read(&file).map_err(TrialError::at(format!("read {}", file.display())))?;
        install(&bin.join(name), &bytes)?;
    }
    // Somebody else's is where it always is.
    if plan.program.is_none() {
        install(&programs.monitor, plan.monitor.as_slice())?;
    }
    Ok(programs)
}

fn make(dir: &Path) -> Result<(), TrialError> {
    fs::create_dir_all(dir).map_err(TrialError::at(format!("make the folder {}", dir.display())))
}

fn install(path: &Path, program: &[u8]) -> Result<(), TrialError> {
    fs::write(path, program)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .map_err(TrialError::at(format!(
            "put {} in its place",
            path.display()
        )))
}

/// Where the cgroup v2 hierarchy is mounted: at the usual place, or beside those of v1.
pub fn cgroup2_mount() -> Result<PathBuf, TrialError> {
    let at = || TrialError::at("find the cgroup v2 hierarchy");
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(at())?;
    find_cgroup2(&text).ok_or_else(|| at()(io::ErrorKind::NotFound.into()))
}

/// Fields of a mountinfo line: see `proc_pid_mountinfo(5)`. The root of the mount has to be the
/// hierarchy's: a container sees a part of it.
pub fn find_cgroup2(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, target) = (before.next()?, before.next()?);
        (after.starts_with("cgroup2 ") && root == "/").then(|| target.into())
    })
}

/// Where the machine's meter is not the usual one, the reader of the results is to know.
fn note_meter(record: &mut Record) {
    if let Ok(meter) = MachineMeter::open()
        && meter.source() != SCHEDSTAT
    {
        record.notes.push(format!(
            "this kernel keeps no {SCHEDSTAT}: the whole machine's CPU time is of {}, and there is no slope",
            meter.source()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_found_wherever_it_is_mounted() {
        let hybrid = "24 30 0:22 / /proc rw - proc proc rw\n\
                      31 30 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      40 30 0:35 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(find_cgroup2(hybrid), Some("/sys/fs/cgroup/unified".into()));
        let part = "40 30 0:35 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(find_cgroup2(part), None);
    }
}
