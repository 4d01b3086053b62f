//! The nearest of the valid names, for messages about a name that is none.

/// How many letters must be put in, taken out, changed or swapped with their neighbour to make one
/// word of the other (optimal string alignment).
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// The valid name that `name` was most likely meant to be, if any is near enough to be worth saying.
pub fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    // A third of the letters wrong is a slip; more is another word.
    let limit = (name.chars().count().max(3)) / 3;
    valid
        .into_iter()
        .map(|candidate| {
            let same_start = !name.is_empty() && candidate.starts_with(name.as_str());
            // A word that was left unfinished is as good as one wrong letter.
            let far = distance(&name, candidate);
            (if same_start { far.min(1) } else { far }, candidate)
        })
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_of_the_finger_are_found_and_other_words_are_not() {
        let valid = ["proc-poll", "netlink", "audit", "ebpf", "ptrace", "none"];
        assert_eq!(nearest("netlnik", valid), Some("netlink"));
        assert_eq!(nearest("Audit", valid), Some("audit"));
        assert_eq!(nearest("bpf", valid), Some("ebpf"));
        assert_eq!(nearest("proc", valid), Some("proc-poll"));
        assert_eq!(nearest("fanotify", valid), None);
        assert_eq!(nearest("", valid), None);
    }

    proptest! {
        #[test]
        fn distance_is_a_distance(a in "[a-d]{0,6}", b in "[a-d]{0,6}") {
            prop_assert_eq!(distance(&a, &a), 0);
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
            prop_assert!(distance(&a, &b) >= a.len().abs_diff(b.len()));
        }
    }
}
