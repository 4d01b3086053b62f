//! What a seed changes: things that differ between any two runs in real life, and nothing that
//! truth counts.

use crate::clock::{monotonic_ns, sleep_until_ns};

/// The tick of the slowest configured kernel is 10 ms; phases are spread over one of 4 ms, as all
/// Debian kernels have it (`CONFIG_HZ=250`).
const PHASE_NS: u64 = 4_000_000;
/// Storms start this far apart from any whole multiple, plus their phase.
const GRID_NS: u64 = 100_000_000;

/// One seed's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Perturbation {
    /// Bytes added to each payload's environment.
    pub padding: usize,
    /// Where between two timer ticks the storm starts, in nanoseconds.
    pub phase_ns: u64,
    state: u64,
}

impl Perturbation {
    /// The changes of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut perturbation = Self {
            padding: 0,
            phase_ns: 0,
            state: seed,
        };
        perturbation.padding = usize::try_from(perturbation.below(1024)).expect("small");
        perturbation.phase_ns = perturbation.below(PHASE_NS);
        perturbation
    }

    /// A lifetime within a tenth of the one asked for; 0 stays 0.
    pub fn lifetime_ns(&mut self, asked: u64) -> u64 {
        match asked / 10 {
            0 => asked,
            tenth => asked - tenth + self.below(2 * tenth + 1),
        }
    }

    /// Sleeps until the storm is to start.
    pub fn wait_for_phase(&self) {
        sleep_until_ns((monotonic_ns() / GRID_NS + 2) * GRID_NS + self.phase_ns);
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014): every seed gives another sequence.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_seed_repeats_and_stays_in_its_bounds(seed in any::<u64>(), asked in 0u64..1 << 40) {
            let (mut a, mut b) = (Perturbation::new(seed), Perturbation::new(seed));
            prop_assert_eq!(&a, &b);
            let lifetime = a.lifetime_ns(asked);
            prop_assert_eq!(lifetime, b.lifetime_ns(asked));
            prop_assert!(lifetime.abs_diff(asked) <= asked / 10);
        }
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(Perturbation::new(1), Perturbation::new(2));
    }
}
