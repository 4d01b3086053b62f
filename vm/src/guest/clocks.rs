//! The three clocks that end a guest which goes nowhere.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long a guest may take, in time of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Until its first mark.
    pub boot: Duration,
    /// From one mark to the next.
    pub stage: Duration,
    /// In all.
    pub total: Duration,
    /// For tests of guests that hang, which need not wait as long as one would for a slow host.
    pub hurry: Option<Hurry>,
}

/// Shortens what is left of every clock once a guest has said on its console where it hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hurry {
    /// What it says.
    pub word: &'static str,
    /// What is left from then on.
    pub left: Duration,
}

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanOut {
    /// No first mark in time.
    Boot(Duration),
    /// No next mark in time.
    Stage(Duration),
    /// Not done in time.
    Total(Duration),
}

impl fmt::Display for RanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(limit) => write!(f, "the guest did not boot within {limit:?}"),
            Self::Stage(limit) => write!(f, "the guest made no progress for {limit:?}"),
            Self::Total(limit) => write!(f, "the guest was not done within {limit:?}"),
        }
    }
}

/// [`Clocks`] that run.
#[derive(Debug)]
pub(super) struct Running {
    limits: Clocks,
    started: Instant,
    last_mark: Instant,
    marks: u64,
    hurried: bool,
}

impl Clocks {
    pub(super) fn start(self, now: Instant) -> Running {
        Running {
            limits: self,
            started: now,
            last_mark: now,
            marks: 0,
            hurried: false,
        }
    }
}

impl Running {
    /// Whether [`Self::hurry`] still waits for this to be said.
    pub(super) fn waits_for(&self) -> Option<&'static str> {
        let hurry = self.limits.hurry.filter(|_| !self.hurried);
        hurry.map(|hurry| hurry.word)
    }

    /// It was said.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(Hurry { left, .. }) = self.limits.hurry {
            self.hurried = true;
            self.limits.boot = now - self.started + left;
            self.limits.stage = now - self.last_mark + left;
        }
    }

    /// Notes how long the guest's marks are by now; which clock has run out, if any.
    pub(super) fn look(&mut self, now: Instant, marks: u64) -> Option<RanOut> {
        if marks > self.marks {
            self.marks = marks;
            self.last_mark = now;
        }
        let Clocks {
            boot, stage, total, ..
        } = self.limits;
        // Where several have run out, that it never booted says most.
        if self.marks == 0 && now - self.started > boot {
            Some(RanOut::Boot(boot))
        } else if now - self.started > total {
            Some(RanOut::Total(total))
        } else if self.marks > 0 && now - self.last_mark > stage {
            Some(RanOut::Stage(stage))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Clocks = Clocks {
        boot: Duration::from_secs(10),
        stage: Duration::from_secs(5),
        total: Duration::from_secs(30),
        hurry: None,
    };

    #[test]
    fn each_clock_runs_out_on_its_own() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);

        assert_eq!(
            LIMITS.start(start).look(at(11), 0),
            Some(RanOut::Boot(LIMITS.boot))
        );
        assert_eq!(
            LIMITS.start(start).look(at(31), 0),
            Some(RanOut::Boot(LIMITS.boot))
        );

        let mut stalled = LIMITS.start(start);
        assert_eq!(stalled.look(at(9), 1), None);
        assert_eq!(stalled.look(at(14), 1), None);
        assert_eq!(stalled.look(at(15), 1), Some(RanOut::Stage(LIMITS.stage)));

        let mut busy = LIMITS.start(start);
        for second in 1..=30 {
            assert_eq!(busy.look(at(second), second), None);
        }
        assert_eq!(busy.look(at(31), 31), Some(RanOut::Total(LIMITS.total)));
    }

    #[test]
    fn what_is_left_shortens_when_the_word_is_said() {
        let hurry = Hurry {
            word: "hangs",
            left: Duration::from_secs(1),
        };
        let limits = Clocks {
            hurry: Some(hurry),
            ..LIMITS
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut booting = limits.start(start);
        assert_eq!(booting.waits_for(), Some("hangs"));
        booting.hurry(at(3));
        assert_eq!(booting.waits_for(), None);
        assert_eq!(booting.look(at(4), 0), None);
        let ran_out = Some(RanOut::Boot(Duration::from_secs(4)));
        assert_eq!(booting.look(at(5), 0), ran_out);
        assert_eq!(LIMITS.start(start).waits_for(), None);
    }
}
