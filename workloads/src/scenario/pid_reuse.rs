//! `pid-reuse`: with a small `kernel.pid_max` the same few numbers come again and again. Who looks up later
//! what a pid was finds another process's file under it.
//!
//! The kernel gives numbers out in a circle and, once it has been round, none below 300 any more
//! (`RESERVED_PIDS`, kernel/pid.c): the circle is made as small as the load allows.

use std::{collections::BTreeSet, fs, io, path::Path};

use execlab_model::workload::{Load, Spawn, Workload};
use nix::{sys::wait::waitpid, unistd::Pid};

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, worker::Worker};
use crate::{spawn::Launcher, step::Step};

/// The circle begins here.
const RESERVED: u32 = 300;
/// Numbers for others than the storm's children: the monitor and its threads, threads of the kernel.
const OTHERS: u32 = 12;
/// Where the limit is set; it is the first number that is not given out.
const PID_MAX: &str = "/proc/sys/kernel/pid_max";

/// See the module.
#[derive(Debug)]
pub struct PidReuse;

impl Scenario for PidReuse {
    fn name(&self) -> &'static str {
        "pid-reuse"
    }

    fn about(&self) -> &'static str {
        "a small pid_max: after a dozen processes the same pids come again"
    }

    fn family(&self) -> Family {
        Family::Child
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it makes kernel.pid_max so small that hardly anything else can start on the machine")
    }

    fn least_execs(&self) -> u32 {
        20
    }

    fn prepare(&self, ground: &Ground, workload: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let room = room(workload);
        let guard = PidMax::leave_free(room)?;
        go_round(room)?;
        Ok(Prepared {
            ways: vec![Way::call(worker.site()?)],
            guard: Some(Box::new(guard)),
            ..Prepared::default()
        })
    }
}

/// How many numbers are to be free: twice as many as there will be children at once, and some for others.
fn room(workload: &Workload) -> u32 {
    let at_once = match workload.load {
        Load::Closed => 1,
        Load::Rate(per_second) => {
            let alive = u128::from(per_second) * u128::from(workload.lifetime_ns) / 1_000_000_000;
            u32::try_from(alive)
                .unwrap_or(u32::MAX / 4)
                .saturating_mul(2)
                + 2
        }
        Load::Burst(at_once) => at_once.min(workload.execs),
    };
    at_once.saturating_add(OTHERS)
}

/// The smallest limit that leaves so many numbers of the circle free.
fn limit(room: u32, used: &BTreeSet<u32>) -> u32 {
    let free = (RESERVED..).filter(|pid| !used.contains(pid));
    free.take(room as usize).last().unwrap_or(RESERVED) + 1
}

/// What was written to [`PID_MAX`], put back when it is dropped.
#[derive(Debug)]
struct PidMax {
    before: String,
}

impl PidMax {
    fn leave_free(room: u32) -> Result<Self, SetupError> {
        let used = in_use().map_err(SetupError::at("list the processes under /proc"))?;
        let before = fs::read_to_string(PID_MAX).map_err(SetupError::at("read pid_max"))?;
        let limit = limit(room, &used);
        fs::write(PID_MAX, limit.to_string())
            .map_err(SetupError::at(format!("write {limit} to {PID_MAX}")))?;
        Ok(Self { before })
    }
}

impl Drop for PidMax {
    fn drop(&mut self) {
        // If this fails, it fails in a guest that is thrown away.
        let _ = fs::write(PID_MAX, &self.before);
    }
}

/// The numbers of all processes and threads.
fn in_use() -> io::Result<BTreeSet<u32>> {
    let mut used = BTreeSet::new();
    for process in numbers(Path::new("/proc"))? {
        used.insert(process);
        // One that has ended meanwhile has no threads.
        used.extend(numbers(Path::new(&format!("/proc/{process}/task"))).unwrap_or_default());
    }
    Ok(used)
}

fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(numbers)
}

/// Starts processes that end at once until a number comes again.
fn go_round(room: u32) -> Result<(), SetupError> {
    let what = "start processes that end at once";
    let mut launcher = Launcher::new(0).map_err(SetupError::at(what))?;
    let way = launcher
        .load(&Way::of([Step::Exit]), Spawn::Vfork)
        .map_err(SetupError::at(what))?;
    let mut seen = BTreeSet::<Pid>::new();
    // At first up to the circle, then once around.
    let most = RESERVED + 2 * room;
    for _ in 0..most {
        let pid = launcher.spawn(way, 0, 0);
        let pid = pid.and_then(|pid| waitpid(pid, None).map(|_| pid));
        if !seen.insert(pid.map_err(SetupError::at(what))?) {
            return Ok(());
        }
    }
    Err(SetupError::at("make pids come again")(io::Error::other(
        format!(
            "{most} processes one after the other had {most} pids, with {room} free ones below the limit"
        ),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circle_is_as_large_as_its_free_numbers() {
        assert_eq!(limit(13, &BTreeSet::new()), 313);
        assert_eq!(limit(3, &BTreeSet::from([7, 300, 302, 303])), 306);
        assert_eq!(limit(3, &BTreeSet::from([7, 303, 999])), 303);
    }

    #[test]
    fn there_is_room_for_all_children_that_live_at_once() {
        let room_for = |load, execs, lifetime_ns| {
            room(&Workload {
                scenario: "pid-reuse".into(),
                load,
                execs,
                lifetime_ns,
                spawn: Spawn::Vfork,
                population: 0,
            })
        };
        assert_eq!(room_for(Load::Closed, 20, 0), OTHERS + 1);
        assert_eq!(room_for(Load::Burst(64), 20, 0), OTHERS + 20);
        assert_eq!(room_for(Load::Burst(64), 200, 0), OTHERS + 64);
        assert_eq!(room_for(Load::Rate(1000), 200, 50_000_000), OTHERS + 102);
    }
}
