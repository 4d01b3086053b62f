//! A part of a timeline, around one exec.

use super::timeline::{Life, Timeline, touch};

impl<'a> Timeline<'a> {
    /// The exec of that id.
    pub fn find(&self, id: u32) -> Option<&Life<'a>> {
        self.execs.iter().find(|life| life.exec.id == id)
    }

    /// What stands around one exec: so many execs before and behind it, all that happened in their time, and what was
    /// told of them at any time. Nothing in it is other than in the whole. `None` where there is no such exec.
    pub fn around(&self, id: u32, margin: usize) -> Option<Self> {
        let at = self.execs.iter().position(|life| life.exec.id == id)?;
        let chosen = &self.execs[at.saturating_sub(margin)..];
        let chosen = &chosen[..chosen.len().min(at.min(margin) + 1 + margin)];
        let windows = || chosen.iter().map(Life::window_ns);
        let from = windows().map(|(from, _)| from).min()?;
        let until = windows().map(|(_, until)| until).max()?;
        let within = |window: (u64, u64)| touch(window, (from, until));

        let mut cut = self.clone();
        cut.is_cut = true;
        cut.execs.retain(|life| within(life.window_ns()));
        let ids: std::collections::HashSet<u32> =
            cut.execs.iter().map(|life| life.exec.id).collect();
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
