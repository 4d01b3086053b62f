//! What a seed changes: things that differ between any two runs in real life, and nothing that
//! truth counts.

use crate::clock::{monotonic_ns, sleep_until_ns};

/// Phases are spread over one timer tick of Debian's kernels (`CONFIG_HZ=250`).
const PHASE_NS: u64 = 4_000_000;
/// Storms start this far apart from any whole multiple, plus their phase.
const GRID_NS: u64 = 100_000_000;
/// Between a tick and some scheduling latencies: what starts a monitor is busy with other things.
const DELAY_NS: u64 = 10_000_000;
/// Bytes; two pages of a process's stack.
const STACK: u64 = 8192;
/// Bytes. Few, because they are copied at each exec: one that has them all pays 2% more.
const PAYLOAD_STACK: u64 = 1024;

/// One seed's changes. Each comes from a stream of its own, so that another one more changes none of
/// the others, and so that how often one is asked does not either.
///
/// | changes | from | up to | because in real life |
/// |---|---|---|---|
/// | `payload_padding` | 0 | 1,023 bytes | environments differ, and shift the stack of what is executed |
/// | `storm_padding`, `monitor_padding` | 0 | 8,191 bytes | the same of those that live longer |
/// | `pages` | 0 | 255 pages in a tmpfs | other files are in the page cache: the page allocator's lists and what lies beside what |
/// | `files` | 0 | 127 empty files | other inodes and dentries fill slabs |
/// | `phase_ns` | 0 | 3,999,999 ns after a multiple of the tick | a storm and the timer know nothing of each other |
/// | `monitor_delay_ns` | 0 | 9,999,999 ns | a monitor starts when it is started |
/// | [lifetime](Self::lifetime_ns) | −10% | +10% | no two processes live equally long |
/// | [arrival](Self::arrival_ns), open loop | 0 | half an interval after the schedule | requests come when they come; on the long run the rate is kept |
/// | [quiet](Self::quiet_ns) between bursts | −20% | +20% | the same |
///
/// A closed storm has no arrivals: the next exec comes when the last one ended, and a gap between
/// them would be idle time that no such loop has. Only its phase differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table above has them all")]
pub struct Perturbation {
    pub payload_padding: usize,
    pub storm_padding: usize,
    pub monitor_padding: usize,
    pub pages: u32,
    pub files: u32,
    pub phase_ns: u64,
    pub monitor_delay_ns: u64,
    lifetimes: Stream,
    arrivals: Stream,
    quiets: Stream,
}

impl Perturbation {
    /// The changes of `seed`.
    pub fn new(seed: u64) -> Self {
        // The numbers of the streams are never used again for anything else.
        let once = |stream, bound| Stream::new(seed, stream).below(bound);
        let bytes = |stream, bound| usize::try_from(once(stream, bound)).expect("some thousand");
        let few = |stream, bound| u32::try_from(once(stream, bound)).expect("some hundred");
        Self {
            payload_padding: bytes(1, PAYLOAD_STACK),
            storm_padding: bytes(2, STACK),
            monitor_padding: bytes(3, STACK),
            pages: few(4, 256),
            files: few(5, 128),
            phase_ns: once(6, PHASE_NS),
            monitor_delay_ns: once(7, DELAY_NS),
            lifetimes: Stream::new(seed, 8),
            arrivals: Stream::new(seed, 9),
            quiets: Stream::new(seed, 10),
        }
    }

    /// The next lifetime, within a tenth of the one asked for; 0 stays 0.
    ///
    /// Of one seed the exec of one number always takes the same part of that tenth: where a longer life is asked
    /// for, none gets shorter, so that whoever searches for a life finds an edge (`execlab find`).
    pub fn lifetime_ns(&mut self, asked: u64) -> u64 {
        let apart = asked / 10;
        asked - apart + self.lifetimes.part_of(2 * apart + 1)
    }

    /// How long after its time in the schedule the next exec is due. Below half of the interval, so
    /// that execs keep their order; the same part of it at each rate, as with lifetimes.
    pub fn arrival_ns(&mut self, interval_ns: u64) -> u64 {
        self.arrivals.part_of((interval_ns / 2).max(1))
    }

    /// The next quiet between two bursts, within a fifth of the one asked for.
    pub fn quiet_ns(&mut self, asked: u64) -> u64 {
        self.quiets.around(asked, asked / 5)
    }

    /// Sleeps until the storm is to start.
    pub fn wait_for_phase(&self) {
        sleep_until_ns((monotonic_ns() / GRID_NS + 2) * GRID_NS + self.phase_ns);
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stream(u64);

impl Stream {
    /// Every pair of seed and stream starts elsewhere.
    fn new(seed: u64, stream: u64) -> Self {
        let mut of_seed = Self(seed);
        Self(of_seed.next().wrapping_add(Self(stream).next()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Below the bound as well, and as far below it, in proportion, whatever the bound is.
    fn part_of(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).expect("below the bound")
    }

    /// At most `apart` from `middle`.
    fn around(&mut self, middle: u64, apart: u64) -> u64 {
        middle - apart + self.below(2 * apart + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_seed_stays_in_its_bounds(seed in any::<u64>(), asked in 0u64..1 << 40) {
            let mut p = Perturbation::new(seed);
            prop_assert!(p.payload_padding < 1024 && p.storm_padding < 8192 && p.monitor_padding < 8192);
            prop_assert!(p.pages <= 255 && p.files <= 127);
            prop_assert!(p.phase_ns < 4_000_000 && p.monitor_delay_ns < 10_000_000);
            prop_assert!(p.lifetime_ns(asked).abs_diff(asked) <= asked / 10);
            prop_assert!(p.quiet_ns(asked).abs_diff(asked) <= asked / 5);
            prop_assert!(p.arrival_ns(asked) <= asked / 2);
        }

        #[test]
        fn a_seed_repeats(seed in any::<u64>(), asked in 0u64..1 << 40) {
            let (mut a, mut b) = (Perturbation::new(seed), Perturbation::new(seed));
            prop_assert_eq!(&a, &b);
            for _ in 0..3 {
                prop_assert_eq!(a.lifetime_ns(asked), b.lifetime_ns(asked));
                prop_assert_eq!(a.arrival_ns(asked), b.arrival_ns(asked));
            }
        }

        #[test]
        fn how_often_one_is_asked_changes_no_other(seed in any::<u64>(), times in 0usize..9) {
            let (mut a, mut b) = (Perturbation::new(seed), Perturbation::new(seed));
            for _ in 0..times {
                a.lifetime_ns(1_000_000);
            }
            prop_assert_eq!(a.arrival_ns(1_000_000), b.arrival_ns(1_000_000));
            prop_assert_eq!(a.quiet_ns(1_000_000), b.quiet_ns(1_000_000));
        }

        #[test]
        fn a_longer_life_asked_for_is_never_a_shorter_one(
            seed in any::<u64>(), asked in 0u64..1 << 40, more in 0u64..1 << 20,
        ) {
            let (mut a, mut b) = (Perturbation::new(seed), Perturbation::new(seed));
            for _ in 0..5 {
                prop_assert!(a.lifetime_ns(asked) <= b.lifetime_ns(asked + more));
            }
        }

        #[test]
        fn an_open_loop_keeps_order_and_schedule(seed in any::<u64>(), per_second in 1u64..1_000_000) {
            let mut p = Perturbation::new(seed);
            let interval = 1_000_000_000 / per_second;
            let due: Vec<_> = (0..50).map(|n| n * interval + p.arrival_ns(interval)).collect();
            prop_assert!(due.is_sorted());
            prop_assert!(due[49] - 49 * interval <= interval / 2);
        }
    }

    /// Neighbouring seeds are what people ask for; each aspect has to differ between them, and from
    /// the other aspects.
    #[test]
    fn seeds_and_aspects_differ() {
        let all: Vec<_> = (0..200).map(Perturbation::new).collect();
        let different =
            |of: fn(&Perturbation) -> u64| all.iter().map(of).collect::<BTreeSet<_>>().len();
        assert!(different(|p| p.payload_padding as u64) > 150);
        assert!(different(|p| p.storm_padding as u64) > 190);
        assert!(different(|p| p.monitor_padding as u64) > 190);
        assert!(different(|p| p.pages.into()) > 110);
        assert!(different(|p| p.files.into()) > 80);
        assert!(different(|p| p.phase_ns) > 195);
        assert!(different(|p| p.monitor_delay_ns) > 195);
        let same = all.iter().filter(|p| p.storm_padding == p.monitor_padding);
        assert!(same.count() < 3);
    }
}
