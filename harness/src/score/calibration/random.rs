//! Numbers that look random and are the same for the same seed on every machine.

/// The generator `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each seed and each `part` that it is used for.
    pub fn new(seed: u64, part: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index below `bound`, which is at least 1.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// True in so many of a thousand cases.
    pub fn hits(&mut self, permille: u16) -> bool {
        self.below(1_000) < u64::from(permille)
    }
}
