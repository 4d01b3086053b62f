//! A timeline as a trace: groups of tracks for the parts of the trial, truth, what the monitor told, what was lost,
//! and, where there was a second run, the scheduler.

pub mod scheduler;

use std::collections::{BTreeSet, HashMap};

use execlab_model::{Bytes, record::Record, sighting::Argv};
use execlab_reports::trace::{Args, Event, Trace};
use serde_json::{Value, json};

use super::{
    sched::Scheduled,
    timeline::{Life, Lost, Part, Timeline, Told},
    words,
};

/// The name of the group of tracks that are of no trial's own run.
pub const PERTURBED: &str = "scheduler (perturbed second run)";

/// Groups of tracks, in the order in which viewers show them.
const TRIAL: u32 = 1;
const TRUTH: u32 = 2;
const MONITOR: u32 = 3;
const LOSSES: u32 = 4;
const SCHEDULER: u32 = 5;

/// The track of missed execs, before those of loss reports.
const MISSED: u32 = 0;

/// A second run, whose figures are not the trial's.
#[derive(Debug, Clone, Copy)]
pub struct SecondRun<'a> {
    /// Its own truth and sightings.
    pub timeline: &'a Timeline<'a>,
    /// Its own record.
    pub record: &'a Record,
    /// What the scheduler did in it.
    pub scheduled: &'a Scheduled,
}

/// The trace of a timeline; `about` says of what.
pub fn draw(timeline: &Timeline<'_>, second: Option<SecondRun<'_>>, about: Args) -> Trace {
    let mut events = Vec::new();
    events.extend(Event::group(TRIAL, "trial"));
    events.extend(Event::track(track(TRIAL, 0), "phases"));
    events.extend(timeline.parts.iter().map(part));
    for count in &timeline.counts {
        events.push(Event::counters(
            "execs",
            track(TRIAL, 0),
            count.at_ns,
            &[
                ("seen", count.seen),
                ("late", count.late),
                ("missed", count.missed),
                ("outstanding", count.outstanding),
            ],
        ));
    }

    events.extend(Event::group(TRUTH, "truth"));
    let lives = || timeline.execs.iter();
    let names = tracks(TRUTH, "execs", lives().map(|life| life.lane));
    events.extend(names);
    events.extend(lives().flat_map(|life| self::life(life, "exec", track(TRUTH, life.lane))));

    let there: HashMap<u32, &Life<'_>> = lives().map(|life| (life.exec.id, life)).collect();
    if !timeline.sightings.is_empty() {
        events.extend(Event::group(MONITOR, "monitor"));
        let told = || timeline.sightings.iter();
        let names = tracks(MONITOR, "sightings", told().map(|told| told.lane));
        events.extend(names);
        events.extend(told().map(sighting));
        events.extend(told().flat_map(|told| arrow(&there, told)));
    }

    let missed = || lives().filter(|life| life.is_missed());
    if missed().next().is_some() || !timeline.losses.is_empty() {
        events.extend(Event::group(LOSSES, "losses"));
        events.extend(Event::track(track(LOSSES, MISSED), "missed execs"));
        let lane = |lost: &Lost<'_>| lost.lane + 1;
        let names = tracks(LOSSES, "loss reports", timeline.losses.iter().map(lane));
        events.extend(names);
        events.extend(missed().map(|life| {
            let name = format!("missed #{} {}", life.exec.id, life.site.frames.exact);
            let at = track(LOSSES, MISSED);
            Event::instant("missed", name, at, life.exec.started_ns).with("exec", life.exec.id)
        }));
        let reports = timeline.losses.iter();
        events.extend(reports.map(|lost| loss(lost, track(LOSSES, lane(lost)))));
    }
    if let Some(second) = second {
        events.extend(scheduler::draw(second));
    }
    Trace::new(events, about)
}

/// A track of a group; no two groups share one.
fn track(group: u32, number: u32) -> (u32, u32) {
    (group, group * 10_000_000 + number + 1)
}

/// The names of the lanes that are used.
fn tracks(group: u32, name: &str, lanes: impl Iterator<Item = u32>) -> Vec<Event> {
    let lanes: BTreeSet<u32> = lanes.collect();
    let first = lanes.first().copied().unwrap_or(0);
    let named = lanes.into_iter().flat_map(|lane| {
        // Several lanes are of one kind: what overlaps stands below each other.
        let name = match lane - first {
            0 => name.to_owned(),
            further => format!("{name} {}", further + 1),
        };
        Event::track(track(group, lane), &name)
    });
    named.collect()
}

fn part(part: &Part) -> Event {
    Event::slice("phase", part.name, track(TRIAL, 0), part.window_ns)
        .with("from_ns", part.window_ns.0)
        .with("until_ns", part.window_ns.1)
        .with_some("note", part.note)
}

/// From the fork to the end, and in it the life of the image.
fn life(life: &Life<'_>, category: &str, track: (u32, u32)) -> [Event; 2] {
    let exec = life.exec;
    let site = life.site;
    let label = Some(site.label.clone()).filter(|label| !label.is_empty());
    let window = life.window_ns();
    let name = format!("#{} {}", exec.id, Bytes::from(site.frames.exact.basename()));
    let argv: Vec<Value> = site
        .argv
        .iter()
        .map(|argument| bytes(&Bytes(exec.fill(argument).into_owned())))
        .collect();
    let mut whole = Event::slice(category, name, track, window)
        .with("exec", exec.id)
        .with("pid", exec.pid)
        .with("ns_pid", exec.ns_pid)
        .with("parent", exec.parent)
        .with("uid", exec.uid)
        .with("path", bytes(&site.frames.exact))
        .with("given", bytes(&site.given))
        .with("argv", argv)
        .with("cgroup", bytes(&site.cgroup))
        .with_some("way", label)
        .with("spawned_ns", exec.spawned_ns)
        .with("started_ns", exec.started_ns)
        .with("ended_ns", exec.ended_ns)
        .with("end", words::outcome(exec.outcome))
        .with("verdict", words::became(life.became))
        .with_some("sighting", life.sighting());
    if let Some(classes) = &life.classes {
        whole = whole.with(
            "told",
            json!({
                "path": classes.path.class.as_str(),
                "given": words::field(classes.given),
                "argv": words::argv(classes.argv),
                "pid": words::pid(classes.pid),
                "parent": words::field(classes.parent),
                "credentials": words::field(classes.credentials),
                "container": words::field(classes.container),
            }),
        );
    }
    let image = (exec.started_ns.clamp(window.0, window.1), window.1);
    [whole, Event::slice("image", "image", track, image)]
}

fn sighting(told: &Told<'_>) -> Event {
    let sighting = told.sighting;
    let verdict = words::verdict(told.verdict);
    let name = match told.exec {
        Some(exec) => format!("{verdict} #{}", exec.id),
        None => verdict.to_owned(),
    };
    let argv = sighting.argv.as_ref().map(|argv| match argv {
        Argv::List(list) => list.iter().map(bytes).collect(),
        Argv::Joined(words) => bytes(words),
    });
    let latency = told
        .exec
        .map(|exec| sighting.received_ns.saturating_sub(exec.started_ns));
    let hint = &sighting.container;
    Event::slice("sighting", name, track(MONITOR, told.lane), told.drawn())
        .with("sighting", told.at)
        .with("verdict", verdict)
        .with("received_ns", sighting.received_ns)
        .with_some("exec", told.exec.map(|exec| exec.id))
        .with_some("latency_ns", latency)
        .with_some("time_ns", sighting.time_ns)
        .with_some("pid", sighting.pid)
        .with_some("ns_pid", sighting.ns_pid)
        .with_some("parent", sighting.ppid)
        .with_some("uid", sighting.uid)
        .with_some("path", sighting.path.as_ref().map(bytes))
        .with_some("given", sighting.given.as_ref().map(bytes))
        .with_some("argv", argv)
        .with_some("truncated", sighting.truncated.then_some(true))
        .with_some("cgroup", hint.cgroup.as_ref().map(bytes))
        .with_some("cgroup_id", hint.cgroup_id)
        .with_some("mnt_ns", hint.mnt_ns)
        .with_some("pid_ns", hint.pid_ns)
}

/// From an exec to a sighting of it, where both are drawn.
fn arrow(there: &HashMap<u32, &Life<'_>>, told: &Told<'_>) -> Vec<Event> {
    let Some(life) = told.exec.and_then(|exec| there.get(&exec.id)) else {
        return Vec::new();
    };
    // A monitor that holds the exec back tells of it before its image starts; arrows do not go back in time.
    let from = life.exec.started_ns.min(told.drawn_ns);
    let (spawned, until) = life.window_ns();
    if from < spawned || from >= until {
        return Vec::new();
    }
    let id = u64::from(told.at) + 1;
    let ends = (track(TRUTH, life.lane), track(MONITOR, told.lane));
    let name = words::verdict(told.verdict);
    Event::arrow("told", name, id, (ends.0, from), (ends.1, told.drawn_ns)).into()
}

fn loss(lost: &Lost<'_>, track: (u32, u32)) -> Event {
    let report = lost.report;
    let unit = format!("{:?}", report.unit).to_lowercase();
    let name = match report.count {
        Some(count) => format!("{}: {count} ({unit})", report.source),
        None => format!("{}: no number ({unit})", report.source),
    };
    Event::slice("loss", name, track, lost.drawn_ns)
        .with("source", report.source.as_str())
        .with("unit", unit)
        .with_some("count", report.count)
        .with("from_ns", report.window_ns.0)
        .with("until_ns", report.window_ns.1)
}

fn bytes(bytes: &Bytes) -> Value {
    bytes.to_string().into()
}
