//! A few numbers that say how others lie.

/// The mean; 0 of nothing.
pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// The standard deviation of a sample; 0 of fewer than two.
pub fn deviation(numbers: &[f64]) -> f64 {
    let middle = mean(numbers);
    let squares: f64 = numbers.iter().map(|n| (n - middle).powi(2)).sum();
    (squares / numbers.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// The value below which this share of a sample lies.
pub fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position in a slice"
    )]
    let at = (last * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "small whole numbers")]
    fn of_a_small_sample() {
        let sample = [2.0, 4.0, 6.0];
        assert_eq!((mean(&sample), deviation(&sample)), (4.0, 2.0));
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(
            (mean(&[]), deviation(&[1.0]), quantile(&[], 0.5)),
            (0.0, 0.0, 0.0)
        );
    }
}
