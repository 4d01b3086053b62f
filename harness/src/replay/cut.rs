//! A part of a timeline, around one exec.

use std::collections::HashSet;

use super::timeline::{Life, Timeline, touch};

impl<'a> Timeline<'a> {
    /// The exec of that id.
    pub fn find(&self, id: u32) -> Option<&Life<'a>> {
        self.execs.iter().find(|life| life.exec.id == id)
    }

    /// What stands around one exec: so many execs before and behind it by their starts, what was told of them at any
    /// time, and whatever else happened while it lived and they were made. Nothing in it is other than in the whole.
    /// `None` where there is no such exec.
    pub fn around(&self, id: u32, margin: usize) -> Option<Self> {
        let at = self.execs.iter().position(|life| life.exec.id == id)?;
        let until = at.saturating_add(margin).saturating_add(1);
        let chosen = &self.execs[at.saturating_sub(margin)..until.min(self.execs.len())];
        let ids: HashSet<u32> = chosen.iter().map(|life| life.exec.id).collect();
        let starts = chosen.iter().map(|life| life.exec.started_ns);
        let from = chosen.iter().map(|life| life.exec.spawned_ns).min()?;
        let until = starts.chain([self.execs[at].window_ns().1]).max()?;
        let within = |window: (u64, u64)| touch(window, (from, until));

        let mut cut = self.clone();
        cut.window_ns = Some((from, until));
        cut.execs.retain(|life| ids.contains(&life.exec.id));
        cut.sightings.retain(|told| {
            let of_them = told.exec.is_some_and(|exec| ids.contains(&exec.id));
            of_them || within((told.drawn_ns, told.drawn_ns))
        });
        cut.losses.retain(|lost| within(lost.drawn_ns));
        cut.parts.retain(|part| within(part.window_ns));
        // From what was so when the window begins.
        let before = cut.counts.partition_point(|count| count.at_ns <= from);
        cut.counts.drain(..before.saturating_sub(1));
        cut.counts.retain(|count| count.at_ns <= until);
        Some(cut)
    }
}
