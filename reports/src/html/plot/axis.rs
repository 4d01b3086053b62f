//! A logarithmic axis with room for zero, which such an axis does not have.

/// Where it starts and ends, and where it has its ticks.
pub(super) struct Log {
    left: f64,
    right: f64,
    /// Whether there is room on the left for what cannot be on it.
    pub band: bool,
}

impl Log {
    /// Of values; those of zero or less stand in the band.
    pub(super) fn of(values: &[f64]) -> Self {
        let positive = || values.iter().copied().filter(|&v| v > 0.0);
        let low = positive().reduce(f64::min).unwrap_or(1.0).max(0.01);
        let high = positive().reduce(f64::max).unwrap_or(10.0);
        let left = round_down(low * 0.8);
        Self {
            left,
            right: (1.0 / round_down(1.0 / (high * 1.25))).max(left * 10.0),
            band: values.iter().any(|&v| v <= 0.0),
        }
    }

    /// From its end to its other end.
    pub(super) fn range(&self) -> std::ops::Range<f64> {
        let wide = (self.right / self.left).powf(0.12).max(2.0);
        if self.band {
            self.left / wide..self.right
        } else {
            self.left..self.right
        }
    }

    /// The decades, or every other of them; where there are few, also what is between.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let decades = (self.right / self.left).log10();
        let digits: &[f64] = if decades > 2.2 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let step = if decades > 6.0 { 100.0 } else { 10.0 };
        let mut decade = 10_f64.powf(self.left.log10().floor());
        let mut ticks = Vec::new();
        while decade <= self.right {
            ticks.extend(digits.iter().map(|d| d * decade));
            decade *= step;
        }
        ticks.retain(|tick| (self.left * 0.99..=self.right * 1.01).contains(tick));
        ticks
    }

    /// Where a value stands.
    pub(super) fn place(&self, value: f64) -> f64 {
        if value > 0.0 {
            value.max(self.left)
        } else {
            (self.range().start * self.left).sqrt()
        }
    }

    /// Where the band ends.
    pub(super) fn edge(&self) -> f64 {
        self.left
    }
}

/// The next 1, 2 or 5 of a decade below.
fn round_down(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let digit = [5.0, 2.0].into_iter().find(|d| value >= d * decade);
    digit.unwrap_or(1.0) * decade
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_value_has_its_place_and_zero_is_left_of_all(values in prop::collection::vec(-1e3..1e9, 1..20)) {
            let axis = Log::of(&values);
            for &value in &values {
                prop_assert!(axis.range().contains(&axis.place(value)), "{value}");
                prop_assert_eq!(axis.place(value) < axis.edge(), value <= 0.0);
            }
            let ticks = axis.ticks();
            prop_assert!((1..=9).contains(&ticks.len()), "{:?}", ticks);
            prop_assert!(ticks.is_sorted());
        }
    }
}
