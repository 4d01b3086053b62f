//! Changes to seeds, the same in each run.

/// Bytes that mean something more often than others: ends of ranges, and signs of the texts that are read.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xfe\xff\n \"'()[]{}<>=:;,.+-/\\0189aAfFxX|\x1e\x1b";

/// Makes inputs out of seeds.
pub struct Mutator<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
}

impl<'a> Mutator<'a> {
    pub fn new(seeds: &'a [&'a [u8]]) -> Self {
        Self { seeds, state: 1 }
    }

    /// A number below `end`, or 0 (splitmix64; Steele, Lea and Flood, 2014).
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end.max(1)).expect("64 bits");
        usize::try_from((mixed ^ mixed >> 31) % end).expect("64 bits")
    }

    fn seed(&mut self) -> &'a [u8] {
        let at = self.below(self.seeds.len());
        self.seeds[at]
    }

    /// A seed with one to six changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let length = self.below(9).min(input.len() - at);
        match self.below(8) {
            _ if input.is_empty() => input.push(TELLING[self.below(TELLING.len())]),
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = TELLING[self.below(TELLING.len())],
            2 => drop(input.drain(at..at + length)),
            3 => input.truncate(at),
            4 => {
                let again = input[at..at + length].to_vec();
                drop(input.splice(at..at, again));
            }
            5 => {
                let byte = TELLING[self.below(TELLING.len())];
                input[at..at + length].fill(byte);
            }
            6 => {
                let other = self.seed();
                let from = self.below(other.len());
                let to = (from + self.below(40)).min(other.len());
                drop(input.splice(at..at + length, other[from..to].iter().copied()));
            }
            _ => input.insert(at, TELLING[self.below(TELLING.len())]),
        }
    }
}
