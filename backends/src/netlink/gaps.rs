//! Gaps in the numbers that each CPU gives to its messages.

use std::collections::BTreeMap;

use execlab_model::sighting::{LossReport, LossUnit};

use super::wire::Place;

/// A step back is no gap: half of all numbers lie behind, half ahead.
const AHEAD: u32 = 1 << 31;

/// The last place of each CPU. Of use on an unfiltered socket only: every event has a number, also one that a
/// filter drops.
#[derive(Debug, Default)]
pub struct Gaps {
    last: BTreeMap<u32, Place>,
    /// Messages that did not come.
    pub missing: u64,
}

impl Gaps {
    /// Takes in a message; a report, if some are missing before it. They were sent between the two.
    pub fn follow(&mut self, place: Place) -> Option<LossReport> {
        let before = self.last.insert(place.cpu, place)?;
        let missing = place.sequence.wrapping_sub(before.sequence).wrapping_sub(1);
        if missing == 0 || missing >= AHEAD {
            return None;
        }
        self.missing += u64::from(missing);
        Some(LossReport {
            source: "gap in the connector's numbers of a CPU".into(),
            unit: LossUnit::Event,
            count: Some(missing.into()),
            window_ns: (before.time_ns, place.time_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_missing_between_two_messages_of_a_cpu_is_counted(
            start: u32,
            messages in proptest::collection::vec((0u32..3, any::<bool>()), 0..60),
        ) {
            let mut gaps = Gaps::default();
            // What each CPU sent last, and how many of it did not come since the last that did.
            let mut sent = BTreeMap::<u32, u32>::new();
            let mut absent = BTreeMap::<u32, Option<u64>>::new();
            let mut expected = 0;
            for (time_ns, (cpu, comes)) in (0u64..).zip(messages) {
                let sequence = sent.entry(cpu).or_insert(start);
                let place = Place { cpu, sequence: *sequence, time_ns };
                *sequence = sequence.wrapping_add(1);
                let absent = absent.entry(cpu).or_insert(None);
                if comes {
                    let report = gaps.follow(place);
                    // Nobody knows what came before the first.
                    let missing = absent.replace(0).unwrap_or(0);
                    prop_assert_eq!(report.map_or(0, |r| r.count.unwrap()), missing);
                    expected += missing;
                } else if let Some(absent) = absent {
                    *absent += 1;
                }
            }
            prop_assert_eq!(gaps.missing, expected);
        }
    }

    #[test]
    fn a_gap_lies_between_its_two_messages() {
        let mut gaps = Gaps::default();
        let mut follow = |cpu, sequence, time_ns| {
            gaps.follow(Place {
                cpu,
                sequence,
                time_ns,
            })
        };
        assert_eq!(follow(0, 5, 100), None);
        assert_eq!(follow(1, 90, 110), None);
        let report = follow(0, 9, 130).unwrap();
        assert_eq!((report.count, report.window_ns), (Some(3), (100, 130)));
        assert_eq!(follow(0, 9, 140), None, "a step back is no gap");
    }
}
