//! The order in which people expect names: 5.10 before 6.1, 6.1 before 6.12.

use std::cmp::Ordering;

/// Compares names with runs of digits as numbers.
pub(crate) fn natural(one: &str, other: &str) -> Ordering {
    let (mut x, mut y) = (one, other);
    loop {
        match (x.is_empty(), y.is_empty()) {
            // Names that differ only in leading zeros are still two names.
            (true, true) => return one.cmp(other),
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let ((head_x, rest_x), (head_y, rest_y)) = (run(x), run(y));
        let order = match (number(head_x), number(head_y)) {
            (Some(m), Some(n)) => m.len().cmp(&n.len()).then_with(|| m.cmp(n)),
            _ => head_x.cmp(head_y),
        };
        if order != Ordering::Equal {
            return order;
        }
        (x, y) = (rest_x, rest_y);
    }
}

/// The first run of digits, or of anything else, and what follows it.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

fn number(run: &str) -> Option<&str> {
    run.starts_with(|c: char| c.is_ascii_digit())
        .then(|| run.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_sort_as_versions() {
        let mut names = ["7.2", "6.12", "5.10", "6.1", "6.1-rc2", "6.1-rc10", "host"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["5.10", "6.1", "6.1-rc2", "6.1-rc10", "6.12", "7.2", "host"]
        );
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-b0-2.]{0,6}", b in "[a-b0-2.]{0,6}", c in "[a-b0-2.]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
