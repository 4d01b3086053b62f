//! Compares Debian package versions as dpkg does.

use std::cmp::Ordering;

/// Orders two versions (`[epoch:]upstream[-revision]`); `~` sorts before everything, even the end.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a_epoch, a_upstream, a_revision) = split(a);
    let (b_epoch, b_upstream, b_revision) = split(b);
    a_epoch
        .cmp(&b_epoch)
        .then_with(|| compare_part(a_upstream, b_upstream))
        .then_with(|| compare_part(a_revision, b_revision))
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Takes turns: a run of non-digits compared by weight, then a run of digits compared as a number.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = a.split_at(a.find(|c: char| c.is_ascii_digit()).unwrap_or(a.len()));
        let (b_text, b_rest) = b.split_at(b.find(|c: char| c.is_ascii_digit()).unwrap_or(b.len()));
        let texts = compare_text(a_text, b_text);
        let (a_digits, a_rest) = split_digits(a_rest);
        let (b_digits, b_rest) = split_digits(b_rest);
        let numbers = || {
            a_digits
                .len()
                .cmp(&b_digits.len())
                .then_with(|| a_digits.cmp(b_digits))
        };
        match texts.then_with(numbers) {
            Ordering::Equal => (a, b) = (a_rest, b_rest),
            different => return different,
        }
    }
    Ordering::Equal
}

/// The number at the start without its leading zeros, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

fn compare_text(a: &str, b: &str) -> Ordering {
    let weights = |text: &str| {
        let mut weights: Vec<i32> = text.bytes().map(weight).collect();
        weights.push(0);
        weights
    };
    weights(a).cmp(&weights(b))
}

/// Letters before all else; the end of the text (0) after `~`.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        letter if letter.is_ascii_alphabetic() => i32::from(letter),
        other => i32::from(other) + 256,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_dpkg_does() {
        let ascending = [
            "5.10.262-1",
            "6.1.180-1~deb11u1",
            "6.1.180-1",
            "6.1.192-1",
            "6.1.192-2",
            "6.12.95-1~bpo12+1",
            "6.12.117-1~deb12u1",
            "6.12.117-1",
            "7.3~rc7-1~exp1",
            "7.3.4-1~bpo13+1",
            "7.3.4-1",
            "7.10-1",
            "1:0.1-1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("1.02-1", "1.2-1"), Ordering::Equal);
        assert_eq!(compare("1.0a", "1.0+"), Ordering::Less);
    }

    proptest! {
        #[test]
        fn is_an_order(a in "[0-9a-z.+~-]{0,12}", b in "[0-9a-z.+~-]{0,12}", c in "[0-9a-z.+~-]{0,12}") {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b) == Ordering::Less && compare(&b, &c) == Ordering::Less {
                prop_assert_eq!(compare(&a, &c), Ordering::Less);
            }
        }
    }
}
