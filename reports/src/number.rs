//! Numbers for people: thousands are set apart, and rounding never says more than is true.

/// A whole number with thousands set apart; halves are rounded away from zero.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs().round());
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    if value < 0.0 && digits != "0" {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share of a whole in percent, rounded down: `100%` only when it is all, `0%` only when it is
/// nothing.
pub fn share(value: f64) -> String {
    // Shares are quotients of counts: the slack undoes what binary fractions do to 0.9999 and is far
    // below one in any number of execs.
    const SLACK: f64 = 1e-9;
    let hundredths = (value * 10_000.0 + SLACK).floor();
    if value == 0.0 {
        "0%".into()
    } else if value >= 1.0 {
        "100%".into()
    } else if hundredths < 1.0 {
        "<0.01%".into()
    } else if hundredths >= 9999.0 && value * 10_000.0 > 9999.0 + SLACK {
        ">99.99%".into()
    } else {
        format!("{:.2}%", hundredths / 100.0)
    }
}

/// A number with three digits or all its whole ones; never `0` unless it is.
pub fn magnitude(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if size == 0.0 {
        "0".into()
    } else if size < 0.01 {
        // Of a negative number this says on which side of zero it is.
        format!("{}0.01", if value < 0.0 { ">-" } else { "<" })
    } else if size.fract() == 0.0 || size >= 99.95 {
        thousands(value)
    } else if size >= 9.995 {
        format!("{sign}{size:.1}")
    } else {
        format!("{sign}{size:.2}")
    }
}

/// A difference: as [`magnitude`], with its sign.
pub fn signed(value: f64) -> String {
    if value >= 0.01 {
        format!("+{}", magnitude(value))
    } else {
        magnitude(value)
    }
}

/// Nanoseconds in the unit that suits them.
pub fn duration(ns: f64) -> String {
    scaled(ns, 1000.0, &["ns", "µs", "ms", "s"])
}

/// Units of time by their names in ids of trials, and how many nanoseconds each has.
pub const TIME_UNITS: [(&str, u64); 4] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];

/// The one shortest text of a duration, as ids of trials have it: `1500us`, in the largest unit of which it is a whole number.
pub fn exact_duration(nanoseconds: u64) -> String {
    if nanoseconds == 0 {
        return "0".to_owned();
    }
    let (unit, factor) = TIME_UNITS
        .into_iter()
        .rev()
        .find(|(_, factor)| nanoseconds.is_multiple_of(*factor))
        .unwrap_or(TIME_UNITS[0]);
    format!("{}{unit}", nanoseconds / factor)
}

/// Bytes in the unit that suits them.
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB"])
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut at = 0;
    while value.abs() >= step && at + 1 < units.len() {
        value /= step;
        at += 1;
    }
    format!("{} {}", magnitude(value), units[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0.0, 999.0, 1000.0, -1_234_567.5, -0.2].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "-1,234,568", "0"]);
    }

    #[test]
    fn only_all_is_a_hundred_percent_and_only_nothing_is_zero() {
        for (value, shown) in [
            (1.0, "100%"),
            (0.9999, "99.99%"),
            (0.99991, ">99.99%"),
            (999_999.0 / 1_000_000.0, ">99.99%"),
            (0.99996, ">99.99%"),
            (0.985, "98.50%"),
            (2.0 / 3.0, "66.66%"),
            (0.29, "29.00%"),
            (0.0001, "0.01%"),
            (0.000_01, "<0.01%"),
            (0.0, "0%"),
        ] {
            assert_eq!(share(value), shown, "{value}");
        }
    }

    #[test]
    fn differences_have_their_sign() {
        let shown = [0.0, 0.001, -0.001, 0.25, 12.345, 123.4, -4321.0, 99.96].map(signed);
        let wanted = [
            "0", "<0.01", ">-0.01", "+0.25", "+12.3", "+123", "-4,321", "+100",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn units_suit_the_size() {
        assert_eq!(duration(950.0), "950 ns");
        assert_eq!(duration(1_500_000.0), "1.50 ms");
        assert_eq!(duration(7.2e12), "7,200 s");
        assert_eq!(bytes(4096.0), "4 KiB");
    }

    proptest! {
        #[test]
        fn a_share_is_never_shown_as_more_than_it_is(seen in 0_u32..2_000_000, more in 0_u32..1000) {
            let total = seen + more;
            prop_assume!(total > 0);
            let value = f64::from(seen) / f64::from(total);
            let shown = share(value);
            prop_assert_eq!(shown == "100%", seen == total);
            prop_assert_eq!(shown == "0%", seen == 0);
            if let Ok(number) = shown.trim_end_matches('%').parse::<f64>() {
                prop_assert!(number / 100.0 <= value + 1e-9);
                prop_assert!(number / 100.0 >= value - 1.01e-4);
            }
        }
    }
}
