//! Durations as a user writes them and as trial ids hold them: `0`, `250us`, `1ms`, `2s`.

use execlab_reports::number::TIME_UNITS;
pub use execlab_reports::number::exact_duration as format;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no duration: write `0` or a whole number with `ns`, `us`, `ms` or `s`, as in `1ms`"
)]
pub struct BadDuration(pub String);

/// Nanoseconds of a text such as `1ms`.
pub fn parse(text: &str) -> Result<u64, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    if text == "0" {
        return Ok(0);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = TIME_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(bad)?
        .1;
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(factor).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_duration_is_named() {
        for text in [
            "",
            "1",
            "ms",
            "1.5ms",
            "-1ms",
            "1 ms",
            "1m",
            "99999999999999999999s",
        ] {
            assert_eq!(parse(text), Err(BadDuration(text.to_owned())));
        }
        assert_eq!(parse("1500us"), Ok(1_500_000));
        assert_eq!(format(1_500_000), "1500us");
    }

    proptest! {
        #[test]
        fn durations_read_back_as_they_print(ns in any::<u64>()) {
            prop_assert_eq!(parse(&format(ns)), Ok(ns));
        }
    }
}
