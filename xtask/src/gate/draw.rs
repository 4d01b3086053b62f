//! Draws that are the same each time.

/// Splitmix64 (Steele, Lea, Flood 2014).
pub struct Draw(u64);

impl Draw {
    /// Another sequence for each number.
    pub fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    /// So many of these, by lot.
    pub fn some<T: Copy>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut all = of.to_vec();
        for at in 0..count.min(all.len()) {
            let rest = (all.len() - at) as u64;
            let other = usize::try_from(self.next() % rest).expect("less than a length");
            all.swap(at, at + other);
        }
        all.truncate(count);
        all
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_there_once_and_not_always_the_same() {
        let of: Vec<u64> = (10..19).collect();
        let mut draw = Draw::new(1);
        let mut one = draw.some(&of, 4);
        let mut other = draw.some(&of, 4);
        for drawn in [&mut one, &mut other] {
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 4);
            assert!(drawn.iter().all(|seed| of.contains(seed)));
        }
        assert_ne!(one, other);
        assert_eq!(draw.some(&of, 20).len(), 9);
    }
}
