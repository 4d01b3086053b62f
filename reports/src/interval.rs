//! What a few samples say of a median, without any word on how they are distributed.
//!
//! The interval from the kth smallest to the kth largest of n samples misses the median only where
//! fewer than k of them lie on one side of it, which is a matter of coins: `2 P(Bin(n, 1/2) < k)`. It is
//! the interval that belongs to the sign test (Conover, Practical Nonparametric Statistics, 1999, §3.2).
//!
//! What it does assume is that samples are independent and have one median. Trials that follow each other
//! on a machine that drifts (it warms up, a neighbour comes and goes) are not quite that. A difference is
//! that of two trials of one seed, which stand close together, so that a slow drift falls out of most of
//! it; of what remains the coverage says nothing, and the control shows it.
//!
//! A bootstrap of eight samples promises more than it keeps, and CPU times are too skewed for Student's t.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often an interval may miss, at most.
pub const MISSES: f64 = 0.05;
/// How many samples the smallest interval takes: with five, even the whole range misses 6.25 %.
pub const FEWEST: usize = 6;

/// Where the median lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end, itself a sample.
    pub low: f64,
    /// Upper end, itself a sample.
    pub high: f64,
    /// How often such an interval holds the true median, at least: 0.95 or more.
    pub coverage: f64,
}

impl Interval {
    /// The narrowest one that holds the median 95 times of 100; `None` of fewer than [`FEWEST`].
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (k, coverage) = rank(sorted.len())?;
        Some(Self {
            low: sorted[k - 1],
            high: sorted[sorted.len() - k],
            coverage,
        })
    }

    /// Whether a value lies in it.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Whether some value lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The largest k for which an interval from the kth of `n` samples misses rarely enough, and how often
/// it then holds the median.
fn rank(n: usize) -> Option<(usize, f64)> {
    // Each chance from the one before, as logarithms: 2^-n is no number from some n on.
    let mut log_chance = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    let mut best = None;
    for k in 1..=n / 2 {
        below += log_chance.exp();
        if 2.0 * below > MISSES {
            break;
        }
        best = Some((k, 1.0 - 2.0 * below));
        log_chance += ((n - k + 1) as f64 / k as f64).ln();
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Conover's table A3 and others give these; the coverages are sums of binomials over 2^n.
        for (n, k, misses_of_two_to_n) in [
            (6, 1, 2),
            (7, 1, 2),
            (8, 1, 2),
            (9, 2, 20),
            (10, 2, 22),
            (12, 3, 158),
            (20, 6, 43_400),
        ] {
            let (found, coverage) = rank(n).unwrap();
            assert_eq!(found, k, "{n}");
            let wanted =
                1.0 - f64::from(misses_of_two_to_n) / 2_f64.powi(i32::try_from(n).unwrap());
            assert!((coverage - wanted).abs() < 1e-12, "{n}: {coverage}");
        }
        assert_eq!(rank(100).unwrap().0, 40);
        assert!((0..FEWEST).all(|n| rank(n).is_none()));
        // Far beyond where 2^-n is no number any more.
        let (k, coverage) = rank(5000).unwrap();
        assert!((2425..2436).contains(&k) && (0.95..0.953).contains(&coverage));
    }

    #[test]
    fn ends_are_samples_and_touching_is_overlapping() {
        let of = |samples: &[f64]| Interval::of(samples).unwrap();
        let eight = of(&[8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0]);
        assert_eq!(
            (eight.low, eight.high, eight.coverage),
            (1.0, 8.0, 0.992_187_5)
        );
        assert_eq!(Interval::of(&[1.0; 5]), None);
        let nine = of(&[-9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 99.0]);
        assert_eq!((nine.low, nine.high), (1.0, 7.0));
        assert!(nine.holds(1.0) && !nine.holds(0.0));
        let other = |low, high| Interval { low, high, ..nine };
        assert!(nine.overlaps(&other(7.0, 8.0)) && nine.overlaps(&other(2.0, 3.0)));
        assert!(!nine.overlaps(&other(7.5, 8.0)) && !nine.overlaps(&other(0.0, 0.5)));
    }

    /// A stream of bits of splitmix64, one for each coin.
    fn coins(seed: u64) -> impl Iterator<Item = u64> {
        (1..).map(move |i: u64| {
            let mut x = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        })
    }

    #[test]
    fn it_holds_the_median_of_a_skewed_distribution_as_often_as_it_says() {
        // The square of a uniform number is skewed; its median is 1/4.
        for n in [6, 8, 9, 15] {
            let mut random =
                coins(n as u64).map(|bits| ((bits >> 11) as f64 / (1_u64 << 53) as f64).powi(2));
            let rounds = 20_000;
            let mut held = 0;
            let mut promised = 0.0;
            for _ in 0..rounds {
                let samples: Vec<f64> = random.by_ref().take(n).collect();
                let interval = Interval::of(&samples).unwrap();
                promised = interval.coverage;
                held += u32::from(interval.holds(0.25));
            }
            let share = f64::from(held) / f64::from(rounds);
            assert!(
                (share - promised).abs() < 0.006,
                "{n}: {share} of {promised}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_middle_and_moves_with_its_samples(
            samples in prop::collection::vec(-1e6..1e6, FEWEST..60), by in -1e3..1e3,
        ) {
            let interval = Interval::of(&samples).unwrap();
            let mut sorted = samples.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(interval.coverage >= 1.0 - MISSES && interval.coverage < 1.0);
            prop_assert!(interval.holds(sorted[sorted.len() / 2]));
            prop_assert!(interval.holds(sorted[(sorted.len() - 1) / 2]));
            let moved: Vec<f64> = samples.iter().map(|s| s + by).collect();
            let moved = Interval::of(&moved).unwrap();
            prop_assert_eq!((moved.low, moved.high), (interval.low + by, interval.high + by));
            let mirrored: Vec<f64> = samples.iter().map(|s| -s).collect();
            let mirrored = Interval::of(&mirrored).unwrap();
            prop_assert_eq!((mirrored.low, mirrored.high), (-interval.high, -interval.low));
        }
    }
}
