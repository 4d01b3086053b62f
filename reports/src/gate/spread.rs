//! How far two groups of trials are apart, and how far chance alone may put them.
//!
//! In the exact lab a figure repeats to the digit, but only for one set of inputs: another seed, or a monitor that is one
//! byte longer, shifts timer ticks and slabs, and the figure with them. So a seed is a sample there too, and the
//! difference of two means is held against what seeds do, by Student's t. Where a machine is measured, a trial
//! is one boot, its distribution is anybody's guess, and a permutation test asks nothing of it.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::measure::Assumed;

/// How many seeds it takes to see how they spread.
pub const FEWEST: usize = 4;
/// So many arrangements are all looked at; of more, this many are drawn.
const ARRANGEMENTS: u64 = 100_000;
/// What sums of fractions lose must not decide between equals.
const SLACK: f64 = 1e-9;

/// Two groups of figures.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// The same seeds in both: base and new of each.
    Paired(Vec<(f64, f64)>),
    /// Different seeds.
    Apart(Vec<f64>, Vec<f64>),
}

impl Samples {
    /// Means of the two.
    pub fn means(&self) -> (f64, f64) {
        (mean(&self.of_base()), mean(&self.of_new()))
    }

    /// Figures of the base.
    pub fn of_base(&self) -> Vec<f64> {
        match self {
            Self::Paired(pairs) => pairs.iter().map(|p| p.0).collect(),
            Self::Apart(base, _) => base.clone(),
        }
    }

    /// Figures of the other.
    pub fn of_new(&self) -> Vec<f64> {
        match self {
            Self::Paired(pairs) => pairs.iter().map(|p| p.1).collect(),
            Self::Apart(_, new) => new.clone(),
        }
    }

    /// Trials of the smaller group.
    pub fn count(&self) -> usize {
        match self {
            Self::Paired(pairs) => pairs.len(),
            Self::Apart(base, new) => base.len().min(new.len()),
        }
    }

    /// The difference of means that is exceeded by chance no more often than `chance`, if figures spread over seeds
    /// as they are seen to, or where there are too few as it is `assumed`.
    pub fn noise(&self, chance: f64, assumed: Assumed) -> f64 {
        if self.count() >= FEWEST {
            return match self {
                Self::Apart(..) => self.students(chance),
                // Where a change throws each seed off its course, pairs are further apart than strangers. Both
                // ways are looked at, each for half of the chance.
                Self::Paired(_) => {
                    let apart = Self::Apart(self.of_base(), self.of_new());
                    let half = chance / 2.0;
                    self.students(half).min(apart.students(half))
                }
            };
        }
        let tail = 1.0 - chance / 2.0;
        let (base, new) = self.means();
        let deviation = (assumed.relative * base.abs().max(new.abs())).max(assumed.absolute);
        let (one, other) = (self.of_base().len() as f64, self.of_new().len() as f64);
        Normal::standard().inverse_cdf(tail) * deviation * (1.0 / one + 1.0 / other).sqrt()
    }

    /// The two-sided quantile of Student's t, times the standard error.
    fn students(&self, chance: f64) -> f64 {
        let (error, freedom) = self.error();
        let student = StudentsT::new(0.0, 1.0, freedom).expect("at least three degrees");
        student.inverse_cdf(1.0 - chance / 2.0) * error
    }

    /// Standard error of the difference of means, and its degrees of freedom.
    fn error(&self) -> (f64, f64) {
        match self {
            Self::Paired(pairs) => {
                let differences: Vec<f64> = pairs.iter().map(|(b, n)| n - b).collect();
                let n = differences.len() as f64;
                let freedom = (n - 1.0).max(1.0);
                ((squares(&differences) / freedom / n).sqrt(), freedom)
            }
            Self::Apart(base, new) => {
                let (one, other) = (base.len() as f64, new.len() as f64);
                let freedom = (one + other - 2.0).max(1.0);
                let pooled = (squares(base) + squares(new)) / freedom;
                ((pooled * (1.0 / one + 1.0 / other)).sqrt(), freedom)
            }
        }
    }

    /// The share of all arrangements that put the means at least as far apart: of signs where trials are paired, else of
    /// trials among the two groups.
    pub fn permutation(&self) -> f64 {
        match self {
            Self::Paired(pairs) => signs(&pairs.iter().map(|(b, n)| n - b).collect::<Vec<_>>()),
            Self::Apart(base, new) => groups(base, new),
        }
    }

    /// The least that [`Self::permutation`] can be with so many trials, whatever is measured.
    pub fn least(&self) -> f64 {
        // Turned round, signs and groups of one size are as far apart as they were.
        let (ways, extremes) = match self {
            Self::Paired(pairs) => {
                let signs = i32::try_from(pairs.len()).unwrap_or(i32::MAX);
                (2_f64.powi(signs), 2.0)
            }
            Self::Apart(base, new) => {
                let ways = choose(base.len() + new.len(), new.len());
                (ways, if base.len() == new.len() { 2.0 } else { 1.0 })
            }
        };
        (extremes / ways).min(1.0)
    }
}

/// Mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Whether all of them are one number.
pub fn is_constant(values: &[f64]) -> bool {
    let far = |v: &f64| (v - values[0]).abs() > SLACK * values[0].abs().max(1.0);
    !values.iter().any(far)
}

fn squares(values: &[f64]) -> f64 {
    let middle = mean(values);
    values.iter().map(|v| (v - middle).powi(2)).sum()
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product()
}

/// Whether a sum is as far from nothing as the one that was seen.
fn as_far(sum: f64, seen: f64) -> bool {
    sum.abs() >= seen.abs() * (1.0 - SLACK)
}

fn signs(differences: &[f64]) -> f64 {
    let seen: f64 = differences.iter().sum();
    let with = |bits: u64| -> f64 {
        let signed = |(at, d): (usize, &f64)| if bits >> (at % 64) & 1 == 0 { *d } else { -d };
        differences.iter().enumerate().map(signed).sum()
    };
    if differences.len() < 17 {
        let all = 1_u64 << differences.len();
        let far = (0..all).filter(|&bits| as_far(with(bits), seen)).count();
        return far as f64 / all as f64;
    }
    let mut random = Random(1);
    let drawn = |_: &u64| {
        let flip = |d: &f64| if random.next() & 1 == 0 { *d } else { -d };
        as_far(differences.iter().map(flip).sum(), seen)
    };
    (1..ARRANGEMENTS).filter(drawn).count() as f64 / ARRANGEMENTS as f64 + 1.0 / ARRANGEMENTS as f64
}

fn groups(base: &[f64], new: &[f64]) -> f64 {
    let mut all = [base, new].concat();
    let middle = mean(&all);
    // Around their common mean, the sum of one group says all of the difference of means.
    for value in &mut all {
        *value -= middle;
    }
    let size = new.len();
    let scale = size as f64 / all.len() as f64;
    let total: f64 = all.iter().sum();
    let seen = all[base.len()..].iter().sum::<f64>() - total * scale;
    if choose(all.len(), size) <= ARRANGEMENTS as f64 {
        let (mut far, mut count) = (0_u64, 0_u64);
        subsets(&all, size, 0.0, &mut |sum| {
            count += 1;
            far += u64::from(as_far(sum - total * scale, seen));
        });
        return far as f64 / count as f64;
    }
    let mut random = Random(1);
    let mut far = 1_u64;
    for _ in 1..ARRANGEMENTS {
        for at in 0..size {
            let other = at + random.below(all.len() - at);
            all.swap(at, other);
        }
        far += u64::from(as_far(
            all[..size].iter().sum::<f64>() - total * scale,
            seen,
        ));
    }
    far as f64 / ARRANGEMENTS as f64
}

/// The sum of each way to take `size` of some values.
fn subsets(values: &[f64], size: usize, sum: f64, see: &mut impl FnMut(f64)) {
    if size == 0 {
        see(sum);
    } else if values.len() >= size {
        subsets(&values[1..], size - 1, sum + values[0], see);
        subsets(&values[1..], size, sum, see);
    }
}

/// Splitmix64 (Steele, Lea, Flood 2014): the same draws each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than a usize")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Assumed = Assumed {
        relative: 0.0,
        absolute: 0.0,
    };

    #[test]
    fn noise_is_students() {
        // t of 3 degrees, two-sided 5 %: 3.182 (any table); differences 1, 2, 3, 4: sd 1.291, n 4.
        let pairs = [1.0, 2.0, 3.0, 4.0].map(|d| (10.0 * d, 11.0 * d)).to_vec();
        let noise = Samples::Paired(pairs).noise(0.10, NONE);
        assert!((noise - 3.182 * 1.291 / 2.0).abs() < 0.002, "{noise}");
        // The same figures put together so that pairs say less than the two groups: 2.447 of 6 degrees.
        let pairs = vec![(1.0, 4.0), (2.0, 3.0), (3.0, 2.0), (4.0, 1.0)];
        let noise = Samples::Paired(pairs).noise(0.10, NONE);
        assert!(
            (noise - 2.447 * (5.0_f64 / 3.0 * 0.5).sqrt()).abs() < 0.002,
            "{noise}"
        );
        // t of 6 degrees: 2.447; both variances 5/3.
        let four = vec![1.0, 2.0, 3.0, 4.0];
        let noise = Samples::Apart(four.clone(), four).noise(0.05, NONE);
        let wanted = 2.447 * (5.0_f64 / 3.0 * 0.5).sqrt();
        assert!((noise - wanted).abs() < 0.002, "{noise}");
    }

    #[test]
    fn of_few_seeds_the_spread_is_assumed() {
        let assumed = Assumed {
            relative: 0.01,
            absolute: 5.0,
        };
        let one = |value| Samples::Paired(vec![(value, value)]).noise(0.05, assumed);
        assert!((one(1000.0) - 1.95996 * 10.0 * 2_f64.sqrt()).abs() < 1e-3);
        assert!((one(100.0) - 1.95996 * 5.0 * 2_f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn permutations_are_counted() {
        // Of 2^4 signs only all and none reach the sum; of 20 ways to choose 3 of 6, the highest and the lowest.
        let pairs = [1.0, 2.0, 3.0, 4.0].map(|d| (0.0, d)).to_vec();
        let paired = Samples::Paired(pairs);
        assert_eq!((paired.permutation(), paired.least()), (0.125, 0.125));
        let apart = Samples::Apart(vec![1.0, 2.0, 3.0], vec![7.0, 8.0, 9.0]);
        assert!((apart.permutation() - 0.1).abs() < 1e-12);
        assert!((apart.least() - 0.1).abs() < 1e-12);
        let same = Samples::Apart(vec![5.0; 4], vec![5.0; 4]);
        assert!((same.permutation() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn drawn_arrangements_agree_with_theory() {
        // Forty of each, half a deviation apart; normal theory is near by the central limit theorem.
        let base: Vec<f64> = (0..40).map(f64::from).collect();
        let new: Vec<f64> = base.iter().map(|v| v + 5.0).collect();
        let p = Samples::Apart(base.clone(), new).permutation();
        assert!((0.045..0.075).contains(&p), "{p}");
        let pairs: Vec<(f64, f64)> = (0..40)
            .map(|i| (0.0, if i % 4 == 0 { -1.0 } else { 1.0 }))
            .collect();
        let p = Samples::Paired(pairs).permutation();
        // P(|Bin(40, 1/2) - 20| >= 10) = 0.0022.
        assert!((0.0015..0.0030).contains(&p), "{p}");
    }

    proptest! {
        #[test]
        fn nothing_depends_on_which_is_called_the_base(
            base in prop::collection::vec(-1e3..1e3, 1..7), new in prop::collection::vec(-1e3..1e3, 1..7),
        ) {
            let one = Samples::Apart(base.clone(), new.clone());
            let other = Samples::Apart(new.clone(), base.clone());
            prop_assert!((one.permutation() - other.permutation()).abs() < 1e-9);
            prop_assert!((one.noise(0.01, NONE) - other.noise(0.01, NONE)).abs() < 1e-6);
            prop_assert!(one.permutation() >= one.least() - 1e-12);
            let pairs: Vec<_> = base.iter().copied().zip(new.iter().copied()).collect();
            let turned = pairs.iter().map(|(a, b)| (*b, *a)).collect();
            let (one, other) = (Samples::Paired(pairs), Samples::Paired(turned));
            prop_assert!((one.permutation() - other.permutation()).abs() < 1e-12);
            prop_assert!((one.noise(0.01, NONE) - other.noise(0.01, NONE)).abs() < 1e-6);
        }
    }
}
