//! Whether two lists are in the same order.
//!
//! Backends are few, so nothing is assumed of how a coefficient is distributed: the chance that a random
//! order agrees at least as well is counted over all orders where these can be listed, and over a sample
//! of them where not. It is one-sided: two labs that disagree thoroughly are no agreement.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many things are put into all their orders: 8! is 40,320.
pub const LISTED: usize = 8;
/// How many random orders stand for all, where there are too many.
pub const DRAWN: u32 = 20_000;

/// What sums of fractions lose must not decide between equals.
const SLACK: f64 = 1e-9;

/// How well two orders of the same things agree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// How many things.
    pub count: usize,
    /// Spearman's rho: 1 for the same order, -1 for the reverse one.
    pub rho: f64,
    /// Kendall's tau-b: the same of pairs, with ties taken out.
    pub tau_b: f64,
    /// The share of all orders with at least this rho.
    pub rho_p: f64,
    /// The share of all orders with at least this tau.
    pub tau_p: f64,
    /// The least share that so many things can have, whatever is measured: 1 / count!.
    pub least_p: f64,
    /// Whether all orders were counted; otherwise a sample of [`DRAWN`].
    pub exact: bool,
}

impl Agreement {
    /// Of two lists of the same length, item by item; `None` where there is no order to agree on: of
    /// fewer than two, or where all in one list are equal.
    pub fn of(one: &[f64], other: &[f64]) -> Option<Self> {
        let (one, other) = (ranks(one), ranks(other));
        let (rho, tau_b) = (pearson(&one, &other)?, kendall_b(&one, &other)?);
        let count = one.len();
        let (mut all, mut rhos, mut taus) = (0_u32, 0_u32, 0_u32);
        let mut look = |order: &[f64]| {
            all += 1;
            rhos += u32::from(pearson(&one, order).is_some_and(|r| r >= rho - SLACK));
            taus += u32::from(kendall_b(&one, order).is_some_and(|t| t >= tau_b - SLACK));
        };
        let exact = count <= LISTED;
        if exact {
            every_order(&mut other.clone(), &mut look);
        } else {
            look(&other);
            some_orders(&mut other.clone(), &mut look);
        }
        let share = |of: u32| f64::from(of) / f64::from(all);
        Some(Self {
            count,
            rho,
            tau_b,
            rho_p: share(rhos),
            tau_p: share(taus),
            least_p: 1.0 / (1..=count).map(|n| n as f64).product::<f64>(),
            exact,
        })
    }
}

/// Ranks from 1 for the smallest; equals share the mean of theirs.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|v| *v < value).count();
        let equal = values
            .iter()
            .filter(|v| v.partial_cmp(&value) == Some(Ordering::Equal))
            .count();
        below as f64 + f64::midpoint(1.0, equal as f64)
    };
    values.iter().map(rank).collect()
}

/// Of ranks this is Spearman's rho, with ties or without.
fn pearson(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = one.iter().zip(other);
        pairs.map(|(a, b)| f(a - mean_one, b - mean_other)).sum()
    };
    let (square_one, square_other) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    let scale = (square_one * square_other).sqrt();
    (scale > 0.0).then(|| (sum(&|a, b| a * b) / scale).clamp(-1.0, 1.0))
}

/// Kendall, The treatment of ties in ranking problems, Biometrika 33 (1945).
fn kendall_b(one: &[f64], other: &[f64]) -> Option<f64> {
    let (mut agree, mut untied_one, mut untied_other) = (0.0, 0.0, 0.0);
    for at in 0..one.len() {
        for before in 0..at {
            let sign = |of: &[f64]| match of[at].total_cmp(&of[before]) {
                Ordering::Less => -1.0,
                Ordering::Equal => 0.0,
                Ordering::Greater => 1.0,
            };
            let (a, b): (f64, f64) = (sign(one), sign(other));
            agree += a * b;
            untied_one += a.abs();
            untied_other += b.abs();
        }
    }
    let scale = (untied_one * untied_other).sqrt();
    (scale > 0.0).then(|| agree / scale)
}

/// Heap's algorithm: each order once, each a single swap away from the one before.
fn every_order(values: &mut [f64], look: &mut impl FnMut(&[f64])) {
    let mut swapped = vec![0; values.len()];
    look(values);
    let mut at = 1;
    while at < values.len() {
        if swapped[at] < at {
            values.swap(if at % 2 == 0 { 0 } else { swapped[at] }, at);
            look(values);
            swapped[at] += 1;
            at = 1;
        } else {
            swapped[at] = 0;
            at += 1;
        }
    }
}

/// Random orders, the same ones each time: a report is a pure function of its results.
fn some_orders(values: &mut [f64], look: &mut impl FnMut(&[f64])) {
    let mut state = 0_u64;
    let mut below = |bound: usize| {
        // splitmix64; the remainder's bias is below 2^-50 for bounds of this size.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % bound as u64).expect("less than a length")
    };
    for _ in 0..DRAWN {
        for at in (1..values.len()).rev() {
            values.swap(at, below(at + 1));
        }
        look(values);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn known_values() {
        // R: cor(x, y, method = "spearman"), cor(x, y, method = "kendall").
        let x = [
            106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0,
        ];
        let y = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0];
        let found = Agreement::of(&x, &y).unwrap();
        assert!(
            close(found.rho, -29.0 / 165.0) && close(found.tau_b, -1.0 / 9.0),
            "{found:?}"
        );
        assert!(!found.exact);
        // With ties, worked out by hand: ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4.
        let tied = Agreement::of(&[1.0, 2.0, 2.0, 9.0], &[1.0, 5.0, 4.0, 7.0]).unwrap();
        assert!(close(tied.rho, 4.5 / (4.5_f64 * 5.0).sqrt()), "{tied:?}");
        assert!(close(tied.tau_b, 5.0 / 30_f64.sqrt()), "{tied:?}");
        assert!(
            close(tied.tau_p, 2.0 / 24.0),
            "either order of the tied ones: {tied:?}"
        );
    }

    #[test]
    fn chances_are_counted_over_all_orders() {
        let up = [1.0, 2.0, 3.0, 4.0, 5.0];
        let same = Agreement::of(&up, &up).unwrap();
        assert!(close(same.rho, 1.0) && close(same.tau_b, 1.0));
        assert!(close(same.rho_p, 1.0 / 120.0) && close(same.tau_p, same.least_p));
        // One swap of neighbours: rho 0.9 is reached by 5 of 120 orders (tables of Spearman's rho).
        let swapped = Agreement::of(&up, &[2.0, 1.0, 3.0, 4.0, 5.0]).unwrap();
        assert!(
            close(swapped.rho, 0.9) && close(swapped.rho_p, 5.0 / 120.0),
            "{swapped:?}"
        );
        assert!(
            close(swapped.tau_b, 0.8) && close(swapped.tau_p, 5.0 / 120.0),
            "{swapped:?}"
        );
        let reversed = Agreement::of(&up, &[5.0, 4.0, 3.0, 2.0, 1.0]).unwrap();
        assert!(close(reversed.rho, -1.0) && close(reversed.rho_p, 1.0));
    }

    #[test]
    fn without_an_order_nothing_agrees() {
        assert_eq!(Agreement::of(&[], &[]), None);
        assert_eq!(Agreement::of(&[1.0], &[1.0]), None);
        assert_eq!(Agreement::of(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        let two = Agreement::of(&[1.0, 2.0], &[5.0, 9.0]).unwrap();
        assert!(
            close(two.rho_p, 0.5),
            "two things are in the same order half of the time"
        );
    }

    #[test]
    fn every_order_is_looked_at_once() {
        for n in 0..=6_u32 {
            let mut all = std::collections::BTreeSet::new();
            let mut count = 0;
            let mut values: Vec<f64> = (0..n).map(f64::from).collect();
            every_order(&mut values, &mut |order| {
                count += 1;
                all.insert(format!("{order:?}"));
            });
            assert_eq!((all.len(), count), (count, (1..=n as usize).product()));
        }
    }

    #[test]
    fn a_sample_of_orders_says_about_what_all_of_them_say() {
        let one: Vec<f64> = (0..8).map(f64::from).collect();
        let other = [1.0, 0.0, 3.0, 2.0, 5.0, 7.0, 4.0, 6.0];
        let exact = Agreement::of(&one, &other).unwrap();
        let (mut all, mut hits) = (0, 0);
        some_orders(&mut other.clone(), &mut |order| {
            all += 1;
            hits += u32::from(pearson(&one, order).unwrap() >= exact.rho - 1e-9);
        });
        let share = f64::from(hits) / f64::from(all);
        assert!((share - exact.rho_p).abs() < 0.002, "{share} of {exact:?}");
    }

    fn lists() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let value = || (0..6_i32).prop_map(f64::from);
        (2_usize..7).prop_flat_map(move |n| {
            let list = || prop::collection::vec(value(), n);
            (list(), list())
        })
    }

    proptest! {
        #[test]
        fn ranks_add_up_and_keep_the_order(values in prop::collection::vec((-9..9_i32).prop_map(f64::from), 0..12)) {
            let ranks = ranks(&values);
            let n = values.len() as f64;
            prop_assert!(close(ranks.iter().sum(), n * (n + 1.0) / 2.0));
            for (a, x) in values.iter().zip(&ranks) {
                for (b, y) in values.iter().zip(&ranks) {
                    prop_assert_eq!(a.total_cmp(b), x.total_cmp(y));
                }
            }
        }

        #[test]
        fn it_is_symmetric_and_only_the_order_matters((one, other) in lists()) {
            let found = Agreement::of(&one, &other);
            let back = Agreement::of(&other, &one);
            prop_assert_eq!(found.is_some(), back.is_some());
            if let (Some(a), Some(b)) = (found, back) {
                prop_assert!(close(a.rho, b.rho) && close(a.tau_b, b.tau_b));
                prop_assert!(close(a.rho_p, b.rho_p) && close(a.tau_p, b.tau_p));
                prop_assert!((-1.0..=1.0).contains(&a.rho) && a.tau_b.abs() <= 1.0 + 1e-12);
                prop_assert!(a.rho_p >= a.least_p - 1e-12 && a.rho_p <= 1.0);
                let cubes: Vec<f64> = one.iter().map(|v| v.powi(3) * 7.0 - 1.0).collect();
                let moved = Agreement::of(&cubes, &other).unwrap();
                prop_assert!(close(moved.rho, a.rho) && close(moved.tau_p, a.tau_p));
                let mirrored: Vec<f64> = one.iter().map(|v| -v).collect();
                let mirrored = Agreement::of(&mirrored, &other).unwrap();
                prop_assert!(close(mirrored.rho, -a.rho) && close(mirrored.tau_b, -a.tau_b));
            }
        }
    }
}
