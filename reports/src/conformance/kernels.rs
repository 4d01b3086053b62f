//! Kernels by their series, in ranges.

use std::str::FromStr;

use execlab_model::result::KernelId;

use crate::order::natural;

/// The series of a kernel: `6.1` of `6.1`, of `6.1.0-56-cloud-amd64`, and of a kernel that has another
/// name but this release. `None` where neither has one.
pub fn series(kernel: &KernelId) -> Option<&str> {
    of_release(&kernel.name).or_else(|| of_release(&kernel.release))
}

/// `N.N` at the beginning of a release.
fn of_release(release: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let major = digits(release);
    let rest = release.get(major..)?.strip_prefix('.')?;
    let minor = digits(rest);
    (major > 0 && minor > 0).then(|| &release[..=major + minor])
}

/// Some series, as in `5.10-6.1, 7.2-`: a list of series and ranges, which may be open at one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    ranges: Vec<(Option<String>, Option<String>)>,
}

impl Span {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a series is in it.
    pub fn holds(&self, series: &str) -> bool {
        self.ranges.iter().any(|(from, to)| {
            from.as_deref()
                .is_none_or(|from| natural(from, series).is_le())
                && to.as_deref().is_none_or(|to| natural(series, to).is_le())
        })
    }
}

/// A text that is no list of series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no kernels: write series and ranges, as in `6.1`, `5.10-6.1, 6.18` or `6.12-`"
)]
pub struct BadSpan(String);

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let bad = || BadSpan(text.to_owned());
        let end = |end: &str| match end {
            "" => Ok(None),
            end if of_release(end) == Some(end) => Ok(Some(end.to_owned())),
            _ => Err(bad()),
        };
        let range = |part: &str| match part.split_once('-') {
            Some((from, to)) => Ok((end(from)?, end(to)?)),
            None => Ok((end(part)?, end(part)?)),
        };
        let ranges: Vec<_> = text.split(", ").map(range).collect::<Result<_, _>>()?;
        if ranges.contains(&(None, None)) {
            return Err(bad());
        }
        Ok(Self {
            text: text.to_owned(),
            ranges,
        })
    }
}

/// Those of `all` that are `chosen`, in ranges that a [`Span`] reads: `5.10-6.1, 6.18`. `all` is in
/// order, and what stands between two ends of a range is chosen too.
pub fn ranges(all: &[String], chosen: impl Fn(&str) -> bool) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (at, _) in all.iter().enumerate().filter(|(_, name)| chosen(name)) {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == at => *to = at,
            _ => ranges.push((at, at)),
        }
    }
    let texts = ranges.into_iter().map(|(from, to)| {
        if from == to {
            all[from].clone()
        } else {
            format!("{}-{}", all[from], all[to])
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// A range as people read it.
pub fn shown(range: &str, all: &[String]) -> String {
    let ends = |range: &str| {
        let (from, to) = range.split_once('-')?;
        let first = all.first().is_some_and(|first| first == from);
        let last = all.last().is_some_and(|last| last == to);
        Some(match (first, last) {
            (false, true) => format!("from {from}"),
            (true, false) => format!("to {to}"),
            _ => format!("{from} to {to}"),
        })
    };
    let shown = range
        .split(", ")
        .map(|range| ends(range).unwrap_or_else(|| range.to_owned()));
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Vec<String> {
        ["5.10", "6.1", "6.12", "6.18", "7.2", "7.3"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn the_series_is_the_beginning_of_a_release() {
        assert_eq!(of_release("6.1.0-56-cloud-amd64"), Some("6.1"));
        assert_eq!(of_release("5.10"), Some("5.10"));
        for other in ["", "6", "6.", ".1", "path:6.1", "running"] {
            assert_eq!(of_release(other), None, "{other}");
        }
    }

    #[test]
    fn ranges_are_read_and_may_be_open() {
        let held = |text: &str| {
            let span: Span = text.parse().unwrap();
            let names = all().into_iter().filter(|name| span.holds(name));
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(held("6.1"), "6.1");
        assert_eq!(held("5.10-6.1, 7.2"), "5.10 6.1 7.2");
        assert_eq!(held("6.12-"), "6.12 6.18 7.2 7.3");
        assert_eq!(held("-6.1"), "5.10 6.1");
        for bad in ["", "-", "6", "6.1 ", "6.1,6.12", "old-new", "6.1-6.12-7.2"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn people_read_where_a_range_begins_or_ends() {
        let all = all();
        assert_eq!(shown("5.10-7.3", &all), "5.10 to 7.3");
        assert_eq!(shown("6.12-7.3", &all), "from 6.12");
        assert_eq!(shown("5.10-6.1, 6.18", &all), "to 6.1, 6.18");
        assert_eq!(shown("6.1-6.12", &all), "6.1 to 6.12");
    }

    proptest! {
        #[test]
        fn a_range_that_is_written_holds_what_was_chosen(chosen in prop::collection::vec(any::<bool>(), 6)) {
            prop_assume!(chosen.contains(&true));
            let all = all();
            let is_chosen = |name: &str| chosen[all.iter().position(|n| n == name).unwrap()];
            let span: Span = ranges(&all, is_chosen).parse().unwrap();
            for name in &all {
                prop_assert_eq!(span.holds(name), is_chosen(name));
            }
        }
    }
}
