//! What the scheduler did in the second run, beside that run's own truth: a group of tracks that says so.

use std::collections::{BTreeMap, HashSet};

use execlab_reports::trace::Event;

use super::{PERTURBED, SCHEDULER, SecondRun, life, track, tracks, words};
use crate::replay::{
    sched::{Scheduled, Switch, Task},
    timeline::Timeline,
};

/// Tracks of the group: those of several, which CPUs or lanes have, stand behind each other.
const MONITOR: u32 = 0;
const STORM: u32 = 1;
const TOLD: u32 = 2;
const CPUS: u32 = 1_000;
const LIVES: u32 = 100_000;

/// Whose thread it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's: nothing runs.
    Idle,
    /// An exec of the truth, or what makes them.
    Storm,
    /// The monitor's.
    Monitor,
    /// The kernel's, the trial runner's, or of a payload that is not ours.
    Other,
}

/// Who is who in a second run.
#[derive(Debug)]
pub struct Who {
    storm: HashSet<u32>,
    monitor: HashSet<u32>,
}

impl Who {
    /// By the truth of that run, and by what the guest said of its monitor.
    pub fn new(second: &SecondRun<'_>) -> Self {
        let truth = &second.record.truth;
        let execs = truth.execs.iter().map(|exec| exec.pid);
        Self {
            storm: execs.chain(truth.storm_pids.iter().copied()).collect(),
            monitor: second.scheduled.monitor.iter().copied().collect(),
        }
    }

    /// Whose thread this is.
    pub fn is(&self, tid: u32) -> Whose {
        if tid == 0 {
            Whose::Idle
        } else if self.monitor.contains(&tid) {
            Whose::Monitor
        } else if self.storm.contains(&tid) {
            Whose::Storm
        } else {
            Whose::Other
        }
    }
}

pub(super) fn draw(second: SecondRun<'_>) -> Vec<Event> {
    let who = Who::new(&second);
    let mut events: Vec<Event> = Event::group(SCHEDULER, PERTURBED).into();
    for (number, name) in [
        (MONITOR, "monitor runs"),
        (STORM, "storm runs"),
        (TOLD, "told in this run"),
    ] {
        events.extend(Event::track(track(SCHEDULER, number), name));
    }
    // All of it, unless it was cut.
    let window = second.timeline.window_ns.unwrap_or((0, u64::MAX));
    events.extend(runs(second.scheduled, &who, window));
    events.extend(wakeups(second.scheduled, &who, window));
    events.extend(truth(second.timeline));
    events
}

/// Each time that a CPU was given to somebody: on the track of that CPU, and of storm and monitor on theirs too, where
/// only one of them can run at a time.
fn runs(scheduled: &Scheduled, who: &Who, (from, until): (u64, u64)) -> Vec<Event> {
    let mut of_cpu: BTreeMap<u32, Vec<&Switch>> = BTreeMap::new();
    for switch in &scheduled.switches {
        of_cpu.entry(switch.cpu).or_default().push(switch);
    }
    let one_cpu = of_cpu.len() == 1;
    let mut events = Vec::new();
    for (cpu, switches) in of_cpu {
        let on_cpu = track(SCHEDULER, CPUS + cpu);
        events.extend(Event::track(on_cpu, &format!("CPU {cpu}")));
        for (on, off) in switches.iter().zip(switches.iter().skip(1)) {
            let whose = who.is(on.to.tid);
            let drawn = whose != Whose::Idle && on.at_ns <= until && off.at_ns >= from;
            if !drawn {
                continue;
            }
            let category = match whose {
                Whose::Storm => "storm",
                Whose::Monitor => "monitor",
                Whose::Idle | Whose::Other => "other",
            };
            let slice = |track| {
                Event::slice(category, name(&on.to), track, (on.at_ns, off.at_ns))
                    .with("tid", on.to.tid)
                    .with("ended", if off.preempted { "preempted" } else { "waits" })
            };
            events.push(slice(on_cpu));
            let own = match whose {
                Whose::Storm => Some(STORM),
                Whose::Monitor => Some(MONITOR),
                Whose::Idle | Whose::Other => None,
            };
            events.extend(
                own.filter(|_| one_cpu)
                    .map(|own| slice(track(SCHEDULER, own))),
            );
        }
    }
    events
}

fn wakeups(scheduled: &Scheduled, who: &Who, (from, until): (u64, u64)) -> Vec<Event> {
    let drawn = scheduled.wakeups.iter().filter_map(|wakeup| {
        let own = match who.is(wakeup.task.tid) {
            Whose::Storm => STORM,
            Whose::Monitor => MONITOR,
            Whose::Idle | Whose::Other => return None,
        };
        let by = match who.is(wakeup.by) {
            Whose::Storm => "the storm",
            Whose::Monitor => "the monitor",
            Whose::Idle => "an interrupt while idle",
            Whose::Other => "another",
        };
        let shown = (from..=until).contains(&wakeup.at_ns);
        shown.then(|| {
            let name = format!("{} woken by {by}", name(&wakeup.task));
            Event::instant("wakeup", name, track(SCHEDULER, own), wakeup.at_ns)
                .with("tid", wakeup.task.tid)
                .with("by", wakeup.by)
        })
    });
    drawn.collect()
}

/// The execs and sightings of the second run.
fn truth(timeline: &Timeline<'_>) -> Vec<Event> {
    let lives = || timeline.execs.iter();
    let mut events = tracks(
        SCHEDULER,
        "execs of this run",
        lives().map(|life| LIVES + life.lane),
    );
    events.extend(lives().flat_map(|of_exec| {
        let track = track(SCHEDULER, LIVES + of_exec.lane);
        life(of_exec, "exec-of-second-run", track)
    }));
    events.extend(timeline.sightings.iter().map(|told| {
        let verdict = words::verdict(told.verdict);
        let name = match told.exec {
            Some(exec) => format!("{verdict} #{}", exec.id),
            None => verdict.to_owned(),
        };
        Event::instant("told", name, track(SCHEDULER, TOLD), told.drawn_ns)
    }));
    events
}

fn name(task: &Task) -> String {
    format!("{} {}", task.comm, task.tid)
}
