//! Which records say that something was executed, and how they become outcomes.

use super::{
    assembler::Assembler,
    event::{Exec, Outcome},
    record::{self, Stamp},
    rules::Architecture,
};

/// What a row of this family listens for.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The groups of records that rules for the exec calls of these architectures make.
    Rules(&'static [Architecture]),
    /// Single records of one type, which are made without rules.
    Single(Single),
}

/// A record that is an event by itself.
#[derive(Debug, Clone, Copy)]
pub struct Single {
    /// Its type.
    pub kind: u16,
    /// What its fields say.
    pub read: fn(Stamp, &[u8]) -> Told,
}

/// What a single record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Of an exec.
    Exec(Box<Exec>),
    /// Of something else.
    Other,
    /// It could not be read.
    Malformed,
}

impl Exec {
    /// One of which nothing is known yet but whose it is.
    pub fn of(stamp: Stamp, pid: u32) -> Self {
        Self {
            stamp,
            pid,
            ppid: None,
            uid: None,
            path: None,
            given: None,
            file: None,
            argv: None,
            truncated: false,
            incomplete: false,
        }
    }
}

/// Turns records into outcomes.
#[derive(Debug)]
pub enum Parser {
    /// Puts events together.
    Events(Assembler),
    /// Reads one record at a time.
    Single {
        /// Which, and how.
        single: Single,
        /// How many could not be read.
        malformed: u64,
    },
}

impl Parser {
    /// `paths` tells whether PATH records are made at all.
    pub fn new(source: Source, paths: bool) -> Self {
        match source {
            Source::Rules(_) => Self::Events(Assembler::new(paths)),
            Source::Single(single) => Self::Single {
                single,
                malformed: 0,
            },
        }
    }

    /// How many events are under way.
    pub fn open(&self) -> usize {
        match self {
            Self::Events(assembler) => assembler.open(),
            Self::Single { .. } => 0,
        }
    }

    /// How many records could not be read.
    pub fn malformed(&self) -> u64 {
        match self {
            Self::Events(assembler) => assembler.malformed(),
            Self::Single { malformed, .. } => *malformed,
        }
    }

    /// Takes in one record and hands over the event that it ends, if it ends one.
    pub fn record(
        &mut self,
        kind: u16,
        text: &[u8],
        received_ns: u64,
        mut close: impl FnMut(Outcome),
    ) {
        match self {
            Self::Events(assembler) => assembler.record(kind, text, received_ns, close),
            Self::Single { single, malformed } if kind == single.kind => {
                let told = record::stamp(text).map(|(stamp, rest)| (single.read)(stamp, rest));
                match told {
                    Some(Told::Exec(exec)) => close(Outcome::Exec(exec)),
                    Some(Told::Other) => {}
                    Some(Told::Malformed) | None => *malformed += 1,
                }
            }
            Self::Single { .. } => {}
        }
    }

    /// Closes the events for which nothing came since `before_ns`.
    pub fn close_idle(&mut self, before_ns: u64, close: impl FnMut(Outcome)) {
        if let Self::Events(assembler) = self {
            assembler.close_idle(before_ns, close);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_record_is_an_event_of_its_own_and_others_are_none() {
        let read = |stamp, text: &[u8]| match text {
            b" exec" => Told::Exec(Box::new(Exec::of(stamp, 5))),
            b" other" => Told::Other,
            _ => Told::Malformed,
        };
        let mut parser = Parser::new(Source::Single(Single { kind: 9, read }), false);
        let mut outcomes = Vec::new();
        for (kind, text) in [
            (9, "audit(1.002:3): exec"),
            (8, "audit(1.002:3): exec"),
            (9, "audit(1.002:4): other"),
            (9, "audit(1.002:5): what"),
            (9, "no stamp"),
        ] {
            parser.record(kind, text.as_bytes(), 0, |outcome| outcomes.push(outcome));
        }
        parser.close_idle(u64::MAX, |outcome| outcomes.push(outcome));
        let stamp = Stamp {
            millis: 1_002,
            serial: 3,
        };
        assert_eq!(outcomes, [Outcome::Exec(Box::new(Exec::of(stamp, 5)))]);
        assert_eq!((parser.open(), parser.malformed()), (0, 2));
    }
}
