//! Puts it together: what came back of a trial, as a summary and as a trace.

use execlab_model::{record::Record, result::PathClass};
use execlab_reports::{
    replay::Replay,
    trace::{Args, Trace},
};

use super::{
    again::Again,
    draw::{SecondRun, draw},
    sched::Scheduled,
    tell,
    timeline::Timeline,
};

/// So many missed execs are named where one was asked for that is none.
const NAMED: usize = 10;

/// What of a trial is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The exec around which the timeline is cut.
    pub around: Option<u32>,
    /// How many execs before and behind it stay.
    pub margin: usize,
    /// Whether there was a monitor.
    pub watched: bool,
    /// The path classes that the scenario allows as the best.
    pub best: &'a [PathClass],
}

/// An id that no exec of the trial has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no exec of {trial} has the id {id}: {valid}")]
pub struct NoSuchExec {
    /// The trial.
    pub trial: String,
    /// The id.
    pub id: u32,
    /// Which there are, and which of them were missed.
    pub valid: String,
}

/// Fills in what follows from the records, and draws them. There is no trace of what left no record, or came to no
/// storm.
pub fn picture(
    replay: &mut Replay,
    shown: Shown<'_>,
    first: &Again,
    second: Option<&Again>,
) -> Result<Option<Trace>, NoSuchExec> {
    let Some(record) = first.storm() else {
        return Ok(None);
    };
    let whole = Timeline::new(record, shown.watched);
    replay.began_ns = Some(whole.began_ns);
    replay.counts = whole.totals(shown.best);
    replay.losses.clone_from(&record.losses);
    replay.gaps = whole.gaps();

    let other = second.and_then(|second| Some((second.storm()?, second.scheduled.as_ref()?)));
    let other = other.map(|(record, scheduled)| {
        let timeline = Timeline::new(record, shown.watched);
        (timeline, record, scheduled)
    });
    replay.sched = other
        .as_ref()
        .map(|other| tell::second_run(record, &whole, shown.best, of_run(other)));
    let Some(id) = shown.around else {
        return Ok(Some(draw(
            &whole,
            other.as_ref().map(of_run),
            about(replay),
        )));
    };
    replay.around = tell::story(&whole, record, id);
    let part = whole
        .around(id, shown.margin)
        .ok_or_else(|| no_such_exec(&replay.trial, &whole, id))?;
    // Of a second run that did not come so far there is nothing to show.
    let other = other.and_then(|(timeline, record, scheduled)| {
        Some((timeline.around(id, shown.margin)?, record, scheduled))
    });
    Ok(Some(draw(&part, other.as_ref().map(of_run), about(replay))))
}

/// A second run: its timeline, its record and its scheduler.
type Other<'a> = (Timeline<'a>, &'a Record, &'a Scheduled);

fn of_run<'a>((timeline, record, scheduled): &'a Other<'a>) -> SecondRun<'a> {
    SecondRun {
        timeline,
        record,
        scheduled,
    }
}

/// Where a trace comes from, for who finds it later.
fn about(replay: &Replay) -> Args {
    let record = replay.now.record_sha256.as_deref();
    let around = replay.around.as_ref();
    let facts = [
        ("trial", Some(replay.trial.clone())),
        ("digest", Some(replay.now.digest.clone())),
        ("record_sha256", record.map(str::to_owned)),
        ("clock", Some("CLOCK_MONOTONIC of the guest".to_owned())),
        ("around", around.map(|story| format!("#{}", story.exec))),
        (
            "sightings",
            Some("moments, drawn 1 µs wide so that arrows can end in them".to_owned()),
        ),
    ];
    let said = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    said.collect()
}

fn no_such_exec(trial: &str, timeline: &Timeline<'_>, id: u32) -> NoSuchExec {
    let ids = || timeline.execs.iter().map(|life| life.exec.id);
    let missed: Vec<String> = timeline
        .execs
        .iter()
        .filter(|life| life.is_missed())
        .map(|life| life.exec.id.to_string())
        .collect();
    let mut valid = match ids().min().zip(ids().max()) {
        Some((least, most)) => format!(
            "its {} execs have ids from {least} to {most}",
            timeline.execs.len()
        ),
        None => "it made none".to_owned(),
    };
    if !missed.is_empty() {
        let more = if missed.len() > NAMED { " …" } else { "" };
        let some = &missed[..missed.len().min(NAMED)];
        valid = format!("{valid}; missed were {}{more}", some.join(", "));
    }
    NoSuchExec {
        trial: trial.to_owned(),
        id,
        valid,
    }
}
