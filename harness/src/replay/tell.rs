//! A timeline in words: the story of one exec, and how a perturbed second run differs.

use execlab_model::{Bytes, record::Record, result::PathClass, sighting::Sighting};
use execlab_reports::replay::{Field, Figure, Moment, Sched, Story};

use super::{
    draw::{
        SecondRun,
        scheduler::{Who, Whose},
    },
    sched::Scheduled,
    timeline::{Life, Timeline, Told, touch},
    words,
};
use crate::score::{
    classes::{Classes, reported_path},
    fields,
    judge::words as joined,
};

/// So many neighbours' moments of each kind stand in a story.
const NEIGHBOURS: usize = 3;

/// The story of one exec; `None` where there is no such exec.
pub fn story(timeline: &Timeline<'_>, record: &Record, id: u32) -> Option<Story> {
    let life = timeline.find(id)?;
    let told = life.sighting().map(|at| &timeline.sightings[at as usize]);
    let latency = told.map(|told| {
        let received = told.sighting.received_ns;
        received.saturating_sub(life.exec.started_ns)
    });
    Some(Story {
        exec: id,
        pid: life.exec.pid,
        path: life.site.frames.exact.clone(),
        verdict: words::became(life.became).to_owned(),
        latency_ns: latency,
        moments: moments(timeline, life),
        fields: compared(record, life, told.map(|told| told.sighting)),
    })
}

fn moments(timeline: &Timeline<'_>, life: &Life<'_>) -> Vec<Moment> {
    let exec = life.exec;
    let moment = |at_ns, own, what: String| Moment { at_ns, own, what };
    let mut moments = vec![
        moment(
            exec.spawned_ns,
            true,
            format!("its child is about to be made, by pid {}", exec.parent),
        ),
        moment(
            exec.started_ns,
            true,
            "its image runs its first instructions: the exec was before this".into(),
        ),
        moment(
            exec.ended_ns,
            true,
            format!("it has ended: it {}", words::outcome(exec.outcome)),
        ),
    ];
    let own = |told: &&Told<'_>| told.exec.is_some_and(|e| e.id == exec.id);
    for told in timeline.sightings.iter().filter(own) {
        let what = match told.verdict {
            crate::score::matching::Verdict::Duplicate(_) => "the monitor tells of it again",
            _ => "the monitor tells of it",
        };
        moments.push(moment(told.sighting.received_ns, true, what.into()));
    }
    moments.extend(told_around(timeline, life));
    let (from, until) = life.window_ns();
    for lost in &timeline.losses {
        let report = lost.report;
        if touch(report.window_ns, (from, until)) {
            let (begin, end) = report.window_ns;
            let said = |what: &str| match report.count {
                Some(count) => {
                    let unit = format!("{:?}", report.unit).to_lowercase();
                    format!(
                        "{what} of a loss report: {count} ({unit}), {}",
                        report.source
                    )
                }
                None => format!("{what} of a loss report: no number, {}", report.source),
            };
            moments.push(moment(begin, false, said("begin of the window")));
            moments.push(moment(end, false, said("end of the window")));
        }
    }
    for part in &timeline.parts {
        if part.name == "storm" {
            let (begin, end) = part.window_ns;
            moments.push(moment(begin, false, "the storm begins".into()));
            moments.push(moment(end, false, "the storm is over".into()));
        }
        if part.name == "drain" {
            let end = part.window_ns.1;
            moments.push(moment(end, false, "the drain is over".into()));
        }
    }
    moments.sort_by_key(|moment| (moment.at_ns, !moment.own));
    moments
}

/// What the monitor told last before the exec's child was made, and first behind that.
fn told_around(timeline: &Timeline<'_>, life: &Life<'_>) -> Vec<Moment> {
    let others: Vec<&Told<'_>> = {
        let other = |told: &&Told<'_>| told.exec.is_none_or(|exec| exec.id != life.exec.id);
        let mut others: Vec<_> = timeline.sightings.iter().filter(other).collect();
        others.sort_by_key(|told| told.sighting.received_ns);
        others
    };
    let at = others.partition_point(|told| told.sighting.received_ns < life.exec.spawned_ns);
    let near = &others[at.saturating_sub(NEIGHBOURS)..others.len().min(at + NEIGHBOURS)];
    let moment = |told: &&Told<'_>| {
        let verdict = words::verdict(told.verdict);
        let of = match told.exec {
            Some(exec) => format!("#{} ({verdict})", exec.id),
            None => format!("what is none of the storm's execs ({verdict})"),
        };
        Moment {
            at_ns: told.sighting.received_ns,
            own: false,
            what: format!("the monitor tells of {of}"),
        }
    };
    near.iter().map(moment).collect()
}

/// Each field of truth beside what the sighting says of it.
fn compared(record: &Record, life: &Life<'_>, sighting: Option<&Sighting>) -> Vec<Field> {
    let (exec, site) = (life.exec, life.site);
    let number = |value: u32| Bytes(value.to_string().into_bytes());
    let classes = life.classes.filter(|_| sighting.is_some());
    let class = |name: fn(Classes) -> &'static str| classes.map(name);
    let said = |read: &dyn Fn(&Sighting) -> Option<Bytes>| sighting.and_then(read);
    let blank = Sighting::default();
    let container = fields::container_words(sighting.unwrap_or(&blank), site);
    let offered = container.1.filter(|words| !words.is_empty());
    let expected_container = match &offered {
        Some(_) => container.0.unwrap_or_default(),
        None => Bytes(format!("cgroup {}", site.cgroup).into_bytes()),
    };
    let rows = [
        (
            "path",
            site.frames.exact.clone(),
            said(&|s| reported_path(s).cloned()),
            class(|c| c.path.class.as_str()),
        ),
        (
            "given",
            site.given.clone(),
            said(&|s| s.given.clone()),
            class(|c| words::field(c.given)),
        ),
        (
            "argv",
            Bytes(fields::joined_argv(&record.truth, exec)),
            said(&|s| s.argv.as_ref().map(joined)),
            class(|c| words::argv(c.argv)),
        ),
        (
            "pid",
            number(exec.pid),
            said(&|s| s.pid.or(s.ns_pid).map(number)),
            class(|c| words::pid(c.pid)),
        ),
        (
            "parent",
            number(exec.parent),
            said(&|s| s.ppid.map(number)),
            class(|c| words::field(c.parent)),
        ),
        (
            "uid",
            number(exec.uid),
            said(&|s| s.uid.map(number)),
            class(|c| words::field(c.credentials)),
        ),
        (
            "container",
            expected_container,
            offered,
            class(|c| words::field(c.container)),
        ),
    ];
    rows.into_iter()
        .map(|(field, expected, reported, class)| Field {
            field: field.to_owned(),
            expected,
            reported,
            class: class.map(str::to_owned),
        })
        .collect()
}

/// How the perturbed second run differs from the trial.
pub fn second_run(
    record: &Record,
    timeline: &Timeline<'_>,
    best: &[PathClass],
    second: SecondRun<'_>,
) -> Sched {
    let who = Who::new(&second);
    let Scheduled {
        problem,
        switches,
        wakeups,
        events,
        lost,
        left_out,
        ..
    } = second.scheduled;
    let given = |whose| {
        switches
            .iter()
            .filter(|s| who.is(s.to.tid) == whose)
            .count() as u64
    };
    let woken = wakeups
        .iter()
        .filter(|w| who.is(w.task.tid) == Whose::Monitor);
    Sched {
        problem: problem.clone(),
        events: *events,
        lost: *lost,
        pages_left_out: *left_out,
        storm_switches: given(Whose::Storm),
        monitor_switches: given(Whose::Monitor),
        monitor_wakeups: woken.count() as u64,
        other_verdicts: other_verdicts(timeline, second.timeline),
        figures: figures((record, timeline), (second.record, second.timeline), best),
    }
}

fn other_verdicts(one: &Timeline<'_>, other: &Timeline<'_>) -> Option<u64> {
    let verdicts = |timeline: &Timeline<'_>| {
        let mut verdicts: Vec<_> = timeline
            .execs
            .iter()
            .map(|life| (life.exec.id, words::became(life.became)))
            .collect();
        verdicts.sort_unstable();
        verdicts
    };
    let (one, other) = (verdicts(one), verdicts(other));
    let same_execs = one.iter().map(|v| v.0).eq(other.iter().map(|v| v.0));
    same_execs.then(|| one.iter().zip(&other).filter(|(a, b)| a != b).count() as u64)
}

fn figures(
    one: (&Record, &Timeline<'_>),
    other: (&Record, &Timeline<'_>),
    best: &[PathClass],
) -> Vec<Figure> {
    let of = |(record, timeline): (&Record, &Timeline<'_>)| {
        let storm = record.costs.storm;
        let counts = timeline.totals(best);
        let mut figures = vec![
            ("busy instructions of the storm", storm.busy_ns),
            ("instructions of the monitor in it", storm.monitor_ns),
            ("switches in it", storm.switches),
        ];
        if let Some(counts) = counts {
            figures.extend([("execs seen", counts.seen), ("execs missed", counts.missed)]);
        }
        figures
    };
    of(one)
        .into_iter()
        .zip(of(other))
        .map(|((what, trial), (_, perturbed))| Figure {
            what: what.to_owned(),
            trial,
            perturbed,
        })
        .collect()
}
