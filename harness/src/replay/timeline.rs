//! What happened in a trial, on the guest's one clock: made of its record alone, and judged as the run judged it.

use execlab_model::{
    record::{Record, WindowCost},
    result::PathClass,
    sighting::{LossReport, Sighting},
    truth::{Exec, Site},
};
use execlab_reports::replay::{Counts, Gap};

use super::lanes::lanes;
use crate::score::{
    classes::{Classes, verdicts},
    matching::{Fate, Verdict},
};

/// How wide a sighting is drawn, in nanoseconds: it is a moment, and arrows end in slices.
const SIGHTING_NS: u64 = 1_000;
/// A monitor's times are its own word. What lies further behind the trial's end than this, in nanoseconds, is drawn
/// there.
const BEYOND_NS: u64 = 60_000_000_000;

/// A part of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `idle`, `storm`, `catch-up` or `drain`.
    pub name: &'static str,
    /// From when to when.
    pub window_ns: (u64, u64),
    /// What is not exact about that.
    pub note: Option<&'static str>,
}

/// What became of an exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Nobody watched.
    NotWatched,
    /// As the judge says.
    Judged(Fate),
}

/// An exec's life.
#[derive(Debug, Clone)]
pub struct Life<'a> {
    /// The exec.
    pub exec: &'a Exec,
    /// How it was made.
    pub site: &'a Site,
    /// What became of it.
    pub became: Became,
    /// How its sighting compares with it, if it has one.
    pub classes: Option<Classes>,
    /// On which of the tracks of truth it is drawn.
    pub lane: u32,
}

impl Life<'_> {
    /// From when its child was to be made to its end.
    pub fn window_ns(&self) -> (u64, u64) {
        let exec = self.exec;
        let until = exec.ended_ns.max(exec.started_ns);
        let until = until.max(exec.spawned_ns.saturating_add(1));
        (exec.spawned_ns, until)
    }

    /// Whether it was missed.
    pub fn is_missed(&self) -> bool {
        self.became == Became::Judged(Fate::Missed)
    }

    /// The position of the sighting by which it was seen, in time or late.
    pub fn sighting(&self) -> Option<u32> {
        match self.became {
            Became::Judged(Fate::Seen(at) | Fate::Late(at)) => Some(at),
            Became::Judged(Fate::Missed) | Became::NotWatched => None,
        }
    }
}

/// A sighting.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// Its position among all that the monitor said.
    pub at: u32,
    /// What it says.
    pub sighting: &'a Sighting,
    /// What became of it.
    pub verdict: Verdict,
    /// The exec that it was joined to.
    pub exec: Option<&'a Exec>,
    /// When it is drawn: when it was received, unless that cannot be.
    pub drawn_ns: u64,
    /// On which of the tracks of sightings.
    pub lane: u32,
}

impl Told<'_> {
    /// From when to when it is drawn.
    pub fn drawn(&self) -> (u64, u64) {
        (self.drawn_ns, self.drawn_ns.saturating_add(SIGHTING_NS))
    }
}

/// A loss report.
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    /// What it says.
    pub report: &'a LossReport,
    /// Its window, as far as it lies in the trial.
    pub drawn_ns: (u64, u64),
    /// On which of the tracks of losses.
    pub lane: u32,
}

/// How many execs were made so far, by what became of them: `seen + late + missed + outstanding` of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// From this time on.
    pub at_ns: u64,
    /// Told of by then.
    pub seen: u64,
    /// Told of by then, too late.
    pub late: u64,
    /// Never told of.
    pub missed: u64,
    /// Told of later.
    pub outstanding: u64,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Timeline<'a> {
    /// Whether there was a monitor.
    pub watched: bool,
    /// When the storm began.
    pub began_ns: u64,
    /// The parts of the trial, in order.
    pub parts: Vec<Part>,
    /// The execs of the truth, in the order of their starts.
    pub execs: Vec<Life<'a>>,
    /// What the monitor told, in the order in which it did.
    pub sightings: Vec<Told<'a>>,
    /// What it said that it lost.
    pub losses: Vec<Lost<'a>>,
    /// One for each time at which one of them changes; none where nobody watched.
    pub counts: Vec<Count>,
    /// Of a part of another one: the time that it shows.
    pub window_ns: Option<(u64, u64)>,
}

impl<'a> Timeline<'a> {
    /// Of a record; `watched` where there was a monitor.
    pub fn new(record: &'a Record, watched: bool) -> Self {
        let truth = &record.truth;
        let judged = verdicts(record);
        let lives: Vec<_> = truth
            .execs
            .iter()
            .zip(&judged.matching.fates)
            .zip(judged.classes)
            .map(|((exec, fate), classes)| Life {
                exec,
                site: truth.site(exec),
                became: if watched {
                    Became::Judged(*fate)
                } else {
                    Became::NotWatched
                },
                classes,
                lane: 0,
            })
            .collect();
        let parts = parts(record);
        let bounds = bounds(record, &parts);
        let sightings = (0..)
            .zip(&record.sightings)
            .zip(&judged.matching.verdicts)
            .map(|((at, sighting), &verdict)| Told {
                at,
                sighting,
                verdict,
                exec: joined(verdict).map(|index| &truth.execs[index as usize]),
                drawn_ns: sighting.received_ns.clamp(bounds.0, bounds.1),
                lane: 0,
            })
            .collect();
        let clamp = |ns: u64| ns.clamp(bounds.0, bounds.1);
        let losses = record
            .losses
            .iter()
            .map(|report| {
                let (from, until) = report.window_ns;
                let from = clamp(from);
                Lost {
                    report,
                    drawn_ns: (from, clamp(until).max(from.saturating_add(1))),
                    lane: 0,
                }
            })
            .collect();
        let mut timeline = Self {
            watched,
            began_ns: truth.began_ns,
            parts,
            execs: lives,
            sightings,
            losses,
            counts: Vec::new(),
            window_ns: None,
        };
        if watched {
            timeline.counts = timeline.count();
        }
        timeline
            .execs
            .sort_by_key(|life| (life.exec.started_ns, life.exec.id));
        timeline.deal();
        timeline
    }

    /// What became of all execs and sightings; `None` where nobody watched.
    pub fn totals(&self, best: &[PathClass]) -> Option<Counts> {
        if !self.watched {
            return None;
        }
        let mut counts = Counts {
            execs: self.execs.len() as u64,
            ..Counts::default()
        };
        for life in &self.execs {
            match life.became {
                Became::NotWatched => {}
                Became::Judged(Fate::Missed) => counts.missed += 1,
                Became::Judged(Fate::Late(_)) => counts.late += 1,
                Became::Judged(Fate::Seen(_)) => {
                    counts.seen += 1;
                    let class = life.classes.map(|classes| classes.path.class);
                    counts.best_path += u64::from(class.is_some_and(|c| best.contains(&c)));
                }
            }
        }
        for told in &self.sightings {
            match told.verdict {
                Verdict::Duplicate(_) => counts.duplicates += 1,
                Verdict::Phantom => counts.phantoms += 1,
                Verdict::Foreign => counts.foreign += 1,
                Verdict::Seen(_) | Verdict::Late(_) => {}
            }
        }
        Some(counts)
    }

    /// Missed execs between which none was told of.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut before = None;
        let mut open = false;
        for life in &self.execs {
            let id = life.exec.id;
            if !life.is_missed() {
                if let Some(gap) = gaps.last_mut().filter(|_| open) {
                    gap.behind = Some(id);
                }
                (before, open) = (Some(id), false);
                continue;
            }
            let (from, until) = life.window_ns();
            let lived = life.exec.ended_ns.saturating_sub(life.exec.started_ns);
            match gaps.last_mut().filter(|_| open) {
                Some(gap) => {
                    gap.execs.push(id);
                    gap.window_ns = (gap.window_ns.0.min(from), gap.window_ns.1.max(until));
                    gap.lived_ns = (gap.lived_ns.0.min(lived), gap.lived_ns.1.max(lived));
                }
                None => gaps.push(Gap {
                    execs: vec![id],
                    path: life.site.frames.exact.clone(),
                    window_ns: (from, until),
                    lived_ns: (lived, lived),
                    before,
                    behind: None,
                    losses: Vec::new(),
                }),
            }
            open = true;
        }
        for gap in &mut gaps {
            let touches = |window: (u64, u64)| touch(window, gap.window_ns);
            let reports = self.losses.iter().enumerate();
            let touching = reports.filter(|(_, lost)| touches(lost.report.window_ns));
            gap.losses = touching.map(|(at, _)| at).collect();
        }
        gaps
    }

    /// Deals what may overlap to lanes.
    fn deal(&mut self) {
        let spans: Vec<_> = self.execs.iter().map(Life::window_ns).collect();
        for (life, lane) in self.execs.iter_mut().zip(lanes(&spans)) {
            life.lane = lane;
        }
        let spans: Vec<_> = self.sightings.iter().map(Told::drawn).collect();
        for (told, lane) in self.sightings.iter_mut().zip(lanes(&spans)) {
            told.lane = lane;
        }
        let spans: Vec<_> = self.losses.iter().map(|lost| lost.drawn_ns).collect();
        for (lost, lane) in self.losses.iter_mut().zip(lanes(&spans)) {
            lost.lane = lane;
        }
    }

    fn count(&self) -> Vec<Count> {
        /// What changes a count.
        enum Step {
            Missed,
            Made,
            Told { in_time: bool },
        }
        let mut steps: Vec<(u64, Step)> = Vec::new();
        for life in &self.execs {
            let started = life.exec.started_ns;
            let Some(at) = life.sighting() else {
                steps.push((started, Step::Missed));
                continue;
            };
            steps.push((started, Step::Made));
            let in_time = matches!(life.became, Became::Judged(Fate::Seen(_)));
            // A monitor that holds the exec back has told of it before its image starts.
            let told = self.sightings[at as usize].drawn_ns.max(started);
            steps.push((told, Step::Told { in_time }));
        }
        steps.sort_by_key(|(at, _)| *at);
        let mut counts: Vec<Count> = Vec::new();
        let mut now = Count::default();
        for (at_ns, step) in steps {
            match step {
                Step::Missed => now.missed += 1,
                Step::Made => now.outstanding += 1,
                Step::Told { in_time } => {
                    now.outstanding -= 1;
                    now.seen += u64::from(in_time);
                    now.late += u64::from(!in_time);
                }
            }
            now.at_ns = at_ns;
            match counts.last_mut().filter(|last| last.at_ns == at_ns) {
                Some(last) => *last = now,
                None => counts.push(now),
            }
        }
        counts
    }
}

/// Whether two windows have a moment in common.
pub(super) fn touch(one: (u64, u64), other: (u64, u64)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

fn joined(verdict: Verdict) -> Option<u32> {
    match verdict {
        Verdict::Seen(exec) | Verdict::Late(exec) | Verdict::Duplicate(exec) => Some(exec),
        Verdict::Phantom | Verdict::Foreign => None,
    }
}

/// The record has the lengths of the windows in which cost is measured, and the times of the storm and of the drain.
fn parts(record: &Record) -> Vec<Part> {
    let truth = &record.truth;
    let (began, finished) = (truth.began_ns, truth.finished_ns.max(truth.began_ns));
    let WindowCost { wall_ns, .. } = record.costs.storm;
    // The window of the storm's cost is a little longer than the storm.
    let rest = wall_ns.saturating_sub(finished - began);
    let quiet = began.saturating_sub(rest);
    let caught_up = finished.saturating_add(record.costs.catch_up.wall_ns);
    let part = |name, from: u64, until: u64, note| Part {
        name,
        window_ns: (from, until),
        note,
    };
    let all = [
        part(
            "idle",
            quiet.saturating_sub(record.costs.idle.wall_ns),
            quiet,
            Some("its length is measured; that it ends right before the storm is assumed"),
        ),
        part("storm", began, finished, None),
        part(
            "catch-up",
            finished,
            caught_up,
            Some("its length is measured; that it begins right behind the storm is assumed"),
        ),
        part("drain", caught_up, record.drained_ns, None),
    ];
    let lasts = |part: &Part| part.window_ns.0 < part.window_ns.1;
    all.into_iter().filter(lasts).collect()
}

/// Between which times things are drawn.
fn bounds(record: &Record, parts: &[Part]) -> (u64, u64) {
    let ends = parts.iter().map(|part| part.window_ns.1);
    let lives = record.truth.execs.iter().map(|exec| exec.ended_ns);
    let until = ends.chain(lives).max().unwrap_or(0);
    let from = parts.iter().map(|part| part.window_ns.0).min();
    (from.unwrap_or(0), until.saturating_add(BEYOND_NS))
}
