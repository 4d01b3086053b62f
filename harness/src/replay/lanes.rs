//! Slices of one track lie in each other or apart, and lives of processes do neither: so they are dealt to lanes.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

/// Gives each span (from, until) the first lane that is free; in the order of `spans`, which need not be sorted. A
/// span that lasts no time takes its lane for one nanosecond.
pub fn lanes(spans: &[(u64, u64)]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&at| spans[at]);
    let mut taken = BinaryHeap::new();
    let (mut free, mut count) = (BTreeSet::new(), 0);
    let mut dealt = vec![0; spans.len()];
    for at in order {
        let (from, until) = spans[at];
        while let Some(&Reverse((end, lane))) = taken.peek()
            && end <= from
        {
            taken.pop();
            free.insert(lane);
        }
        let lane = free.pop_first().unwrap_or_else(|| {
            count += 1;
            count - 1
        });
        taken.push(Reverse((until.max(from.saturating_add(1)), lane)));
        dealt[at] = lane;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lane_is_used_again_once_it_is_free() {
        assert_eq!(
            lanes(&[(0, 10), (5, 6), (6, 8), (10, 12), (11, 11), (11, 12)]),
            [0, 1, 1, 0, 1, 2]
        );
    }

    proptest! {
        #[test]
        fn no_two_of_a_lane_overlap_and_no_lane_is_wasted(
            spans in proptest::collection::vec((0_u64..50, 0_u64..20), 0..40),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(from, length)| (from, from + length)).collect();
            let dealt = lanes(&spans);
            let overlap = |a: (u64, u64), b: (u64, u64)| a.0 < b.1.max(b.0 + 1) && b.0 < a.1.max(a.0 + 1);
            for (one, &a) in spans.iter().enumerate() {
                for (other, &b) in spans.iter().enumerate().skip(one + 1) {
                    prop_assert!(dealt[one] != dealt[other] || !overlap(a, b));
                }
            }
            let most = (0..80).map(|now| spans.iter().filter(|&&s| overlap(s, (now, now + 1))).count()).max();
            let used = dealt.iter().max().map_or(0, |&lane| lane as usize + 1);
            prop_assert_eq!(used, most.unwrap_or(0));
        }
    }
}
