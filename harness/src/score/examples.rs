//! A few examples of each kind of fault, for people.

use std::collections::BTreeMap;

use execlab_model::{Bytes, result::Example, truth::Exec};

/// How many examples of one kind are kept: the first ones.
const PER_KIND: usize = 3;

/// Examples as they are found.
#[derive(Debug, Default)]
pub(super) struct Examples {
    counts: BTreeMap<&'static str, usize>,
    kept: Vec<Example>,
}

impl Examples {
    /// Keeps an example of `what` at an exec unless there are enough; its bytes (expected,
    /// reported) are made only then.
    pub fn add(
        &mut self,
        what: &'static str,
        exec: &Exec,
        bytes: impl FnOnce() -> (Option<Bytes>, Option<Bytes>),
    ) {
        if self.is_wanted(what) {
            let (expected, reported) = bytes();
            self.kept.push(Example {
                what: what.to_owned(),
                exec: Some(exec.id),
                pid: Some(exec.pid),
                expected,
                reported,
            });
        }
    }

    /// Keeps an example of a sighting without an exec unless there are enough.
    pub fn add_phantom(&mut self, pid: Option<u32>, path: Option<&Bytes>) {
        if self.is_wanted("phantom") {
            self.kept.push(Example {
                what: "phantom".to_owned(),
                exec: None,
                pid,
                expected: None,
                reported: path.cloned(),
            });
        }
    }

    fn is_wanted(&mut self, what: &'static str) -> bool {
        let count = self.counts.entry(what).or_default();
        *count += 1;
        *count <= PER_KIND
    }

    /// All that were kept, each kind's together and in the order of their finding.
    pub fn into_vec(mut self) -> Vec<Example> {
        self.kept.sort_by(|a, b| a.what.cmp(&b.what));
        self.kept
    }
}

/// A number as bytes.
pub(super) fn number(value: u32) -> Bytes {
    Bytes(value.to_string().into_bytes())
}
