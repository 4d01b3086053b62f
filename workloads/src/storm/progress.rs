//! How far a storm is, by its own meter, so that one can see how the cost of an exec settled.

use std::{io, path::Path};

use execlab_model::record::Checkpoint;

use crate::{
    clock::monotonic_ns,
    meter::{Meter, SCHEDSTAT},
};

/// Parts into which a long storm falls.
const PARTS: u32 = 16;
/// Shorter parts would show timer ticks and grace periods of RCU rather than execs: one tick comes
/// with some 25 execs, and one batch of freed tasks with some 70.
const SHORTEST: u32 = 50;

/// The checkpoints of one storm, taken between two execs.
///
/// What a checkpoint takes is left out of all that follow: the time of the fastest one, so that what
/// interrupts one (a tick, a monitor) stays in. With and without a monitor it is the same. In the exact lab each takes some 8,000 to 9,000 instructions, so that the window
/// around a storm of 1,000 execs reads some 150 more for each exec (0.1%), and no exec's own times hold any
/// of it.
#[derive(Debug)]
pub struct Progress {
    /// None where the kernel keeps no statistics.
    meter: Option<Meter>,
    /// Execs of a part.
    step: u32,
    /// The next checkpoint is due with so many execs.
    next: u32,
    /// By clock and meter as they were, with how many checkpoints there had been.
    marks: Vec<(Checkpoint, u64)>,
    taken: u64,
    /// What the fastest of them took.
    fastest_ns: u64,
}

impl Progress {
    /// For a storm of so many execs.
    pub fn new(execs: u32) -> io::Result<Self> {
        Self::with(Path::new(SCHEDSTAT), execs)
    }

    fn with(statistics: &Path, execs: u32) -> io::Result<Self> {
        let meter = match Meter::open(statistics) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            meter => Some(meter?),
        };
        Ok(Self {
            meter,
            step: execs.div_ceil(PARTS).max(SHORTEST),
            next: 0,
            marks: Vec::with_capacity(PARTS as usize + 2),
            taken: 0,
            fastest_ns: u64::MAX,
        })
    }

    /// Takes a checkpoint if one is due now that so many execs were made.
    pub fn mark(&mut self, execs: u32) -> io::Result<()> {
        if execs < self.next {
            return Ok(());
        }
        self.next = execs + self.step;
        self.take(execs)
    }

    /// Takes the last checkpoint, unless that was done. A part that became shorter than half of the
    /// others goes to the one before it.
    pub fn finish(&mut self, execs: u32) -> io::Result<()> {
        let last = self.marks.last().map_or(0, |(mark, _)| mark.execs);
        if last == execs {
            return Ok(());
        }
        if last > 0 && execs - last < self.step / 2 {
            self.marks.pop();
        }
        self.take(execs)
    }

    fn take(&mut self, execs: u32) -> io::Result<()> {
        let Some(meter) = &mut self.meter else {
            return Ok(());
        };
        let before = monotonic_ns();
        let mark = Checkpoint {
            execs,
            wall_ns: before,
            busy_ns: meter.read()?.busy_ns,
        };
        self.marks.push((mark, self.taken));
        self.taken += 1;
        self.fastest_ns = self.fastest_ns.min(monotonic_ns() - before);
        Ok(())
    }

    /// All of them, counted from the first.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let Some((first, _)) = self.marks.first() else {
            return Vec::new();
        };
        let from_first = |(mark, taken): &(Checkpoint, u64)| Checkpoint {
            execs: mark.execs,
            wall_ns: (mark.wall_ns - first.wall_ns).saturating_sub(taken * self.fastest_ns),
            busy_ns: (mark.busy_ns - first.busy_ns).saturating_sub(taken * self.fastest_ns),
        };
        self.marks.iter().map(from_first).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::FileExt};

    use proptest::prelude::*;

    use super::*;

    fn execs_of(progress: &Progress) -> Vec<u32> {
        progress.marks.iter().map(|(mark, _)| mark.execs).collect()
    }

    /// A meter that stands still.
    fn meter() -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"cpu0 0 0 0 0 0 0 90000000000 0 1\n")
            .unwrap();
        file
    }

    fn closed(execs: u32) -> Vec<u32> {
        let meter = meter();
        let mut progress = Progress::with(meter.path(), execs).unwrap();
        for made in 0..=execs {
            progress.mark(made).unwrap();
        }
        progress.finish(execs).unwrap();
        execs_of(&progress)
    }

    #[test]
    fn short_storms_have_fewer_parts() {
        assert_eq!(closed(1), [0, 1]);
        assert_eq!(closed(60), [0, 60]);
        assert_eq!(closed(100), [0, 50, 100]);
        assert_eq!(closed(130), [0, 50, 100, 130]);
        assert_eq!(closed(1600).len(), 17);
    }

    #[test]
    fn between_bursts_a_part_is_as_long_as_it_comes() {
        let meter = meter();
        let mut progress = Progress::with(meter.path(), 300).unwrap();
        for made in [0, 64, 128, 192, 256, 300] {
            progress.mark(made).unwrap();
        }
        progress.finish(300).unwrap();
        assert_eq!(execs_of(&progress), [0, 64, 128, 192, 256, 300]);
    }

    #[test]
    fn what_checkpoints_take_is_left_out() {
        let meter = meter();
        let mut progress = Progress::with(meter.path(), 100).unwrap();
        progress.mark(0).unwrap();
        progress.fastest_ns = 70;
        meter
            .as_file()
            .write_all_at(b"cpu0 0 0 0 0 0 0 90000100000 0 1\n", 0)
            .unwrap();
        progress.mark(50).unwrap();
        let checkpoints = progress.checkpoints();
        assert_eq!(checkpoints[0], Checkpoint::default());
        assert_eq!((checkpoints[1].execs, checkpoints[1].busy_ns), (50, 99_930));
        assert_eq!(progress.taken, 2);
    }

    #[test]
    fn without_statistics_there_is_no_progress() {
        let mut progress = Progress::with(Path::new("/no/such/file"), 100).unwrap();
        progress.mark(0).unwrap();
        progress.finish(100).unwrap();
        assert_eq!(progress.checkpoints(), []);
    }

    proptest! {
        #[test]
        fn parts_are_few_long_enough_and_whole(execs in 1u32..20_000) {
            let marks = closed(execs);
            prop_assert!(marks.len() <= PARTS as usize + 2);
            prop_assert_eq!((marks[0], *marks.last().unwrap()), (0, execs));
            let shortest = marks.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
            prop_assert!(shortest >= (SHORTEST / 2).min(execs));
        }
    }
}
