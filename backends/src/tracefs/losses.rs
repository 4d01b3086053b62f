//! What the ring buffers say that they lost: `per_cpu/cpuN/stats` (`tracing_stats_read`, `kernel/trace/trace.c`).

use execlab_model::sighting::{LossReport, LossUnit};

/// The three counters of events that nobody will read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Overwritten by newer ones.
    pub overrun: u64,
    /// Not written, as an interrupt filled the buffer while an event was being written.
    pub commit_overrun: u64,
    /// Not written, as the buffer was full and is not to be overwritten.
    pub dropped: u64,
}

impl Stats {
    /// From the text of a file `stats`; `None` where one of the three is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(':')?.trim().parse().ok()
        };
        Some(Self {
            overrun: number("overrun")?,
            commit_overrun: number("commit overrun")?,
            dropped: number("dropped events")?,
        })
    }
}

/// Counters of one CPU, and what was reported of them.
#[derive(Debug)]
pub struct Losses {
    source: String,
    unit: LossUnit,
    reported: Stats,
    /// Up to this time everything lost is reported.
    since_ns: u64,
    /// Losses of which the pages tell lie in here.
    window: Option<(u64, u64)>,
}

impl Losses {
    /// For the buffer of a CPU that was empty at this time.
    pub fn new(cpu: u32, unit: LossUnit, now_ns: u64) -> Self {
        Self {
            source: format!("tracefs per_cpu/cpu{cpu}/stats"),
            unit,
            reported: Stats::default(),
            since_ns: now_ns,
            window: None,
        }
    }

    /// A page said that events were lost between these two times.
    pub fn between(&mut self, from_ns: u64, to_ns: u64) {
        let (from, to) = self.window.unwrap_or((from_ns, to_ns));
        self.window = Some((from.min(from_ns), to.max(to_ns)));
    }

    /// Whether a page said so since the last [`Self::update`].
    pub fn is_told(&self) -> bool {
        self.window.is_some()
    }

    /// What was lost since the last look at the counters.
    pub fn update(&mut self, stats: Stats, now_ns: u64) -> Option<LossReport> {
        let before = std::mem::replace(&mut self.reported, stats);
        let since = std::mem::replace(&mut self.since_ns, now_ns);
        let told = self.window.take();
        let new = [
            ("overrun", stats.overrun.saturating_sub(before.overrun)),
            (
                "commit overrun",
                stats.commit_overrun.saturating_sub(before.commit_overrun),
            ),
            (
                "dropped events",
                stats.dropped.saturating_sub(before.dropped),
            ),
        ];
        let names: Vec<_> = new
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(n, _)| *n)
            .collect();
        let count: u64 = new.iter().map(|(_, n)| n).sum();
        // Of what is overwritten the pages know more closely when it was recorded; of what is dropped nobody does.
        let only_overrun = count == new[0].1;
        (count > 0).then(|| LossReport {
            source: format!("{}: {}", self.source, names.join(", ")),
            unit: self.unit,
            count: Some(count),
            window_ns: told.filter(|_| only_overrun).unwrap_or((since, now_ns)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 prints it.
    const STATS: &str = "entries: 0
overrun: 4
commit overrun: 1
bytes: 0
oldest event ts:     0.000000
now ts: 58157.086963
dropped events: 2
read events: 0
";

    #[test]
    fn what_was_lost_is_reported_once() {
        let stats = Stats::parse(STATS).unwrap();
        let expected = Stats {
            overrun: 4,
            commit_overrun: 1,
            dropped: 2,
        };
        assert_eq!(stats, expected);
        assert_eq!(Stats::parse("overrun: 4"), None);

        let mut losses = Losses::new(3, LossUnit::Exec, 10);
        assert_eq!(losses.update(Stats::default(), 20), None);
        let report = losses.update(stats, 30).unwrap();
        assert_eq!((report.count, report.window_ns), (Some(7), (20, 30)));
        assert_eq!(
            report.source,
            "tracefs per_cpu/cpu3/stats: overrun, commit overrun, dropped events"
        );
        assert_eq!(losses.update(stats, 40), None);
    }

    #[test]
    fn pages_say_when_what_was_overwritten_was_recorded() {
        let mut losses = Losses::new(0, LossUnit::Event, 10);
        losses.between(14, 15);
        losses.between(12, 13);
        assert!(losses.is_told());
        let stats = Stats {
            overrun: 2,
            ..Stats::default()
        };
        assert_eq!(losses.update(stats, 20).unwrap().window_ns, (12, 15));
        losses.between(21, 22);
        let stats = Stats {
            dropped: 1,
            ..stats
        };
        assert_eq!(losses.update(stats, 30).unwrap().window_ns, (20, 30));
        assert!(!losses.is_told());
    }
}
