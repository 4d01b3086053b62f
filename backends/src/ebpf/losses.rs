//! Keeps the books on what was lost.

use execlab_model::sighting::{LossReport, LossUnit};

/// The count of each CPU as far as it was reported, and when.
#[derive(Debug)]
pub struct Losses {
    source: &'static str,
    cpus: Vec<Known>,
    total: u64,
}

#[derive(Debug, Clone)]
struct Known {
    lost: u64,
    /// Of this CPU's last record that arrived.
    last_ns: u64,
}

impl Losses {
    /// For so many CPUs, from `now_ns` on.
    pub fn new(source: &'static str, cpus: usize, now_ns: u64) -> Self {
        let known = Known {
            lost: 0,
            last_ns: now_ns,
        };
        Self {
            source,
            cpus: vec![known; cpus],
            total: 0,
        }
    }

    /// A CPU's count at a time: what it lost since the last one. Counts of CPUs that there are not,
    /// and counts that went back, say nothing.
    pub fn update(&mut self, cpu: usize, lost: u64, time_ns: u64) -> Option<LossReport> {
        let known = self.cpus.get_mut(cpu)?;
        let count = lost.saturating_sub(known.lost);
        let began = known.last_ns.min(time_ns);
        known.lost = known.lost.max(lost);
        known.last_ns = time_ns;
        self.total = self.total.saturating_add(count);
        (count > 0).then(|| LossReport {
            source: self.source.to_owned(),
            unit: LossUnit::Exec,
            count: Some(count),
            window_ns: (began, time_ns),
        })
    }

    /// Everything reported so far.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_loss_lies_between_the_two_records_around_it() {
        let mut losses = Losses::new("test", 2, 10);
        assert_eq!(losses.update(1, 0, 20), None);
        assert_eq!(losses.update(0, 0, 25), None);
        let report = losses.update(1, 3, 30).unwrap();
        assert_eq!((report.count, report.window_ns), (Some(3), (20, 30)));
        assert_eq!(losses.update(1, 3, 40), None);
    }

    proptest! {
        #[test]
        fn reports_add_up_to_the_counts(
            steps in proptest::collection::vec((0usize..3, 0u64..5, any::<u64>()), 0..50),
        ) {
            let mut losses = Losses::new("test", 3, 0);
            let mut counts = [0u64; 3];
            let mut reported = 0;
            for (cpu, more, time) in steps {
                counts[cpu] += more;
                reported += losses.update(cpu, counts[cpu], time).map_or(0, |r| {
                    assert!(r.window_ns.0 <= r.window_ns.1);
                    r.count.unwrap()
                });
            }
            prop_assert_eq!(reported, counts.iter().sum::<u64>());
            prop_assert_eq!(losses.total(), reported);
        }

        #[test]
        fn counts_that_make_no_sense_never_panic(
            steps in proptest::collection::vec((any::<usize>(), any::<u64>(), any::<u64>()), 0..50),
        ) {
            let mut losses = Losses::new("test", 3, 5);
            for (cpu, lost, time) in steps {
                let _ = losses.update(cpu, lost, time);
            }
        }
    }
}
