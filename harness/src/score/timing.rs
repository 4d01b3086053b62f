//! How late sightings came, and in which order.

use execlab_model::result::Latency;

/// Latencies of sightings as they are added.
///
/// The exec itself happened between `spawned_ns` and `started_ns`, and truth cannot say when; a
/// source's own time is that source's own word. So latency is counted from `started_ns`, the first
/// instructions of the new image, and is 0 where the monitor had the sighting before that: it is
/// how long the new program ran before the monitor knew of it. Counted from `spawned_ns` it would
/// hold the fork and the wait for a CPU, which no monitor can do anything about.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// One seen exec: when its image started and when its sighting was received, in nanoseconds.
    pub fn add(&mut self, started_ns: u64, received_ns: u64) {
        self.0.push(received_ns.saturating_sub(started_ns));
    }

    /// Percentiles by nearest rank: each is a latency that really occurred. `None` without any.
    pub fn summary(mut self) -> Option<Latency> {
        let count = self.0.len();
        let max = self.0.iter().copied().max()?;
        // Rank of a percentile: the least number of values that are that share of all.
        let mut rank = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1) - 1;
            *self.0.select_nth_unstable(rank).1
        };
        Some(Latency {
            unit: "ns".to_owned(),
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max,
        })
    }
}

/// Counts sightings that were delivered after one of a later exec.
///
/// Which of two execs is later is known only where their event windows do not overlap; where they
/// do, no order is wrong.
#[derive(Debug, Default)]
pub struct Order {
    /// The latest time that some exec already delivered cannot have happened before.
    latest: Option<u64>,
    out_of_order: u64,
}

impl Order {
    /// The next sighting in the order of delivery, with its exec's event window in nanoseconds.
    pub fn add(&mut self, from: u64, started: u64) {
        if self.latest.is_some_and(|latest| started <= latest) {
            self.out_of_order += 1;
        }
        self.latest = self.latest.max(Some(from));
    }

    /// How many were out of order.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: impl IntoIterator<Item = u64>) -> Option<Latency> {
        let mut latencies = Latencies::default();
        for value in values {
            latencies.add(1_000, 1_000 + value);
        }
        latencies.summary()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let latency = summary((1..=100).rev()).unwrap();
        assert_eq!(
            (latency.p50, latency.p90, latency.p99, latency.max),
            (50, 90, 99, 100)
        );
        let latency = summary([7]).unwrap();
        assert_eq!(
            (latency.p50, latency.p90, latency.p99, latency.max),
            (7, 7, 7, 7)
        );
        let latency = summary([1, 2, 3]).unwrap();
        assert_eq!(
            (latency.p50, latency.p90, latency.p99, latency.max),
            (2, 3, 3, 3)
        );
        assert_eq!(summary([]), None);
    }

    #[test]
    fn a_monitor_that_holds_the_exec_back_has_no_latency() {
        let mut latencies = Latencies::default();
        latencies.add(1_000, 900);
        assert_eq!(latencies.summary().unwrap().max, 0);
    }

    #[test]
    fn only_certain_disorder_counts() {
        let count = |windows: &[(u64, u64)]| {
            let mut order = Order::default();
            for &(from, started) in windows {
                order.add(from, started);
            }
            order.out_of_order()
        };
        assert_eq!(count(&[(0, 1), (2, 3), (4, 5)]), 0);
        assert_eq!(count(&[(4, 5), (0, 1), (2, 3)]), 2);
        assert_eq!(count(&[(2, 10), (0, 9)]), 0, "the windows overlap");
        assert_eq!(count(&[(0, 3), (3, 6)]), 0);
        assert_eq!(count(&[(3, 6), (0, 3)]), 1, "two execs of one process");
    }
}
