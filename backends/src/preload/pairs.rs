//! An exec of which both sides report, the call and the image: one sighting, and that of the image, which knows more.
//!
//! A call is held back for a while. If its image reports itself, the call is known to have been that exec. If the same
//! process calls again, the first call had failed: a new image would have reported itself, and a static one cannot call
//! through us. If nothing comes it is taken for the exec of a static program.

use std::collections::{HashMap, VecDeque};

use execlab_model::{Bytes, sighting::Sighting};

use super::wire::{Kind, Report};

/// How long a call is held back, in nanoseconds.
pub const HOLD_NS: u64 = 50_000_000;
/// How long an exec that was told is remembered, so that its other side is not told too.
const SAME_NS: u64 = 2_000_000_000;
/// What is told of so many processes is not worth to be looked through.
const FEW: usize = 1024;

#[derive(Debug)]
struct Told {
    image: bool,
    argument: Bytes,
    ns: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Calls that wait, the oldest first.
    held: VecDeque<Held>,
    /// What was told of late, by process: of an image, whose call reports itself when it is over, or of a call whose
    /// image took its time.
    told: HashMap<u32, Told>,
    /// When there are so many, old ones are forgotten.
    sweep_at: usize,
    /// Execs that both sides reported.
    pub both: u64,
    /// Calls that were followed by another one of the same process.
    pub failed: u64,
}

#[derive(Debug)]
struct Held {
    pid: Option<u32>,
    argument: Bytes,
    sighting: Sighting,
}

impl Pairs {
    /// Takes a report in; what is to be told now goes to `tell`.
    pub fn take(
        &mut self,
        report: &Report<'_>,
        sighting: Sighting,
        tell: &mut impl FnMut(Sighting),
    ) {
        let argument: Bytes = report.last_argument().into();
        let (pid, now) = (sighting.pid, sighting.received_ns);
        let before = self
            .held
            .iter()
            .position(|held| held.pid == pid && pid.is_some());
        let before = before.and_then(|at| self.held.remove(at));
        let image = report.kind == Kind::Image;
        let other = pid.and_then(|pid| self.told.remove(&pid));
        let is_told = other.is_some_and(|told| {
            told.image != image
                && told.argument == argument
                && now.saturating_sub(told.ns) < SAME_NS
        });
        if is_told && (image || report.kind == Kind::Spawned) {
            self.both += 1;
            return;
        }
        if image {
            match before {
                Some(call) if call.argument == argument => self.both += 1,
                Some(call) => tell(call.sighting),
                None => self.remember(pid, image, argument, now),
            }
            tell(sighting);
            return;
        }
        self.failed += u64::from(before.is_some());
        self.held.push_back(Held {
            pid,
            argument,
            sighting,
        });
    }

    /// Tells of the calls that have waited long enough by `now`.
    pub fn ripe(&mut self, now: u64, tell: &mut impl FnMut(Sighting)) {
        let is_ripe = |held: &mut Held| now.saturating_sub(held.sighting.received_ns) >= HOLD_NS;
        while let Some(held) = self.held.pop_front_if(is_ripe) {
            let sent = held.sighting.received_ns;
            self.remember(held.pid, false, held.argument, sent);
            tell(held.sighting);
        }
    }

    fn remember(&mut self, pid: Option<u32>, image: bool, argument: Bytes, ns: u64) {
        if self.told.len() >= self.sweep_at {
            self.told
                .retain(|_, told| ns.saturating_sub(told.ns) < SAME_NS);
            // Not again before as many have come as there are.
            self.sweep_at = FEW.max(2 * self.told.len());
        }
        let told = Told {
            image,
            argument,
            ns,
        };
        self.told.extend(pid.map(|pid| (pid, told)));
    }

    /// When the next call will have waited long enough; `None` where none waits.
    pub fn next_ns(&self) -> Option<u64> {
        let first = self.held.front()?;
        Some(first.sighting.received_ns + HOLD_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preload::wire::tests::plain;

    fn run(reports: &[(Kind, u32, &'static [u8], u64)], end: u64) -> (Vec<(u32, u64)>, Pairs) {
        let mut pairs = Pairs::default();
        let mut told = Vec::new();
        let mut tell = |s: Sighting| told.push((s.pid.unwrap(), s.received_ns));
        for &(kind, pid, argv, ns) in reports {
            let report = plain(kind, argv);
            let sighting = Sighting {
                pid: Some(pid),
                received_ns: ns,
                ..Sighting::default()
            };
            pairs.ripe(ns, &mut tell);
            pairs.take(&report, sighting, &mut tell);
        }
        pairs.ripe(end, &mut tell);
        (told, pairs)
    }

    #[test]
    fn a_call_and_its_image_are_one() {
        let (told, pairs) = run(
            &[
                (Kind::Call, 7, b"a\0b\0", 1),
                (Kind::Image, 7, b"a\0b\0", 2),
            ],
            9,
        );
        assert_eq!((told, pairs.both), (vec![(7, 2)], 1));
        // Of a script the interpreter is in front.
        let script = [
            (Kind::Call, 7, &b"s\0b\0"[..], 1),
            (Kind::Image, 7, b"/bin/sh\0s\0b\0", 2),
        ];
        assert_eq!(run(&script, 9).0, [(7, 2)]);
    }

    #[test]
    fn posix_spawn_tells_before_or_behind_its_image() {
        let image = (Kind::Image, 7, &b"a\0"[..], 2);
        let (told, pairs) = run(&[image, (Kind::Spawned, 7, b"a\0", 3)], u64::MAX);
        assert_eq!((told, pairs.both), (vec![(7, 2)], 1));
        let (told, _) = run(&[(Kind::Spawned, 7, b"a\0", 1), image], u64::MAX);
        assert_eq!(told, [(7, 2)]);
    }

    #[test]
    fn an_image_that_took_its_time_is_not_told_again() {
        let late = 3 * HOLD_NS;
        let reports = [
            (Kind::Call, 7, &b"a\0"[..], 1),
            (Kind::Call, 8, b"b\0", late - 1),
            (Kind::Image, 7, b"a\0", late),
            (Kind::Image, 7, b"a\0", late + 1),
        ];
        let (told, pairs) = run(&reports, 0);
        assert_eq!((told, pairs.both), (vec![(7, 1), (7, late + 1)], 1));
    }

    #[test]
    fn a_call_without_an_image_is_told_late_and_a_failed_one_never() {
        let call = |ns| (Kind::Call, 7, &b"a\0"[..], ns);
        assert_eq!(run(&[call(1)], HOLD_NS).0, []);
        assert_eq!(run(&[call(1)], HOLD_NS + 1).0, [(7, 1)]);
        let (told, pairs) = run(&[call(1), call(2)], u64::MAX);
        assert_eq!((told, pairs.failed), (vec![(7, 2)], 1));
    }
}
